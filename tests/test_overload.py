"""A machine that cannot keep up, a runtime that fails, an engine that is put to sleep: nothing is lost."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from engine_tools import Identity, IdentityRuntime, cut
from job_tools import job_of
from step_tools import STEPS, Recorded, config, ecg, whole

from engine.backends.adapters import adapt, check_step
from engine.backends.filters import FilterRuntime
from engine.backends.reliable import Reliable
from engine.marks import Mark, Reason
from engine.messages import Cleaned
from engine.pipeline import unguarded
from engine.run import ladder
from engine.run.fallback import fallback_for
from engine.run.ladder import Ladder, Rung
from engine.run.process import EngineProcess
from engine.run.session import Session
from models.classical import CLASSICAL
from models.registry import find_network


def job(**changes):
    return job_of(**{"noise": "none", "seconds": 5.0, "speed": 1.0} | changes)


def column(messages, name):
    return np.concatenate([getattr(m, name)[0] for m in messages if isinstance(m, Cleaned)])


class Slow(Identity):
    """Takes longer than a hop while `slow`, and longer than the larger hop too."""

    slow = True

    def infer(self, batch):
        if self.slow:
            time.sleep(0.2)
        return batch.copy()


def hurry(monkeypatch):
    """The ladder's times a tenth as long, so that a test sees all of it."""
    for name in ("WATCHED_S", "SETTLES_S", "CALM_S"):
        monkeypatch.setattr(f"engine.run.ladder.{name}", getattr(ladder, name) / 10)
    monkeypatch.setattr("engine.run.ladder.FEWEST", 1)


def test_an_overloaded_engine_goes_down_to_the_filter_and_back_and_loses_nothing(monkeypatch, tmp_path):
    hurry(monkeypatch)
    slow = Slow()
    monkeypatch.setattr("engine.run.prepare.open_reliable", lambda *how: slow)
    session = Session(job(seconds=9.0, save=tmp_path))
    messages, steps = [], []

    def show(message):
        messages.append(message)
        step = session.status().setup.step
        if not steps or steps[-1] != step:
            steps.append(step)
        if step == "classical filter":
            slow.slow = False

    summary = session.run(show=show).summary
    # A busy machine may miss more hops afterwards.
    assert steps[:5] == ["", "larger hop", "classical filter", "larger hop", ""]
    assert summary.samples_in == summary.samples_out == 9 * 360
    assert summary.samples_lost == summary.gaps == 0
    starts = [message.start for message in messages]
    assert starts == [0, *(message.stop for message in messages[:-1])]
    marks = column(messages, "marks")
    assert {Mark.FILTERED} <= set(np.unique(marks)) <= {Mark.CLEANED, Mark.WARMUP, Mark.FILTERED}
    assert (
        summary.streams[0].reasons["overload"]
        == summary.streams[0].marks["filtered"]
        == (marks == Mark.FILTERED).sum()
    )
    assert all(summary.overload.steps_taken[step] for step in ("network", "larger_hop"))
    (events,) = tmp_path.glob("*.events.jsonl")
    assert events.read_text().count('"step"') >= 4


class SlowSteps(Recorded):
    """The same for a network that keeps state: longer than its larger hop of 178 ms."""

    slow = True

    def __init__(self):
        super().__init__()
        self.hops = set()

    def step(self, samples, state, lookahead):
        self.hops.add(samples.shape[2])
        check_step(samples, state, lookahead, STEPS)
        if self.slow:
            time.sleep(0.2)
        return super().step(samples, state, lookahead)


