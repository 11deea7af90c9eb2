"""A recording outlives its process, its disk and its file size."""

import contextlib
import json
import os
import resource
import signal
import struct
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import wfdb
from fault_tools import FUZZ
from soak_tools import note_result

from engine.marks import Mark
from engine.messages import Cleaned, Gap
from engine.sinks.recorder import Recorder, record_name
from engine.sinks.recording import Recording
from streamer.chunk import Annotation, StreamInfo
from streamer.errors import InputError
from streamer.records.record import read_record
from streamer.watchdog import StreamState

FS = 360.0
HOP = 14
INFO = StreamInfo(FS, ("II",), "LSL bed 7", "test")


def values(start, count):
    """What every sample of the recorded stream is, mV: it says which one it is."""
    n = np.arange(start, start + count)
    return (((n * 7919) % 30_011 - 15_000) / 1000).astype(np.float32)[None]


FRAME = 6
"""Bytes of a frame: raw and cleaned of one lead in format 24."""


def message(start, count=HOP, annotations=()):
    data = values(start, count)
    marks = np.full(data.shape, Mark.CLEANED, np.uint8)
    stamps = (start + np.arange(count)) / FS
    return Cleaned("test", start, data, -data, data * data, None, marks, stamps, tuple(annotations))


def parts(folder):
    """Path of each record in a folder, in the order in which they were begun."""
    return [header.with_suffix("") for header in sorted(folder.glob("*.hea"))]


def recorded(folder):
    """Raw signal and stamps of all files together."""
    signals, stamps = [np.empty(0)], [np.empty(0)]
    for path in parts(folder):
        if path.with_suffix(".dat").stat().st_size >= FRAME:
            signals.append(wfdb.rdrecord(str(path)).p_signal[:, 0])
        stamps.append(np.frombuffer(path.with_suffix(".stamps").read_bytes()[: 8 * len(signals[-1])]))
    return np.concatenate(signals), np.concatenate(stamps)


def events(path):
    return [json.loads(line) for line in path.with_suffix(".events.jsonl").read_text().splitlines()]


# Killed at any moment


def record_until_killed(folder, pipe, rotate_s, seed):
    """Record messages of all sizes, and say after each how many samples have been taken."""
    random = np.random.default_rng(seed)
    recording, at = Recording(folder, INFO, rotate_s), 0
    os.write(pipe, struct.pack("q", 0))
    while True:
        count = int(random.integers(1, 60))
        recording.push(message(at, count))
        at += count
        os.write(pipe, struct.pack("q", at))


def kill_once(folder, random):
    """Kill a recording process at any moment; returns how many samples it had been able to take."""
    rotate_s = float(random.choice([0, 1, 3])) or None
    # By what it has done, not by the clock: on a busy machine it would be killed before it has begun.
    wanted, after_s = int(random.integers(0, 4000)), float(random.uniform(0, 0.02))
    seed = int(random.integers(1 << 30))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            record_until_killed(folder, writing, rotate_s, seed)
        os._exit(1)
    os.close(writing)
    said = b""
    while (not said or last_number(said) < wanted) and (more := os.read(reading, 1 << 16)):
        said += more
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while more := os.read(reading, 1 << 16):
        said += more
    os.close(reading)
    assert os.WTERMSIG(status) == signal.SIGKILL
    return last_number(said)


def last_number(said):
    return struct.unpack("q", said[-8:])[0]


def check_what_is_left(folder, taken):
    signals, stamps = recorded(folder)
    # One message may have been on its way to the disk.
    assert taken <= len(signals) <= taken + 60
    np.testing.assert_allclose(signals, values(0, len(signals))[0], atol=0.00051)
    assert len(stamps) >= taken
    np.testing.assert_array_equal(stamps, np.arange(len(stamps)) / FS)
    for path in parts(folder):
        assert all("sample" in event for event in events(path))


def kill_many(folder, times, seed):
    random = np.random.default_rng(seed)
    total = 0
    for number in range(times):
        inside = folder / str(number)
        inside.mkdir()
        taken = kill_once(inside, random)
        check_what_is_left(inside, taken)
        total += taken
    return total


def test_nothing_that_was_taken_is_lost_to_a_kill(tmp_path):
    assert kill_many(tmp_path, 5, seed=0) > 1000


@pytest.mark.slow
@pytest.mark.skipif(not FUZZ, reason="part of `make soak`")
def test_two_hundred_kills(tmp_path):
    samples = kill_many(tmp_path, 200, seed=time.time_ns())
    note_result("kills", kills=200, samples_taken=samples, samples_lost=0, records_that_did_not_open=0)


