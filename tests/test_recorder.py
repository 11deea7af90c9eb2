"""What was recorded can be read, whenever the recorder dies."""

import json
import os
import stat
from datetime import datetime

import numpy as np
import pytest
import wfdb
from engine_tools import FS, Identity, cut

from engine.config import EngineConfig
from engine.messages import Gap
from engine.pipeline import clean
from engine.sinks.recorder import Recorder
from streamer.chunk import Annotation, StreamInfo
from streamer.errors import InputError
from streamer.records.record import read_record

INFO = StreamInfo(FS, ("II", "V1"), "mitdb/100", "test", has_reference=True)


def messages(samples=1000, gap=0):
    data = np.random.default_rng(0).normal(size=(2, samples)).astype(np.float32)
    chunks = list(cut(data, [40]))
    if gap:
        chunks += cut(data, [40], start=samples + gap)
    return data, list(clean(([c] for c in chunks), EngineConfig(FS, 64, 8, 20), Identity()))


def test_raw_cleaned_and_reference_come_back(tmp_path):
    data, sent = messages()
    recorder = Recorder(tmp_path / "new" / "folder", INFO)
    for message in sent:
        recorder.push(message)
    recorder.close()
    record = wfdb.rdrecord(str(recorder.path))
    assert record.sig_name == [
        f"{lead} {kind}" for kind in ("raw", "cleaned", "reference") for lead in ("II", "V1")
    ]
    assert record.fmt == ["24"] * 6
    assert record.sig_len == 1000
    for signal_number, expected in enumerate([*data, *data, *data]):
        np.testing.assert_allclose(record.p_signal[:, signal_number], expected, atol=0.00051)
    # The checksums of the header are those of the samples.
    digital = wfdb.rdrecord(str(recorder.path), physical=False)
    assert digital.checksum == [
        int(((column.sum() + 0x8000) % 0x10000) - 0x8000) for column in digital.d_signal.T.astype(np.int64)
    ]
    assert digital.init_value == list(digital.d_signal[0])
    np.testing.assert_allclose(read_record(recorder.path, ("II raw",)).data[0], data[0], atol=0.00051)


def test_it_opens_at_any_moment(tmp_path):
    _, sent = messages()
    recorder = Recorder(tmp_path, INFO)
    written = 0
    for message in sent[:50]:
        recorder.push(message)
        written += message.raw.shape[1]
        if written % 3 == 0:
            assert wfdb.rdrecord(str(recorder.path)).p_signal.shape == (written, 6)
    recorder.close()


def test_a_gap_keeps_its_length_and_is_told(tmp_path):
    data, sent = messages(samples=400, gap=1234)
    recorder = Recorder(tmp_path, INFO)
    for message in sent:
        recorder.push(message)
    recorder.close()
    signals = wfdb.rdrecord(str(recorder.path)).p_signal
    assert len(signals) == 400 + 1234 + 400
    assert np.isnan(signals[400:1634]).all()
    np.testing.assert_allclose(signals[1634:, 0], data[0], atol=0.00051)
    events = [
        json.loads(line) for line in recorder.path.with_suffix(".events.jsonl").read_text().splitlines()
    ]
    assert {"sample": 400, "event": "gap", "until": 1634} in events
    assert [event["event"] for event in events] == ["begins", "warmup", "cleaned", "gap", "warmup", "cleaned"]


def test_a_long_gap_is_written_in_pieces(tmp_path):
    _, sent = messages(samples=100)
    recorder = Recorder(tmp_path, INFO)
    recorder.push(sent[0])
    before = recorder.frames
    recorder.push(Gap("a", sent[0].stop, sent[0].stop + 200_001))
    recorder.close()
    assert wfdb.rdheader(str(recorder.path)).sig_len == before + 200_001


