"""Where cleaning fails: which stretches are shown, and what is said of them."""

import numpy as np
import pytest
from typer.testing import CliRunner

from ecg_stream.command_line import commands
from engine.lab.evaluate.track_f import EvaluateSettings
from engine.lab.evaluate.worst import STRETCH_S, draw_worst, find_worst, worst_markdown
from models.metrics import Moments


@pytest.fixture(scope="module")
def settings(made_physionet):
    return EvaluateSettings(
        models=("butterworth",), records=("100", "101"), noises=("em",), snrs=(0.0,), hop_ms=200.0,
        start=5.0, seconds=30.0, data_dir=made_physionet,
    )  # fmt: skip


@pytest.fixture(scope="module")
def stretches(settings, tmp_path_factory):
    return find_worst(settings, 10, tmp_path_factory.mktemp("out"), lambda *_: None)


def test_of_each_record_its_worst_stretch_is_shown_worst_first(stretches):
    assert sorted(each["record"] for each in stretches) == ["100", "101"]
    assert stretches[0]["snr_out_db"] <= stretches[1]["snr_out_db"]
    for each in stretches:
        assert each["condition"] == "em 0 dB"  # the noise is worse than none
        traces = {what: np.array([trace], np.float32) for what, trace in each["traces"].items()}
        assert {len(trace[0]) for trace in traces.values()} == {round(STRETCH_S * 360)}
        for figure, trace in (("snr_in_db", "raw"), ("snr_out_db", "cleaned")):
            shown = Moments.of(traces["reference"], traces[trace]).snr_db[0]
            assert each[figure] == pytest.approx(shown, abs=0.05)  # the traces are rounded
        assert (each["start"] - 15) % STRETCH_S == 0
        assert each["within_spread"] is None  # a filter says nothing of its error


def test_no_more_are_shown_than_asked_for(settings, stretches, tmp_path):
    assert find_worst(settings, 1, tmp_path, lambda *_: None) == stretches[:1]


def test_the_report_has_a_line_and_a_panel_for_each(settings, stretches, tmp_path):
    told = [stretches[0], stretches[1] | {"within_spread": 0.425}]
    told[1]["traces"] = told[1]["traces"] | {"spread": told[1]["traces"]["raw"]}
    lines = worst_markdown(told, settings).splitlines()
    first = stretches[0]
    assert lines[-2].startswith(f"| 1 | {first['record']}, {first['start']:.0f} | em 0 dB |")
    assert lines[-2].endswith(f"| {first['snr_out_db']:.1f} |  |")
    assert lines[-1].endswith("| 42% |")
    draw_worst(told, tmp_path / "worst.png")
    assert (tmp_path / "worst.png").stat().st_size > 10_000


def test_the_command_takes_one_system_at_one_look_ahead(made_physionet, tmp_path):
    asked = ["evaluate", "worst", "--records", "100", "--start", "5", "--seconds", "20", "--noises", "em"]
    asked += ["--hop", "200", "--jobs", "1", "--data-dir", str(made_physionet), "--out", str(tmp_path)]
    many = CliRunner().invoke(commands, [*asked, "--models", "identity,butterworth"])
    assert many.exit_code != 0
    assert "one system at one look-ahead: --models NAME" in str(many.exception)
    ran = CliRunner().invoke(commands, [*asked, "--models", "butterworth"])
    assert ran.exit_code == 0, ran.output
    assert (tmp_path / "report.md").read_text() in ran.output
    assert (tmp_path / "worst.png").is_file()