def test_a_signal_file_opens_wherever_it_was_cut(tmp_path):
    recorder = Recorder(tmp_path, INFO)
    recorder.push(message(0, 20))
    whole = recorder.path.with_suffix(".dat").read_bytes()
    for size in range(FRAME, len(whole) + 1):
        recorder.path.with_suffix(".dat").write_bytes(whole[:size])
        signals = read_record(recorder.path, ("II raw",)).data[0]
        np.testing.assert_allclose(signals, values(0, size // FRAME)[0], atol=0.00051)


# A disk that takes no more


@contextlib.contextmanager
def no_file_larger_than(size):
    """What a full disk looks like from here: part of a write succeeds, then none does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [4_001, 20_003, 48_000])
def test_a_full_disk_ends_the_recording_and_not_the_run(tmp_path, size):
    recording = Recording(tmp_path, INFO)
    with no_file_larger_than(size):
        for at in range(0, 20_000, HOP):
            recording.push(message(at))
        recording.note_state(StreamState.LOST)
        recording.close()
    assert "File too large" in recording.problem
    assert str(recording.path) in recording.problem
    assert "\n" not in recording.problem
    signals, stamps = recorded(tmp_path)
    assert 0 < len(signals) < 20_000
    np.testing.assert_allclose(signals, values(0, len(signals))[0], atol=0.00051)
    assert size / 8 - 2 * HOP < len(signals) <= size / 4
    assert len(stamps) >= len(signals) - HOP
    assert len(read_record(recording.path, ("II cleaned",)).data[0]) == len(signals)
    assert [each.suffix for each in tmp_path.iterdir() if each.suffix == ".tmp"] == []


def test_what_came_with_a_full_disk_is_taken_back_whole(tmp_path):
    recorder = Recorder(tmp_path, INFO)
    recorder.push(message(0))
    sizes = {each: each.stat().st_size for each in tmp_path.iterdir()}
    with no_file_larger_than(4 * HOP + 2), pytest.raises(OSError, match="too large"):
        recorder.push(message(HOP))
    assert {each: each.stat().st_size for each in tmp_path.iterdir()} == sizes
    recorder.push(message(HOP))
    recorder.close()
    np.testing.assert_allclose(recorded(tmp_path)[0], values(0, 2 * HOP)[0], atol=0.00051)


def test_a_disk_that_refuses_the_next_file_ends_the_recording(tmp_path):
    folder = tmp_path / "in"
    recording = Recording(folder, INFO, 1.0)
    recording.push(message(0, 360))
    folder.rename(tmp_path / "gone")
    (tmp_path / "in").write_text("a file where the folder was")
    recording.push(message(360, 360))
    assert "cannot record into" in recording.problem or "Not a directory" in recording.problem
    recording.close()
    np.testing.assert_allclose(recorded(tmp_path / "gone")[0], values(0, 360)[0], atol=0.00051)


@pytest.mark.parametrize("where", ["/proc/nowhere", "/sys/nowhere"])
def test_a_folder_that_is_not_writable_is_refused_at_once(where):
    with pytest.raises(InputError, match="cannot record into"):
        Recording(Path(where), INFO)


# Names


def test_a_name_that_is_taken_by_anything_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.sinks.recorder.record_name", lambda info: "same")
    theirs = {}
    for name in ("same.dat", "same-2.hea", "same-3.stamps", "same-4.events.jsonl", "same-5.atr"):
        theirs[tmp_path / name] = name
        (tmp_path / name).write_text(name)
    recorder = Recorder(tmp_path, INFO)
    assert recorder.path.name == "same-6"
    recorder.push(message(0, annotations=[Annotation(3, "N")]))
    recorder.close()
    assert {path: path.read_text() for path in theirs} == theirs


def test_a_long_note_is_cut_and_makes_no_beats(tmp_path):
    recorder = Recorder(tmp_path, INFO)
    recorder.push(message(0, annotations=[Annotation(3, '"', "ü" * 300), Annotation(9, "N")]))
    recorder.close()
    found = wfdb.rdann(str(recorder.path), "atr")
    assert found.sample.tolist() == [3, 9]
    assert found.aux_note == ["ü" * 255, ""]
    assert "ü" * 300 in [event.get("text") for event in events(recorder.path)]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/b\\c", "..", "", "\x1b[31mred", "x" * 5000, "[red]ü\n"]
)
def test_what_a_stream_calls_itself_cannot_leave_the_folder(tmp_path, name):
    inside = tmp_path / "deep" / "in"
    recorder = Recorder(inside, StreamInfo(FS, ("II",), name, "id"))
    recorder.push(message(0))
    recorder.close()
    assert recorder.path.parent == inside
    assert recorder.path.name.isascii()
    assert sorted(each.name for each in tmp_path.rglob("*") if each.is_file()) == sorted(
        each.name for each in inside.iterdir()
    )
    assert len(read_record(recorder.path, ("II raw",)).data[0]) == HOP


# One file after the other


@pytest.mark.parametrize("hop", [1, 14, 100, 1000])
def test_files_rotate_and_lose_nothing(tmp_path, hop):
    recording = Recording(tmp_path, INFO, 1.0)
    recording.note_state(StreamState.LIVE)
    marks = [Annotation(k, "N") for k in range(0, 2000, 90)]
    for at in range(0, 2000, hop):
        inside = [mark for mark in marks if at <= mark.sample < at + hop]
        recording.push(message(at, min(hop, 2000 - at), inside))
    recording.close()
    assert recording.problem == ""
    lengths = [wfdb.rdheader(str(path)).sig_len for path in parts(tmp_path)]
    assert lengths == [360] * 5 + [200]
    assert recording.files == 6
    signals, stamps = recorded(tmp_path)
    np.testing.assert_allclose(signals, values(0, 2000)[0], atol=0.00051)
    np.testing.assert_array_equal(stamps, np.arange(2000) / FS)
    found = [
        mark.sample + 360 * number
        for number, path in enumerate(parts(tmp_path))
        for mark in read_record(path).annotations
    ]
    assert found == [mark.sample for mark in marks]
    for before, after in pairwise(parts(tmp_path)):
        said = events(after)
        assert said[0] == {"sample": 0, "event": "continues", "record": before.name}
        assert (said[1]["event"], said[1]["state"]) == ("state", "LIVE")
        assert {"sample": 0, "event": "cleaned", "reasons": {}} in said


def test_a_gap_keeps_its_length_across_files(tmp_path):
    recording = Recording(tmp_path, INFO, 1.0)
    recording.push(message(0, 300))
    recording.push(Gap("test", 300, 1500))
    recording.push(message(1500, 100))
    recording.close()
    signals, stamps = recorded(tmp_path)
    assert len(signals) == len(stamps) == 1600
    assert np.isnan(signals[300:1500]).all()
    assert np.isnan(stamps[300:1500]).all()
    np.testing.assert_allclose(signals[1500:], values(1500, 100)[0], atol=0.00051)
    gaps = [
        (360 * number + event["sample"], 360 * number + event["until"])
        for number, path in enumerate(parts(tmp_path))
        for event in events(path)
        if event["event"] == "gap"
    ]
    assert gaps == [(300, 360), (360, 720), (720, 1080), (1080, 1440), (1440, 1500)]


def test_without_rotation_there_is_one_file(tmp_path):
    recording = Recording(tmp_path, INFO)
    for at in range(0, 5000, 500):
        recording.push(message(at, 500))
    recording.close()
    assert [path.name for path in parts(tmp_path)] == [recording.path.name]
    assert datetime.strptime(recording.path.name[-15:], "%Y%m%dT%H%M%S")
    assert record_name(INFO)[:10] == "LSL-bed-7-"


@pytest.mark.parametrize("rotate_s", [0.0, -1.0, 0.5, float("nan"), float("inf")])
def test_a_senseless_rotation_is_refused(tmp_path, rotate_s):
    with pytest.raises(InputError, match="a new file every"):
        Recording(tmp_path / "x", INFO, rotate_s)
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_day_in_one_file_is_exact(tmp_path):
    recording, size = Recording(tmp_path, INFO), round(FS)
    total = 86_400 * size
    for at in range(0, total, size):
        recording.push(message(at, size))
    recording.close()
    header = wfdb.rdheader(str(recording.path))
    assert header.sig_len == total
    assert recording.path.with_suffix(".dat").stat().st_size == FRAME * total
    for at in (0, total // 3, total - 3600 * size):
        read = wfdb.rdrecord(str(recording.path), sampfrom=at, sampto=at + 3600 * size, channels=[0])
        np.testing.assert_allclose(read.p_signal[:, 0], values(at, 3600 * size)[0], atol=0.00051)
    counts = np.memmap(recording.path.with_suffix(".dat"), np.uint8).reshape(-1, 2, 3)
    # A checksum has 16 bits: the lower two bytes of each value are all that counts.
    sums = counts.sum(axis=0, dtype=np.int64) @ np.array([1, 256, 0])
    assert header.checksum == [int((each + 0x8000) % 0x10000 - 0x8000) for each in sums]
    if FUZZ:
        note_result("recorder_day", samples=total, bytes=FRAME * total, opens_and_is_exact=True)
