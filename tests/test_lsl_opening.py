"""Outlets that take their time to say what they send, and values that stand for a missing sample."""

import os
import signal
import threading
import time

import numpy as np
import pylsl
import pytest
from lsl_outlets import Device, running

import streamer.lsl.source
from streamer.errors import InputError
from streamer.lsl.inlet import Connection
from streamer.lsl.settings import LslSettings
from streamer.lsl.source import LslSource
from streamer.watchdog import StreamState

MUTE_S = 3.0


@pytest.fixture
def mute(monkeypatch):
    """Has a process be stopped for `MUTE_S` once a connection to its outlet has been made."""
    timers = []

    def mute(process):
        class MuteAtFirst(Connection):
            def __init__(self, stream):
                if not timers:
                    os.kill(process.pid, signal.SIGSTOP)
                super().__init__(stream)
                if not timers:
                    timers.append(threading.Timer(MUTE_S, os.kill, (process.pid, signal.SIGCONT)))
                    timers[0].start()

        monkeypatch.setattr(streamer.lsl.source, "Connection", MuteAtFirst)

    yield mute
    for timer in timers:
        timer.join()


@pytest.mark.parametrize("wait", [False, True])
def test_an_outlet_that_takes_seconds_to_say_what_it_sends_is_waited_for(mute, wait):
    with running(Device("slow")) as (process,):
        mute(process)
        began = time.monotonic()
        source = LslSource(LslSettings("slow", wait=wait))
        assert time.monotonic() - began > MUTE_S
        assert next(chunk for chunk in source.chunks() if chunk.data.size).data[0, 0] == 0.5


def test_one_that_never_says_it_is_tried_again_with_wait_and_refused_without(monkeypatch):
    monkeypatch.setattr("streamer.lsl.inlet.ANSWER_S", 0.0)
    answers = []

    class Silent:
        def info(self, wait_s):
            raise pylsl.util.TimeoutError

    class Deaf(Connection):
        def description(self, wait_s):
            answers.append(wait_s)
            # Two connections that are not answered in time, then one that is.
            if len(answers) == 3:
                return self.inlet.info(30.0)
            self.inlet = Silent()
            return super().description(wait_s)

    monkeypatch.setattr(streamer.lsl.source, "Connection", Deaf)
    with running(Device("deaf")):
        with pytest.raises(InputError, match="does not answer; is its program still running"):
            LslSource(LslSettings("deaf"))
        assert LslSource(LslSettings("deaf", wait=True)).info.name == "LSL deaf"
    assert len(answers) == 3


def test_while_a_stream_that_is_there_again_says_nothing_the_engine_is_not_held_up(mute):
    with running(Device("again")) as (process,):
        source = LslSource(LslSettings("again", wait=True))
        stream = source.chunks()
        assert next(chunk for chunk in stream if chunk.data.size).data.size
        process.kill()
        while source.health.state is not StreamState.LOST:
            next(stream)
        with running(Device("again")) as (process,):
            mute(process)
            pauses, came = [time.monotonic()], next(stream)
            while not came.data.size:
                came = next(stream)
                pauses.append(time.monotonic())
            assert source.health.state is StreamState.RECOVERED
        stream.close()
    # Two clock readings in a row may each wait, where the machine is busy; the old 2 s would show.
    assert pauses[-1] - pauses[0] > MUTE_S
    assert np.sort(np.diff(pauses))[-2] < 1.5


@pytest.mark.parametrize("format", ["int16", "int32", "int64"])
def test_the_smallest_integer_is_a_missing_sample(format):
    channels = [("I", "mV", "ECG"), ("II", "mV", "ECG")]
    frame = (float(np.iinfo(format).min), 3.0)
    with running(Device("counts", channels=channels, frame=frame, format=format)):
        source = LslSource(LslSettings("counts", unit="counts", scale=0.5))
        first, second = next(chunk for chunk in source.chunks() if chunk.data.size).data
    assert np.isnan(first).all()
    np.testing.assert_array_equal(second, 1.5)
