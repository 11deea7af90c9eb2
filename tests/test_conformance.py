"""Signals that monitors are tested with: how they are made, how they are judged, and what comes out."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from ecg_stream.command_line import commands
from engine.in_process.stages import open_system
from engine.lab.evaluate.conformance.arrhythmias import irregular
from engine.lab.evaluate.conformance.grid import Cell, cells, counted
from engine.lab.evaluate.conformance.judged import (
    GRADES,
    Judge,
    Shown,
    displaced,
    followed,
    gain,
    last_rate,
    peak_error,
    recovered,
)
from engine.lab.evaluate.conformance.report import conformance_markdown, conformance_summary
from engine.lab.evaluate.conformance.run import TESTS, through
from engine.lab.evaluate.conformance.stimuli import stimuli
from engine.lab.evaluate.conformance.waves import (
    FINE_HZ,
    amplifier,
    ecg,
    every,
    nothing,
    put,
    put_pulses,
    qrs_train,
    triangle,
)
from streamer.errors import InputError

FS = 360


@pytest.mark.parametrize("fs", [250, 360, 500, 1000])
def test_an_amplifier_hands_a_pulse_on_by_its_area_wherever_it_falls(fs):
    """0.1 ms of 700 mV: 0.07 mV·s, and no high-pass that takes it away again; some of it is aliased."""
    for start_s in (0.5, 0.50003, 0.5017):
        lead = nothing(1)
        put_pulses(lead, 700.0, 0.0001, [start_s])
        assert lead.sum() / FINE_HZ == pytest.approx(0.07, rel=1e-6)
        sampled = amplifier(lead, fs) - amplifier(nothing(1), fs)
        assert sampled.sum() / fs == pytest.approx(0.07, rel=0.2)
    with pytest.raises(ValueError, match="must divide 18000 Hz, got 7000"):
        amplifier(nothing(1), 7000)


def test_waves_stand_where_they_were_put():
    lead = nothing(2)
    put(lead, triangle(1.5, 0.04), [1.0])
    assert np.argmax(lead) == pytest.approx(FINE_HZ, abs=1)
    assert lead.max() == 1.5
    assert np.count_nonzero(lead) == pytest.approx(0.04 * FINE_HZ, abs=2)
    put(lead, triangle(1.0, 0.2), [0.0, 2.0])  # half of each sticks out
    assert lead[0] == pytest.approx(1.0)


def test_every_test_has_signals_with_grades_and_limits_in_words():
    made = stimuli()
    assert {one.test for one in made} | {"T7"} == set(TESTS)
    assert len({(one.test, one.name) for one in made}) == len(made)
    for one in made:
        assert all(judge.grade in GRADES and judge.limit for judge in one.judges)


def test_irregular_rhythms_have_the_rates_that_are_stated():
    assert [bpm for _, bpm, _ in irregular(10)] == [80, 60, 120, 90]


def shown(fine, of=None, without=None):
    """A raw trace, and the same as it came out."""
    raw = amplifier(fine, FS)
    trace = raw if of is None else of(raw).astype(np.float32)
    beside = None if without is None else amplifier(without, FS)
    cleaned_beside = beside if of is None or beside is None else of(beside)
    return Shown(trace, raw, FS, cleaned_beside, beside)


def test_a_lower_peak_is_measured():
    beats = every(60, 10.0)[2:-1]
    train = qrs_train(60, 10.0, 1.5, 0.08)
    assert peak_error(beats, 0.08)(shown(train, lambda raw: 0.8 * raw)) == pytest.approx(-20, abs=0.5)
    assert peak_error(beats, 0.08)(shown(train, lambda raw: raw + 3)) == pytest.approx(0, abs=0.1)


def test_a_weaker_sine_is_measured_beside_the_ecg():
    base = ecg(every(60, 10.0), 10.0)
    probe = 0.1 * np.sin(2 * np.pi * 5 * np.arange(len(base)) / FINE_HZ)
    assert gain(5.0, 2.0)(shown(base + probe, lambda raw: 0.4 * raw, base)) == pytest.approx(40, abs=0.1)
    assert displaced(2.0, 8.0)(shown(base + probe, None, base)) == pytest.approx(0.1, abs=0.005)
    with pytest.raises(ValueError, match="without its probe"):
        gain(5.0, 2.0)(shown(base + probe))


def test_a_recovery_is_timed_by_height_and_by_level():
    beats = every(60, 30.0)
    base = ecg(beats, 30.0)
    second = np.arange(30 * FS) / FS
    measure = recovered(beats, 10.0, 12.0)

    def low(raw):
        return np.where((second > 12) & (second < 15.2), 0.5 * raw, raw)

    def off(raw):
        return np.where((second > 12) & (second < 15.2), raw + 2, raw)

    for spoilt in (low, off):
        assert measure(shown(base, spoilt)) == pytest.approx(3.5, abs=0.01)
    assert measure(shown(base)) < 1
    assert measure(shown(base, lambda raw: np.where(second > 12, raw + 2, raw))) == float("inf")


def test_a_rate_that_never_follows_takes_for_ever():
    assert followed(12.0, 120.0)(shown(ecg(every(60, 24.0), 24.0))) == float("inf")
    assert followed(12.0, 60.0)(shown(ecg(every(60, 24.0), 24.0))) == 0


def test_a_judge_passes_what_lies_between_and_nothing_where_nothing_must_be():
    bounded = Judge("peak", "%", "±10 %", "goal", last_rate, -10, 10)
    assert [bounded.passes(value) for value in (-10, 0, 10.1, None, float("nan"))] == [True, True] + 3 * [
        False
    ]
    none = Judge("heart rate", "bpm", "none", "S2", last_rate)
    assert none.passes(None)
    assert not none.passes(60.0)


def test_cells_are_judged_by_what_monitors_must_count():
    said = {
        Cell(0.5, 40, 60): 60.5,
        Cell(5.0, 120, 300): 294.0,
        Cell(0.15, 70, 60): 60.0,
        Cell(1.0, 20, 60): None,
    }
    rows = [
        {"cell": [cell.height_mv, cell.width_ms, cell.bpm], "raw": cell.bpm, "cleaned": bpm}
        for cell, bpm in said.items()
    ]
    found = counted(rows)
    assert (found["must_count"], found["must_count_raw"], found["must_count_cleaned"]) == (2, 2, 1)
    assert found["must_count_wrong"] == [[5.0, 120, 300, 294.0]]
    assert (found["must_not_count"], found["must_not_count_cleaned"]) == (1, 0)
    assert sum(cell.must_count for cell in cells()) == 60


def test_signals_side_by_side_leave_as_each_alone():
    """The leads of one run know nothing of each other; here those of a device of 500 Hz."""
    system = open_system("lowdelay", None, 40.0, waits=True)
    raws = [
        amplifier(fine, 500) for fine in (ecg(every(60, 8.0), 8.0), nothing(8.0), qrs_train(120, 8.0, 2, 0.1))
    ]
    together = through(system, 500, raws)
    for raw, (cleaned, marks) in zip(raws, together, strict=True):
        assert cleaned.shape == raw.shape
        alone, alone_marks = through(system, 500, [raw])[0]
        np.testing.assert_allclose(cleaned, alone, atol=1e-5)
        np.testing.assert_array_equal(marks, alone_marks)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The quick version, by its command: the default network and raw."""
    out = tmp_path_factory.mktemp("results") / "conformance"
    options = ["--models", "lowdelay,identity", "--tests", "T5,T7,T18", "--rates", "360", "--quick"]
    told = CliRunner().invoke(
        commands, ["evaluate", "conformance", *options, "--jobs", "1", "--out", str(out)]
    )
    assert told.exit_code == 0, told.output
    return out


