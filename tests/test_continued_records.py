"""The records of a run whose engine dies continue each other, whatever a screen has heard of them."""

from pathlib import Path

import numpy as np
import pytest
import wfdb
from job_tools import job_of

from engine.marks import Mark
from engine.messages import Cleaned, Gap, Passed
from engine.run.known import Standing
from engine.run.protocol import Resume, Setup, StartedStream, Status
from engine.run.session import Session
from engine.sinks.events import read_events
from engine.sinks.recording import Recording
from streamer.chunk import StreamInfo
from streamer.settings import SourceSettings


def test_one_that_died_before_it_recorded_a_frame_breaks_no_recording():
    started = StartedStream(StreamInfo(360.0, ("II",), "bed", "bed"), Setup(), SourceSettings())
    before = Resume(next=500, stamp=10.0, samples=500, recorded="first", recorded_next=480)
    standing = Standing(started, before)
    said = standing.resume(stood=False)
    assert (said.recorded, said.recorded_next) == ("first", 480)
    # Whoever has ended the recording meanwhile wants no other one to continue it.
    status = Status(0.0, 0, 0, 0, np.nan, np.nan, np.nan, np.nan, 0, next=500, samples_out=500)
    standing.take(status)
    assert standing.resume(stood=False).recorded_next is None


@pytest.mark.parametrize("frames", [0, 40])
def test_a_record_continues_one_and_is_continued_though_no_status_told_of_its_frames(tmp_path, frames):
    info = StreamInfo(360.0, ("II",), "bed", "bed")
    recording = Recording(tmp_path, info)
    recording.go_on("first", 480)
    if frames:
        recording.push(Gap(info.source_id, 480, 480 + frames))
    before = Resume(next=500, samples=500, recorded="first", recorded_next=480)
    standing = Standing(StartedStream(info, Setup(), SourceSettings()), before)
    unknown = (np.nan,) * 4
    standing.take(Status(0.0, 0, 0, 0, *unknown, 0, recording=str(recording.path), next=500, samples_out=500))
    standing.close_recording()
    said = standing.resume(stood=False)
    assert (said.recorded, said.recorded_next) == (recording.path.name, 480 + frames)
    # Of the gap that was written nobody had been told its end.
    untold = max(0, 480 + frames - 500)
    assert (said.next, said.samples, said.gap_samples) == (500 + untold, 500, untold)


@pytest.mark.parametrize("goes_on", [False, True], ids=["first", "goes on"])
@pytest.mark.parametrize("later", [False, True], ids=["from the start", "asked for later"])
def test_a_record_is_continued_though_its_engine_died_before_any_status(tmp_path, later, goes_on):
    """Of the 40 samples on disk, 15 of them a gap, the screen has heard the first 10."""
    info = StreamInfo(360.0, ("II",), "bed", "bed")
    recording = Recording(tmp_path, info)
    path = str(recording.path)
    before = (
        Resume(next=480, samples=480, recorded="first", recorded_next=480) if goes_on else Resume(next=480)
    )
    standing = Standing(
        StartedStream(info, Setup(), SourceSettings(), recording=None if later else path), before
    )
    if later:
        # A status that was on its way already knows nothing of it.
        unknown = (np.nan,) * 4
        standing.records(path)
        standing.take(Status(0.0, 0, 0, 0, *unknown, 0, next=480, samples_out=before.samples))
    elif goes_on:
        recording.go_on("first", 480)
    values = np.zeros((1, 25), np.float32)
    marks = np.full((1, 25), Mark.CLEANED, np.uint8)
    recording.push(Cleaned("bed", 480, values, values, values, None, marks, np.arange(25) / 360, ()))
    recording.push(Gap("bed", 505, 520))
    standing.take(Passed("bed", 480, 490, 10 / 360))
    standing.close_recording()
    said = standing.resume(stood=False)
    assert (said.recorded, said.recorded_next) == (recording.path.name, 520)
    assert (said.next, said.samples, said.gaps, said.gap_samples) == (520, before.samples + 25, 1, 15)
    assert wfdb.rdheader(path).sig_len == 40
    assert standing.summary().recording == path


def test_a_recording_that_is_asked_for_later_is_told_of_before_it_has_a_frame(tmp_path):
    session = Session(job_of(noise="none", speed=0.0, seconds=3, model="identity"))
    heard = []

    def begun(word):
        heard.append((word, Path(f"{word.record}.dat").stat().st_size, session.streams[0].recording))

    def show(message):
        if message.start > 360 and not heard:
            session.record(tmp_path, begun)

    session.run(show=show)
    ((word, size, recorded_by),) = heard
    assert (word.stream, size, recorded_by) == (session.streams[0].info.source_id, 0, None)
    begins = next(each for each in read_events(Path(word.record)) if each["event"] == "begins")
    assert begins["index"] > 360


def test_a_stream_that_plays_says_what_it_is_recorded_into(tmp_path):
    session = Session(job_of(noise="none", speed=0.0, seconds=1, model="identity", save=tmp_path))
    (stream,) = session.streams
    assert session.started(stream).recording == str(stream.recording.path)
    session.run()
