"""The stress records: what is counted, in which block, before and after cleaning."""

import json
from dataclasses import replace

import numpy as np
import pytest

from engine.lab.evaluate import stress as evaluate_stress
from engine.lab.evaluate.stress import StressSettings, find_beats_gqrs
from engine.lab.evaluate.stress import evaluate_stress as run
from engine.lab.evaluate.tables import stress_markdown, tables, write_stress
from engine.lab.xqrs import find_beats_xqrs
from streamer.records.find import find_record
from streamer.records.record import read_record
from streamer.synthetic import SyntheticPatient

FS = 360
QUIET_S, BLOCK_S = 20, 15


@pytest.fixture(scope="module")
def stress_data(write_record, tmp_path_factory):
    """Two patients at one level: 20 s quiet, then 15 s that drown, 15 s that do not, 15 s that drown."""
    folder = tmp_path_factory.mktemp("stress")
    samples = (QUIET_S + 3 * BLOCK_S) * FS
    rng = np.random.default_rng(0)
    for seed, name in enumerate(("118e00", "119e00")):
        block = SyntheticPatient(leads=("II", "V5"), seed=seed).read(0, samples)
        noise = np.repeat(rng.standard_normal((2, samples // 20)), 20, axis=1)
        second = np.arange(samples) / FS
        noisy = (second >= QUIET_S) & ((second - QUIET_S) // BLOCK_S % 2 == 0)
        beats = [mark.sample for mark in block.annotations]
        # The records' own baseline is wrong by volts.
        write_record(folder / "nstdb", name, block.reference - 5.12 + 0.6 * noise * noisy, beats=beats)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate_stress, "SNRS", ("00",))
        patch.setattr(evaluate_stress, "_FIRST_S", QUIET_S)
        patch.setattr(evaluate_stress, "_BLOCK_S", BLOCK_S)
        yield folder


@pytest.fixture(scope="module")
def settings(stress_data):
    return StressSettings(models=("identity", "unet"), hop_ms=200.0, jobs=1, data_dir=stress_data)


@pytest.fixture(scope="module")
def rows(settings, tmp_path_factory):
    return run(settings, tmp_path_factory.mktemp("out"), lambda *_: None)


def row_of(rows, system, block, detector="xqrs", tolerance=150):
    wanted = (system, block, detector, tolerance)
    return next(r for r in rows if (r["system"], r["block"], r["detector"], r["tolerance_ms"]) == wanted)


def test_blocks_are_told_apart(rows, stress_data):
    assert len(rows) == 2 * 2 * 2 * 2
    for detector in ("xqrs", "gqrs"):
        noisy, reference = (row_of(rows, "identity", block, detector) for block in ("noisy", "clean"))
        assert reference["f1"] > 0.8
        assert reference["f1"] > noisy["f1"] + 0.1
    annotated = 0
    for name in ("118e00", "119e00"):
        beats = read_record(find_record(name, "nstdb", stress_data)).beats
        annotated += ((beats >= QUIET_S * FS) & (beats < (QUIET_S + 3 * BLOCK_S) * FS)).sum()
    counted = [row_of(rows, "unet", block) for block in ("noisy", "clean")]
    assert sum(row["found"] + row["missed"] for row in counted) == annotated


def test_a_narrow_tolerance_finds_no_more(rows):
    for row in rows:
        if row["tolerance_ms"] == 50:
            assert row["found"] <= row_of(rows, row["system"], row["block"], row["detector"])["found"]


def test_only_what_is_asked_for_is_played(settings, tmp_path):
    short = run(replace(settings, models=("identity",), seconds=float(BLOCK_S)), tmp_path, lambda *_: None)
    assert row_of(short, "identity", "clean")["found"] == row_of(short, "identity", "clean")["missed"] == 0
    assert row_of(short, "identity", "noisy")["found"] > 5


def test_the_table_shows_both_detectors(rows, settings, tmp_path):
    folder = tmp_path / "stress"
    folder.mkdir()
    text = write_stress(rows, settings, folder)
    pair = [row_of(rows, "unet", "noisy", detector)["f1"] for detector in ("xqrs", "gqrs")]
    assert f"| unet | 500 ms | {pair[0]:.3f} / {pair[1]:.3f} |" in text
    assert "0.617 / 0.615" in text  # published at this level
    assert (folder / "f1.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads((folder / "stress.json").read_text())
    assert stress_markdown(report["rows"]) == text == tables(tmp_path)
    assert set(report["manifest"]["weights_sha256"]) == {"identity", "unet"}
    assert "nstdb/118e00.dat" in report["manifest"]["data_sha256"]


def test_gqrs_marks_the_peak_too():
    patient = SyntheticPatient(fs=360.0).read(0, 60 * FS)
    lead = patient.reference[0]
    ours, theirs = find_beats_xqrs(lead, 360.0), find_beats_gqrs(lead, 360.0)
    assert abs(len(ours) - len(theirs)) <= 2
    nearest = np.abs(ours[:, None] - theirs).min(axis=1)
    assert np.median(nearest) < 0.03 * FS
    assert len(find_beats_gqrs(np.zeros(FS, np.float32), 360.0)) == 0