def test_the_default_network_shows_narrow_waves_counts_beats_and_is_silent_where_nothing_is(ran):
    report = json.loads((ran / "conformance.json").read_text())
    assert {row["test"] for row in report["rows"]} == {"T5", "T18"}
    for row in report["rows"]:
        for system in ("lowdelay", "identity"):
            assert row["values"][system]["360"][3], (row["stimulus"], row["what"], system)
    for grid in report["grid"]:
        assert grid["must_count_cleaned"] == grid["must_count_raw"] == grid["must_count"] == 4
        assert grid["must_not_count_cleaned"] == grid["must_not_count"] == 6


def test_the_report_has_every_figure_and_its_pictures(ran):
    report = json.loads((ran / "conformance.json").read_text())
    text = (ran / "report.md").read_text()
    assert text == conformance_markdown(report)
    assert text.startswith(conformance_summary(report))
    assert "| T5 | 5/5 | 5/5 | 5/5 |" in text
    assert "- nothing" in text
    for test in ("T5", "T7", "T18"):
        assert (ran / f"{test}.png").read_bytes().startswith(b"\x89PNG")
    listed = CliRunner().invoke(commands, ["evaluate", "tables", str(ran.parent)])
    assert listed.exit_code == 0
    assert "Signals that a monitor must show" in listed.output


def test_what_fails_is_named(ran):
    report = json.loads((ran / "conformance.json").read_text())
    row = next(row for row in report["rows"] if row["stimulus"].startswith("input shorted"))
    row["values"]["lowdelay"]["500"] = [12.0, 45.0, True, False, 0.0]
    text = conformance_markdown(report)
    assert "- T18, input shorted: p-v 45 µV at 500 Hz; limit ≤ 30 µV" in text
    assert "(fails at 500)" in text


def test_a_report_without_the_rate_of_the_pictures_links_to_none(ran):
    report = json.loads((ran / "conformance.json").read_text())
    assert "](T5.png)" in conformance_markdown(report)
    report["manifest"]["rates"] = [500]
    assert "](T5.png)" not in conformance_markdown(report)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tests", "T8"], "no test 'T8'; there are T1, T2"),
        (["--rates", "128"], "rate 128 Hz; allowed: 250 Hz and more that divide 18000, as 360"),
        (["--rates", "360.5"], "--rates 360.5; allowed: whole numbers of Hz"),
    ],
)
def test_what_cannot_be_played_is_refused(options, said, tmp_path):
    told = CliRunner().invoke(commands, ["evaluate", "conformance", *options, "--out", str(tmp_path)])
    assert isinstance(told.exception, InputError)
    assert said in str(told.exception)