def test_a_network_that_keeps_state_goes_down_the_ladder_and_back(monkeypatch):
    """To raw, for the filter is slow here as well, and up again when both are fast."""
    hurry(monkeypatch)
    slow, filtering = SlowSteps(), FilterRuntime.run

    def slowly(self, inputs):
        if slow.slow:
            time.sleep(0.2)
        return filtering(self, inputs)

    monkeypatch.setattr("engine.run.prepare.open_reliable", lambda *how: slow)
    monkeypatch.setattr(FilterRuntime, "run", slowly)
    session = Session(job(seconds=12.0, lookahead_ms=140.0))
    messages, steps = [], []

    def show(message):
        messages.append(message)
        step = session.status().setup.step
        if not steps or steps[-1] != step:
            steps.append(step)
        if step == "raw":
            slow.slow = False

    summary = session.run(show=show).summary
    # A busy machine may miss more hops afterwards.
    assert steps[:7] == ["", "larger hop", "classical filter", "raw", "classical filter", "larger hop", ""]
    assert slow.hops == {16, 64}
    assert summary.samples_in == summary.samples_out == 12 * 360
    assert summary.samples_lost == summary.gaps == 0
    starts = [message.start for message in messages]
    assert starts == [0, *(message.stop for message in messages[:-1])]
    marks = column(messages, "marks")
    assert {Mark.CLEANED, Mark.FILTERED, Mark.BYPASSED} <= set(np.unique(marks))
    assert summary.streams[0].reasons["overload"] == (marks >= Mark.BYPASSED).sum()


@pytest.mark.parametrize("lookahead", [0, 35, 36, 50, 107, 108])
@pytest.mark.parametrize("hop", [4, 16, 180, 600])
def test_the_larger_hop_is_one_that_the_network_can_take(hop, lookahead):
    asked, recorded = config(hop, lookahead), Recorded()
    for step in (Rung.LARGER_HOP, Rung.FILTER, Rung.RAW):
        way = fallback_for(step, asked, recorded)
        assert way.config.hop % STEPS.multiple == 0
        assert hop <= way.config.hop <= 4 * hop
        assert way.config.lookahead == lookahead
    larger = fallback_for(Rung.LARGER_HOP, asked, recorded)
    data = ecg(1, 1500)
    messages = list(unguarded(([c] for c in cut(data, [61])), larger.config, larger.backend))
    expected = whole(data, lookahead)[:, 0]
    np.testing.assert_allclose(column(messages, "cleaned")[None], expected, atol=1e-5)


def test_without_the_ladder_it_is_merely_late(monkeypatch):
    hurry(monkeypatch)
    monkeypatch.setattr("engine.run.prepare.open_reliable", lambda *how: Slow())
    summary = Session(job(seconds=1.5, ladder=False)).run().summary
    assert summary.overload is None
    assert summary.streams[0].marks["filtered"] == 0
    assert summary.deadline_misses > 5
    assert summary.samples_in == summary.samples_out == 540


@pytest.mark.parametrize("ladder", [True, False])
def test_the_filter_runs_once_while_a_run_begins(monkeypatch, ladder):
    """Its first call imports and designs, which a machine that is late has no time for."""
    filtered = []

    def run(self, inputs):
        filtered.append(inputs["noisy"].shape)
        return (inputs["noisy"].copy(),)

    monkeypatch.setattr(FilterRuntime, "run", run)
    monkeypatch.setattr("engine.run.prepare.open_reliable", lambda *how: Identity())
    session = Session(job(ladder=ladder))
    for thread in threading.enumerate():
        if thread.name == "warming up the stand-in":
            thread.join(60)
    assert set(filtered) == ({(1, 1, session.config.window)} if ladder else set())


def test_the_filter_leaves_an_ecg_alone_and_takes_drift_away():
    time_s = np.arange(720) / 360
    beat = np.exp(-(((time_s - 1) / 0.02) ** 2))
    drift = 0.8 * np.sin(2 * np.pi * 0.1 * time_s)
    batch = (beat + drift + 3)[None, None].astype(np.float32)
    filtered = CLASSICAL["butterworth-zero-phase"].filter(batch)[0, 0]
    assert filtered.dtype == np.float32
    assert filtered[360] == pytest.approx(1, abs=0.2)
    assert abs(filtered[100:300].mean()) < 0.2


UNET = find_network("unet")


