"""Heart rates where no heart beats: the quick version of `ecg-stream evaluate rates`, and what it counts."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from ecg_stream.command_line import commands
from engine.lab.evaluate.conformance.waves import FINE_HZ, ecg
from engine.lab.safety import no_heart as no_heart_signals
from engine.lab.safety.no_heart import KINDS, no_heart
from engine.lab.safety.patient_rates import verdicts
from engine.lab.safety.shown_rates import LEAD_S, PER_LEAD, rates_markdown, shown_rates
from models.benches.track_f import FS
from streamer.synthetic import SyntheticPatient

COUNT = round(LEAD_S * FS)


@pytest.mark.data
@pytest.mark.parametrize("kind", KINDS)
def test_raw_without_a_heart_shows_no_heart_rate(physionet, kind):
    """Electrode motion showed one in 509 of 864 windows, muscle noise in 32, electrosurgery in 14."""
    leads = no_heart(kind, 8, COUNT, physionet)
    assert len(np.unique(leads[:, 1000])) == 8
    assert shown_rates(leads[::2], np.zeros((4, COUNT), np.bool_)) == []


def test_a_heart_is_shown_in_every_window_unless_it_is_doubted():
    lead = SyntheticPatient(seed=3, heart_rate=75).read(0, COUNT).data
    doubted = np.zeros(lead.shape, np.bool_)
    shown = shown_rates(lead, doubted)
    assert len(shown) >= PER_LEAD - 1
    assert np.median(shown) == pytest.approx(75, rel=0.1)
    # Half a second before the end of the 20th window.
    doubted[:, round(40 * FS) - 1] = True
    assert len(shown_rates(lead, doubted)) == len(shown) - 1


def test_cleaned_shows_no_rate_that_raw_contradicts():
    slow, fast = (SyntheticPatient(heart_rate=bpm).read(0, COUNT).data for bpm in (60.0, 90.0))
    believed = np.zeros((1, COUNT), np.bool_)
    assert shown_rates(fast, believed, fast) == shown_rates(fast, believed) != []
    # The beginning, before raw has a rate of its own, aside.
    assert len(shown_rates(fast, believed, slow)) <= 1


@pytest.mark.data
def test_the_command_counts_and_writes_what_it_counted(tmp_path, physionet, monkeypatch):
    kinds = ("flat, 5 µV of noise", "a heart after all")

    def beats(_: np.random.Generator, count: int) -> NDArray[np.float32]:
        return SyntheticPatient().read(0, count).data[0]

    monkeypatch.setitem(no_heart_signals._MADE, kinds[1], beats)
    monkeypatch.setattr("engine.lab.safety.shown_rates.KINDS", kinds)
    monkeypatch.setattr("engine.lab.safety.shown_rates.TEST_RECORDS", ("103",))
    asked = ["--models", "lowdelay", "--lookahead", "100", "--windows", "1", "--jobs", "1"]
    ran = CliRunner().invoke(commands, ["evaluate", "rates", *asked, "--out", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    written = json.loads((tmp_path / "rates.json").read_text())
    rows, patients = written["rows"], written["patients"]
    assert [row["kind"] for row in rows] == list(kinds)
    assert all(row["windows"] == PER_LEAD for row in rows)
    assert [row["raw"] + row["cleaned"] > 0 for row in rows] == [False, True]
    page = (tmp_path / "report.md").read_text()
    assert page == rates_markdown(rows, patients)
    assert [(row["noise"], row["patients"], row["seconds"]) for row in patients] == [
        ("their own noise", 1, 40),
        ("electrode motion at 6 dB", 1, 40),
    ]
    assert patients[0]["raw"] == patients[0]["cleaned"] == {"right": 40, "wrong": 0, "withheld": 0}
    assert "| lowdelay, 100 ms | their own noise | 40 | cleaned | 100.0% | 0.0% | 0.0% | 100.0% |" in page
    assert f"| {kinds[0]} | {PER_LEAD} | 0 | 0 |" in page
    assert f"| **all** | {2 * PER_LEAD} | {rows[1]['raw']} | {rows[1]['cleaned']} |" in page


def test_a_second_is_right_wrong_or_withheld():
    """Raw loses every second beat from the tenth second on; cleaned is the guard's for a second."""
    beats = np.arange(100, 7200, 360)
    lead = ecg(beats / 360, 20.0)[:: FINE_HZ // 360].astype(np.float32)
    lost = ecg(beats[beats > 3600][::2] / 360, 20.0)[:: FINE_HZ // 360].astype(np.float32)
    raw = np.where(np.arange(7200) > 3600, lost, lead)
    doubted = np.zeros(7200, np.bool_)
    doubted[7000:7100] = True
    raw_counts, cleaned_counts = verdicts(raw, lead, doubted, beats).tolist()
    assert sum(raw_counts) == sum(cleaned_counts) == 11
    assert raw_counts[1] > 5
    # Where raw has another rate cleaned has none.
    assert cleaned_counts == [raw_counts[0], 0, raw_counts[1]]
