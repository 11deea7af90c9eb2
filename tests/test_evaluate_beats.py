"""Beats of raw leads as `ecg-stream evaluate beats` counts them: which count, and what is said of them."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from ecg_stream.command_line import commands
from engine.lab.detectors import DETECTORS, find_detector
from engine.lab.evaluate.beats import MarkedLead, marked_leads, score
from engine.lab.evaluate.beats_report import beats_markdown
from models.beat_matching import match_beats
from streamer.beats import find_beats
from streamer.errors import InputError
from streamer.synthetic import SyntheticPatient

FS = 360


def run(*arguments):
    return CliRunner().invoke(commands, ["evaluate", "beats", *map(str, arguments)])


def marked(beats, ventricular=(), scored_from=0):
    scored = np.zeros(3600, np.bool_)
    scored[scored_from:] = True
    kinds = np.isin(beats, ventricular)
    return MarkedLead("made", np.zeros(3600, np.float32), FS, np.array(beats, np.int64), kinds, scored)


def test_a_worked_example_by_hand():
    """Six beats from sample 1000 on, one of two ventricular ones missed, one found too far away."""
    truth = marked([500, 1000, 1300, 1600, 1900, 2200, 2500], ventricular=(1600, 2200), scored_from=900)
    found = np.array([700, 1002, 1306, 1902, 2204, 2560, 3000])
    got = score(truth, found)
    # 500 and 700 are before what is scored; 2560 is 167 ms from 2500.
    assert (got["found"], got["missed"], got["invented"]) == (4, 2, 2)
    assert (got["v_found"], got["v_missed"]) == (1, 1)
    # 2, 6, 2 and 4 samples late, of which 3 is the rule: 1, 3, 1, 1 beside it.
    assert got["jitter_ms"] == pytest.approx(1000 / FS * np.percentile([1, 3, 1, 1], 95))


def test_a_pair_across_the_edge_of_what_is_scored_is_no_error():
    assert score(marked([1000, 2000], scored_from=1000), np.array([990, 2000]))["missed"] == 0
    assert score(marked([995, 2000], scored_from=1000), np.array([1005, 2000]))["invented"] == 0


def test_nothing_found_has_no_jitter_and_what_lies_outside_the_lead_is_none():
    got = score(marked([1000]), np.array([-3, 3601]))
    assert (got["missed"], got["invented"], got["jitter_ms"]) == (1, 0, None)


def test_the_begin_of_a_record_is_for_learning(made_physionet):
    leads = marked_leads("mitdb", made_physionet)
    assert [lead.name for lead in leads] == ["100", "101", "114"]
    assert all(not lead.scored[: 20 * FS].any() and lead.scored[20 * FS :].all() for lead in leads)
    second = marked_leads("mitdb-second", made_physionet)[0]
    assert not np.array_equal(second.lead, leads[0].lead)


def test_the_command_counts_every_beat_at_every_rate(made_physionet, tmp_path):
    out = tmp_path / "out"
    options = ["--databases", "mitdb", "--detectors", "ecg-stream", "--rates", "125,1000", "--jobs", "1"]
    ran = run(*options, "--data-dir", made_physionet, "--out", out)
    assert ran.exit_code == 0, ran.output
    rows = json.loads((out / "beats.json").read_text())["rows"]
    assert [row["fs"] for row in rows] == [125, 1000]
    for row in rows:
        assert all(record["found"] > 30 for record in row["records"])
        assert not any(record["missed"] or record["invented"] for record in row["records"])
        assert row["cost_us"] > 0
    report = (out / "report.md").read_text()
    assert report == beats_markdown(rows)
    assert "| ecg-stream | 125 | 1.0000 | 1.0000 | 1.0000 |" in report
    assert "below 0.95: none." in report


def test_a_record_below_the_limit_is_named():
    poor = {"record": "108", "found": 8, "missed": 2, "invented": 0, "v_found": 0, "v_missed": 0}
    row = {"detector": "ecg-stream", "database": "mitdb", "fs": 360.0, "cost_us": 20.0}
    text = beats_markdown([row | {"records": [poor | {"jitter_ms": 1.0}]}])
    assert "ecg-stream at 360 Hz below 0.95: 108 (0.889)." in text


def test_stress_records_have_a_column_for_each_level_of_both_patients():
    ours = {"v_found": 0, "v_missed": 0, "jitter_ms": 1.0}
    counts = [("118e06", 8, 2, 0), ("119e06", 9, 0, 1), ("118e_6", 5, 5, 5)]
    records = [
        {"record": name, "found": found, "missed": missed, "invented": invented} | ours
        for name, found, missed, invented in counts
    ]
    row = {"detector": "ecg-stream", "database": "nstdb", "fs": 360.0, "cost_us": 20.0, "records": records}
    text = beats_markdown([row])
    assert "| detector | Hz | 6 dB | -6 dB |" in text
    assert "| ecg-stream | 360 | 0.919 (0.895, 0.944) | 0.500 (0.500, 0.500) |" in text


@pytest.mark.data
def test_beats_in_noise_are_counted_as_the_wfdb_package_counts_them(physionet):
    """Pair by pair, where some hundreds are missed and invented; on all of MIT-BIH so too."""
    from wfdb.processing import compare_annotations

    for marked_lead in marked_leads("nstdb", physionet):
        assert marked_lead.scored.mean() == pytest.approx(0.435, abs=0.001)
        assert not marked_lead.scored[: 300 * FS].any()
        assert marked_lead.scored[300 * FS : 420 * FS].all()
        assert not marked_lead.scored[420 * FS : 540 * FS].any()
        if not marked_lead.name.endswith("e_6"):
            continue
        found = find_beats(marked_lead.lead, FS)
        ours, theirs = match_beats(marked_lead.beats, found, 54)
        # Theirs is a window that ends before its width.
        matched = compare_annotations(marked_lead.beats, found, 55).matching_sample_nums
        np.testing.assert_array_equal(np.flatnonzero(matched >= 0), ours)
        np.testing.assert_array_equal(matched[matched >= 0], theirs)
        assert len(marked_lead.beats) - len(ours) > 100
        assert len(found) - len(theirs) > 100


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_finds_the_beats_of_a_clean_lead(name):
    package = DETECTORS[name][1]
    pytest.importorskip(package)
    block = SyntheticPatient(heart_rate=75, fs=250.0).read(0, 30 * 250)
    beats = np.array([mark.sample for mark in block.annotations])
    found = find_detector(name)(block.data[0], 250.0)
    assert abs(len(found) - len(beats)) <= 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--detectors", "best"], "no detector 'best'; there are ecg-stream"),
        (["--databases", "edb"], "no database 'edb' with marks; there are mitdb"),
        (["--rates", "50"], "beats are found at 100 Hz and more, got --rates 50"),
    ],
)
def test_what_cannot_be_scored_is_refused(options, said, made_physionet, tmp_path):
    always = ["--data-dir", made_physionet, "--out", tmp_path, "--databases", "mitdb"]
    ran = run(*always, *options)
    assert isinstance(ran.exception, InputError)
    assert said in str(ran.exception)


def test_a_detector_whose_package_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(DETECTORS, "sleepecg", (DETECTORS["sleepecg"][0], "a_package_that_is_not_there"))
    with pytest.raises(InputError, match=r"sleepecg.* pip install .*detectors"):
        find_detector("sleepecg")
