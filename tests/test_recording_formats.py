"""What becomes of a recording when its run is over: beats and states, and copies that others read."""

import stat
from dataclasses import replace
from datetime import datetime

import edfio
import numpy as np
import pytest
import wfdb
from engine_tools import Identity, cut
from file_tools import ecg

from engine.config import EngineConfig
from engine.pipeline import clean
from engine.sinks.finished import check_format, finish
from engine.sinks.recorder import SUBJECT
from engine.sinks.recording import Recording
from streamer.chunk import Annotation, StreamInfo
from streamer.errors import InputError
from streamer.watchdog import StreamState

FS = 250.0
SECONDS = 20
GAP = (12 * 250, 15 * 250)
ABOUT = ("ecg-stream 1.2", f"{SUBJECT}Mrs Doe, bed 7")


def recorded(folder, *, fs=FS, offset=0.0, closed=True, rotate_s=None):
    """Two leads with a gap, a mark and a state; what was given, (leads, samples) mV."""
    rows = (ecg(SECONDS, 2, 360.0)[:, : round(SECONDS * fs)] + offset).astype(np.float32)
    marks = (Annotation(500, "N"), Annotation(750, '"', "asked é"), Annotation(900, "+", "(AFIB"))
    info = StreamInfo(fs, ("II", "a long name"), "ward/bed 7", "bed-7", has_reference=True)
    recording = Recording(folder, info, rotate_s, ABOUT)
    recording.note_state(StreamState.LIVE)
    chunks = [*cut(rows[:, : GAP[0]], [40]), *cut(rows[:, GAP[1] :], [40], start=GAP[1])]
    chunks = [
        replace(chunk, annotations=tuple(mark for mark in marks if chunk.start <= mark.sample < chunk.stop))
        for chunk in chunks
    ]
    for message in clean(([chunk] for chunk in chunks), EngineConfig(fs, 64, 8, 20), Identity()):
        recording.push(message)
    if closed:
        recording.close()
    rows[:, slice(*GAP)] = np.nan
    return recording.path, rows


def finished(path, form="wfdb"):
    problems = []
    made = finish(path, form, problems.append)
    assert problems == []
    return made


def test_states_and_beats_are_annotations_that_wfdb_reads(tmp_path):
    path, rows = recorded(tmp_path)
    assert finished(path) == []
    said = wfdb.rdann(str(path), "states")
    found = dict(zip(said.aux_note, said.sample, strict=True))
    assert found["source LIVE"] == 0
    assert found["missing: a gap of the source"] == GAP[0]
    assert set(said.symbol) == {"~"}
    beats = wfdb.rdann(str(path), "qrs")
    assert set(beats.symbol) == {"N"}
    # The patient was made for 360 Hz.
    for beat in beats.sample[1:-1]:
        near = rows[0, beat - 20 : beat + 20]
        assert np.isnan(near).any() or near.max() > np.median(near) + 0.3
    assert len(beats.sample) >= 8
    assert wfdb.rdann(str(path), "atr").symbol == ["N", '"', "+"]
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


@pytest.mark.parametrize(
    ("form", "read", "step"), [("edf", edfio.read_edf, 1e-3), ("bdf", edfio.read_bdf, 1e-3)]
)
def test_a_copy_holds_what_was_recorded(form, read, step, tmp_path):
    path, rows = recorded(tmp_path)
    (made,) = finished(path, form)
    assert made == path.with_name(f"{path.name}.{form}")
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    file = read(made)
    assert file.labels == (
        *("II raw", "a long name raw", "II cleaned", "a long n cleaned", "II reference", "a long reference"),
    )
    assert {signal.sampling_frequency for signal in file.signals} == {FS}
    missing = np.isnan(rows[0])
    for row, signal in zip([*rows, *rows, *rows], file.signals, strict=True):
        assert signal.physical_dimension == "uV"
        assert (signal.digital[missing] == signal.digital_min).all()
        np.testing.assert_allclose(signal.data[~missing] / 1000, row[~missing], atol=0.51 * step)
    begun = next(line for line in wfdb.rdheader(str(path)).comments if line.startswith("first sample at "))
    moment = datetime.fromisoformat(begun.removeprefix("first sample at ")).replace(tzinfo=None)
    assert datetime.combine(file.startdate, file.starttime) == moment
    assert file.patient.name.replace("_", " ") == "Mrs Doe, bed 7"
    told = {mark.text: mark for mark in file.annotations}
    assert told["N"].onset == pytest.approx(500 / FS, abs=1e-6)
    assert told["asked é"].onset == pytest.approx(750 / FS, abs=1e-6)
    assert "+ (AFIB" in told
    gap = told["missing: a gap of the source"]
    assert (gap.onset, gap.duration) == (pytest.approx(GAP[0] / FS), pytest.approx((GAP[1] - GAP[0]) / FS))


def test_sixteen_bits_have_as_coarse_steps_as_they_must(tmp_path):
    path, rows = recorded(tmp_path, offset=np.array([[100.0], [0.0]]) * np.linspace(0, 1, SECONDS * 250))
    (made,) = finished(path, "edf")
    # 100 mV and an ECG are steps of 2 µV; the record's own are of 1 µV.
    raw = edfio.read_edf(made).signals[0]
    there = np.isfinite(rows[0])
    np.testing.assert_allclose(raw.data[there] / 1000, rows[0, there], atol=1.51e-3)


def test_a_second_that_is_not_full_is_filled_up_and_said(tmp_path):
    path, rows = recorded(tmp_path, fs=240.0)
    (made,) = finished(path, "edf")
    assert edfio.read_edf(made).duration == SECONDS
    path, rows = recorded(tmp_path / "odd", fs=249.5)
    (made,) = finished(path, "edf")
    file = edfio.read_edf(made)
    frames = rows.shape[1]
    assert file.signals[0].digital[frames:].tolist() == [-32768] * (len(file.signals[0].digital) - frames)
    assert any(mark.text == "missing: the recording has ended" for mark in file.annotations) == (
        len(file.signals[0].digital) > frames
    )


def test_what_a_killed_run_left_is_closed_and_copied_whole(tmp_path):
    """The recorder is given up as it stands, as a kill leaves it; of files in turn each has a copy."""
    path, rows = recorded(tmp_path, closed=False, rotate_s=8)
    made = finished(path, "edf")
    assert [each.name[-8:] for each in made] == ["0001.edf", "0002.edf", "0003.edf"]
    whole = np.concatenate([edfio.read_edf(each).signals[0].digital for each in made])
    assert len(whole) == rows.shape[1]
    assert ((whole == -32768) == np.isnan(rows[0])).all()


def test_a_rate_that_edf_cannot_state_leaves_the_record_alone_and_says_so(tmp_path):
    path, _ = recorded(tmp_path, fs=250.0123)
    said = []
    assert finish(path, "edf", said.append) == []
    assert "no rate of 250.012 Hz" in said[0]
    assert wfdb.rdrecord(str(path)).sig_len == round(SECONDS * 250.0123)


@pytest.mark.parametrize(
    ("form", "said"), [("xdf", "LabRecorder records that as XDF"), ("gdf", "allowed: wfdb, edf, bdf")]
)
def test_other_formats_are_refused_before_a_run(form, said):
    with pytest.raises(InputError, match=said):
        check_format(form)
