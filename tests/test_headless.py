"""A run at which nobody looks tells its parent that samples have left, and not the samples."""

import time

import numpy as np
import pytest
from engine_tools import FS

from engine.ledger.delays import DelayWatch
from engine.ledger.stages import Ledger
from engine.messages import Cleaned, Gap, Passed
from engine.run.known import Standing
from engine.run.process import EngineProcess
from engine.run.protocol import CleanSettings, Frame, Job, Outcome, Preview, Resume, StartedStream, Status
from engine.run.session import Session
from streamer.settings import SourceSettings


def _played(*, traces: bool) -> tuple[StartedStream, list[Frame], Outcome]:
    # A filter starts faster than a network, and the way to the parent is the same.
    source = SourceSettings(seconds=4.0, speed=20.0)
    job = Job((source,), CleanSettings(model="identity"), ladder=False, traces=traces)
    with EngineProcess(job) as engine:
        (started,) = engine.wait_started().streams
        frames: list[Frame] = []
        while (outcome := engine.finished(0.1)) is None:
            frames += engine.frames()
        return started, [*frames, *engine.frames()], outcome


def test_a_parent_without_traces_hears_of_every_sample_and_gets_none() -> None:
    started, frames, outcome = _played(traces=False)
    assert not any(isinstance(frame, Cleaned | Preview) for frame in frames)
    passed = [frame for frame in frames if isinstance(frame, Passed)]
    assert [each.start for each in passed[1:]] == [each.stop for each in passed[:-1]]
    (stream,) = outcome.summary.streams
    # What left last may be in no bundle any more: the outcome says it.
    assert 0 == passed[0].start < passed[-1].stop <= stream.samples_out == 4 * FS
    standing = Standing(started, Resume())
    for each in passed:
        standing.take(each)
    assert standing.count.next == standing.count.samples == passed[-1].stop


def test_what_is_known_of_a_dead_engine_is_the_same_without_traces() -> None:
    started, frames, _ = _played(traces=True)
    seen, told = Standing(started, Resume()), Standing(started, Resume())
    for frame in frames:
        if isinstance(frame, Cleaned):
            seen.take(frame)
            told.take(Passed(frame.stream, frame.start, frame.stop, float(frame.source_time[-1])))
        elif isinstance(frame, Gap | Status):
            seen.take(frame)
            told.take(frame)
    assert seen.count == told.count
    assert seen.resume(stood=False) == told.resume(stood=False)


@pytest.mark.parametrize("watched", [False, True])
def test_nothing_is_made_for_a_screen_or_a_picture_that_nobody_asked_for(watched: bool) -> None:
    source = SourceSettings(seconds=2.0, speed=0.0)
    clean = CleanSettings(model="identity")
    session = Session(Job((source,), clean, ladder=False, traces=watched, picture=watched))
    (end,) = session.run().streams
    assert (len(end.traces) > 1) == watched
    assert end.traces[-1].stop == 2 * FS
    status = session.status()
    assert bool(status.delays.counts) == watched
    assert sum(status.delay_counts) == 2 * FS


def test_delays_are_summed_up_no_more_often_than_asked_for(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    ledger = Ledger(0, 0)
    watch = DelayWatch(ledger, FS)
    first = watch.snapshot(2.0)
    ledger.total.add(np.array([5e6]))
    now_s[0] += 1.9
    assert watch.snapshot(2.0) is first
    now_s[0] += 0.2
    assert watch.snapshot(2.0).max_ms == 5.0
    watch.restart()
    assert np.isnan(watch.snapshot(2.0).max_ms)