def reliable(runtime, *substitutes):
    """A backend for windows that goes on with these where the runtime fails."""
    return adapt(Reliable(runtime, UNET, substitutes), UNET)


class Fails(IdentityRuntime):
    """Works for a while."""

    def __init__(self, name="first", after=20):
        self.name, self._left = name, after

    def run(self, inputs):
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("CUDA out of memory")
        return super().run(inputs)


def test_auto_goes_on_with_the_next_backend_and_says_so(monkeypatch):
    monkeypatch.setattr("engine.run.prepare.open_reliable", lambda *how: reliable(Fails(), IdentityRuntime))
    session = Session(job(seconds=10.0, speed=0.0))
    messages = []
    summary = session.run(show=messages.append).summary
    assert summary.samples_in == summary.samples_out == 3600
    assert summary.backend == "identity"
    assert "first failed: RuntimeError: CUDA out of memory" in session.status().setup.failure
    assert summary.streams[0].reasons["not_finite"] > 0
    assert (column(messages, "marks")[2000:] == Mark.CLEANED).all()


def test_a_named_backend_that_fails_leaves_raw_to_the_end(monkeypatch):
    monkeypatch.setattr("engine.run.prepare.open_reliable", lambda *how: reliable(Fails()))
    messages = []
    summary = Session(job(seconds=10.0, speed=0.0)).run(show=messages.append).summary
    assert summary.samples_in == summary.samples_out == 3600
    marks, reasons = column(messages, "marks"), messages[-1].reasons
    assert (marks[1200:] == Mark.BYPASSED).all()
    assert (reasons == Reason.BACKEND).all()
    np.testing.assert_array_equal(column(messages, "cleaned")[1200:], column(messages, "raw")[1200:])
    assert "out of memory" in summary.backend_failure


class Hangs(IdentityRuntime):
    may_hang = True

    def run(self, inputs):
        time.sleep(30)
        return super().run(inputs)


def test_a_call_that_hangs_is_left_behind(monkeypatch):
    monkeypatch.setattr("engine.backends.reliable.HANG_S", 0.2)
    backend = reliable(Hangs(), IdentityRuntime)
    batch = np.ones((1, 1, 720), np.float32)
    assert np.isnan(backend.infer(batch)).all()
    np.testing.assert_array_equal(backend.infer(batch), batch)
    assert "TimeoutError" in backend.runtime.failures[0]
    backend.close()


def test_a_substitute_that_cannot_be_had_is_no_end():
    def missing():
        raise OSError("no such library")

    backend = reliable(Fails(after=0), missing)
    assert np.isnan(backend.infer(np.ones((1, 1, 720), np.float32))).all()
    assert backend.runtime.broken
    assert len(backend.runtime.failures) == 2


def test_an_engine_that_slept_catches_up_and_loses_nothing():
    with EngineProcess(job(seconds=8.0)) as engine:
        engine.wait_started()
        time.sleep(1.5)
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGSTOP)
        time.sleep(2.0)
        os.kill(engine.pid, signal.SIGCONT)
        while not (outcome := engine.finished(0.5)):
            pass
    summary = outcome.summary
    assert summary.samples_in == summary.samples_out == 8 * 360
    assert summary.samples_lost == 0
    # It was seen: these samples were two seconds late.
    assert summary.streams[0].delay_ms.max > 2000


def test_wall_clock_jumps_mean_nothing(monkeypatch):
    """Only monotonic clocks are asked for time."""
    monkeypatch.setattr(time, "time", lambda: pytest.fail("the engine asked for the time of day"))
    summary = Session(job(seconds=2.0, speed=0.0)).run().summary
    assert summary.samples_out == 720


def test_the_ladder_is_told_by_the_session_of_every_hop(monkeypatch):
    told = []
    monkeypatch.setattr(Ladder, "note", lambda self, missed: told.append(missed))
    summary = Session(job(seconds=3.0, speed=0.0)).run().summary
    assert len(told) == summary.hops
    assert not any(told)