def test_annotations_are_kept_at_their_place(tmp_path):
    data = np.zeros((2, 400), np.float32)
    chunks = list(cut(data, [40]))
    marked = [Annotation(15, "N"), Annotation(222, "V"), Annotation(399, "+", "(AFIB")]
    for index, chunk in enumerate(chunks):
        inside = tuple(mark for mark in marked if chunk.start <= mark.sample < chunk.stop)
        chunks[index] = type(chunk)(
            chunk.stream, chunk.start, chunk.data, chunk.source_time, 0, chunk.reference, inside
        )
    recorder = Recorder(tmp_path, INFO)
    for message in clean(([c] for c in chunks), EngineConfig(FS, 64, 8, 20), Identity()):
        recorder.push(message)
    recorder.close()
    assert list(read_record(recorder.path).annotations) == marked


def test_values_beyond_the_format_are_clipped_and_counted(tmp_path):
    info = StreamInfo(FS, ("II",), "x", "x", has_reference=False)
    recorder = Recorder(tmp_path, info)
    data = np.array([[0, 9000, -9000, 1]], np.float32)
    for message in clean(
        ([c] for c in cut(data, [4], reference=False)), EngineConfig(FS, 4, 1, 0), Identity()
    ):
        recorder.push(message)
    recorder.close()
    assert recorder.clipped == 4
    np.testing.assert_allclose(wfdb.rdrecord(str(recorder.path)).p_signal[:, 0], [0, 8388.607, -8388.607, 1])


def test_an_electrode_offset_is_recorded_to_the_microvolt(tmp_path):
    recorder = Recorder(tmp_path, StreamInfo(FS, ("II",), "x", "x", has_reference=False))
    data = np.array([[149.82, 151.097, -298.5, 200.0]], np.float32)
    chunks = cut(data, [4], reference=False)
    for message in clean(([c] for c in chunks), EngineConfig(FS, 4, 1, 0), Identity()):
        recorder.push(message)
    recorder.close()
    assert recorder.clipped == 0
    np.testing.assert_allclose(wfdb.rdrecord(str(recorder.path)).p_signal[:, 0], data[0], atol=6e-4)


def test_a_recording_is_its_owners_alone_and_follows_no_link(tmp_path):
    folder, elsewhere = tmp_path / "new", tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    umask = os.umask(0)
    try:
        recorder = Recorder(folder, INFO, "r")
        # Whoever guesses a temporary name must not have it written through.
        (folder / "r.hea.tmp").symlink_to(elsewhere)
        recorder.close()
    finally:
        os.umask(umask)
    assert elsewhere.read_text() == "mine"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = [path for path in folder.iterdir() if not path.is_symlink()]
    assert {path.suffix for path in files} == {".dat", ".hea", ".stamps", ".jsonl"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_header_says_when_what_and_how(tmp_path):
    recorder = Recorder(tmp_path, INFO, "r", ("ecg-stream 1.2", "lowdelay on onnx"))
    for message in messages()[1]:
        recorder.push(message)
    before = datetime.now()
    recorder.close()
    header = wfdb.rdheader(str(recorder.path))
    assert header.base_datetime is not None
    assert abs((before - header.base_datetime).total_seconds()) < 600
    assert any(f"source id {INFO.source_id}" in line for line in header.comments)
    assert {"ecg-stream 1.2", "lowdelay on onnx"} <= set(header.comments)


def test_nothing_is_overwritten(tmp_path):
    recorders = [Recorder(tmp_path, INFO) for _ in range(3)]
    assert len({recorder.path for recorder in recorders}) == 3
    for recorder in recorders:
        recorder.close()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot record into"):
        Recorder(tmp_path / "file", INFO)


def test_a_full_disk_leaves_whole_frames(tmp_path, monkeypatch):
    _, sent = messages()
    recorder = Recorder(tmp_path, INFO)
    recorder.push(sent[0])
    whole = recorder.frames
    real_write = os.write

    def full(file, data):
        real_write(file, data[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        recorder.push(sent[1])
    monkeypatch.undo()
    assert wfdb.rdrecord(str(recorder.path)).p_signal.shape == (whole, 6)
    recorder.close()
