"""Windows of several streams joined in one call: none too late, none lost, nothing added."""

from itertools import pairwise

import numpy as np
import pytest
from engine_tools import FS, Counted, Identity, assert_counted, cut, indices, joined
from hypothesis import given, settings
from hypothesis import strategies as st
from job_tools import job_of

import engine.run.newcomers
from engine.backends import open_backend
from engine.backends.gpu.shapes import FIXED_ROWS
from engine.batch import Batcher
from engine.config import EngineConfig
from engine.ledger.stages import parts_ns
from engine.messages import Gap
from engine.pipeline import clean
from engine.run.session import Session
from models.registry import load_card
from streamer.settings import SourceSettings
from streamer.several import side_by_side

CONFIG = EngineConfig(FS, 64, 8, 20)
TICK_NS = 250_000


class FakeClock:
    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now


class Fixed(Identity):
    """Runs a few sizes of batch only, and returns garbage for rows that nobody asked for."""

    def __init__(self, sizes=FIXED_ROWS):
        self.fixed_rows = sizes
        self.rows = []

    def infer(self, batch):
        assert len(batch) in self.fixed_rows
        self.rows.append(len(batch))
        out = batch.copy()
        out[~batch.any(axis=(1, 2))] = np.nan
        return out


def signal(samples, seed):
    return 1 + np.random.default_rng(seed).random((1, samples)).astype(np.float32)


def played(clock, batcher, streams):
    """Rounds as threads would make them: each stream's chunks at their times, and ticks when they are due."""
    waiting = sorted((time_ns, number) for number, chunks in enumerate(streams) for time_ns in chunks)
    for time_ns, number in waiting:
        while (due := batcher.due_s()) is not None and clock.now + due * 1e9 < time_ns:
            clock.now += round(due * 1e9)
            yield []
        clock.now = time_ns
        yield [streams[number][time_ns]]


def ward(phases_ns, samples=400, chunk=4):
    """A stream for each phase, its chunks a chunk's length apart."""
    period = round(1e9 * chunk / FS)
    return [
        {
            phase + period * (index + 1): piece
            for index, piece in enumerate(cut(signal(samples, seed), [chunk], stream=str(seed)))
        }
        for seed, phase in enumerate(phases_ns)
    ]


@given(
    st.lists(st.integers(0, 40_000_000), min_size=2, max_size=6),
    st.sampled_from([0.0, 1e6, 2.2e6, 9e6]),
    st.integers(1, 7),
)
@settings(deadline=None, max_examples=40)
def test_no_window_is_held_longer_than_stated_and_none_is_lost(phases, hold_ns, chunk):
    clock, backend = FakeClock(), Fixed()
    batcher = Batcher(hold_ns, len(phases), clock)
    rounds = played(clock, batcher, ward(phases, chunk=chunk))
    messages = list(clean(rounds, CONFIG, backend, clock, batcher))
    for seed in range(len(phases)):
        np.testing.assert_array_equal(indices(messages, str(seed)), np.arange(400))
        np.testing.assert_allclose(joined(messages, "cleaned", str(seed)), signal(400, seed), atol=1e-6)
        starts = [m.start for m in messages if m.stream == str(seed)]
        assert all(before < after for before, after in pairwise(starts))
    held = [m.answer.call.started_ns - m.answer.hop.ready_ns for m in messages]
    # The fake clock moves in whole nanoseconds.
    assert max(held) <= hold_ns + 1
    if hold_ns and max(phases) - min(phases) > hold_ns:
        assert max(held) > 0


def test_windows_that_come_within_the_hold_share_a_call():
    phases = [0, 1_000_000, 3_000_000]
    for hold_ns, shared in ((0, 1), (5e6, 4)):
        clock, backend = FakeClock(), Fixed()
        batcher = Batcher(hold_ns, 3, clock)
        list(clean(played(clock, batcher, ward(phases)), CONFIG, backend, clock, batcher))
        # Three windows and a row of zeros.
        assert max(backend.rows[:-1]) == shared


def test_the_last_of_all_streams_is_not_waited_for():
    """A batch with a window of each stream is full: it leaves at once, long before it is due."""
    clock, backend = FakeClock(), Fixed()
    batcher = Batcher(1e12, 3, clock)
    messages = list(clean(played(clock, batcher, ward([0, 1e6, 3e6])), CONFIG, backend, clock, batcher))
    held = [m.answer.call.started_ns - m.answer.hop.ready_ns for m in messages if not m.answer.hop.flushed]
    assert set(held) == {0, 2_000_000, 3_000_000}


def test_the_ledger_shows_the_wait_as_queue():
    clock = FakeClock()
    batcher = Batcher(2e6, 2, clock)
    messages = list(clean(played(clock, batcher, ward([0, 20e6])), CONFIG, Fixed(), clock, batcher))
    early = next(m for m in messages if not m.answer.hop.flushed)
    np.testing.assert_array_equal(parts_ns([(early, clock.now)]).queue, 2e6)


def test_a_gap_keeps_its_place():
    clock, backend = FakeClock(), Fixed()
    batcher = Batcher(3e6, 2, clock)
    steady, broken = ward([0, 2e6])
    late = max(broken) + 12_000_000
    rest = cut(signal(200, 9), [4], stream="1", start=450)
    broken |= {late + 11_111_111 * index: piece for index, piece in enumerate(rest)}
    messages = list(clean(played(clock, batcher, [steady, broken]), CONFIG, backend, clock, batcher))
    mine = [m for m in messages if m.stream == "1"]
    assert [(m.start, m.stop) for m in mine if isinstance(m, Gap)] == [(400, 450)]
    assert all(before.stop == after.start for before, after in pairwise(mine))


@pytest.mark.parametrize("leads", [1, 2, 3, 5, 12])
def test_rows_that_fill_a_batch_leave_no_trace(leads):
    data = signal(300 * leads, 0).reshape(leads, 300)
    backend = Fixed((4, 8, 16))
    messages = list(clean([[chunk] for chunk in cut(data, [8])], CONFIG, backend))
    np.testing.assert_allclose(joined(messages, "cleaned"), data, atol=1e-6)
    assert set(backend.rows) <= {4, 8, 16}
    assert max(backend.rows) >= leads


def test_more_windows_than_the_largest_size_are_several_calls():
    backend = Fixed((1, 2, 4))
    messages = list(clean([list(cut(signal(400, 0), [400]))], CONFIG, backend))
    np.testing.assert_allclose(joined(messages, "cleaned"), signal(400, 0), atol=1e-6)
    assert max(backend.rows) == 4


def test_the_runtimes_of_a_cpu_take_any_size():
    backend = open_backend("onnx", load_card("unet"))
    assert backend.fixed_rows == ()
    backend.close()


def test_a_session_of_live_streams_joins_them_and_says_what_it_cost(monkeypatch):
    backend = Fixed()
    parts = {"a": [(0, 720)], "b": [(0, 500), (600, 720)], "c": [(0, 200)]}
    sources = [Counted(name, segments, size=4) for name, segments in parts.items()]
    monkeypatch.setattr(engine.run.newcomers, "open_sources", lambda wanted, stopped: sources)
    monkeypatch.setattr("engine.run.prepare.open_reliable", lambda *how: backend)
    messages = []
    summary = Session(job_of(*side_by_side(SourceSettings(), patients=3))).run(show=messages.append).summary
    for name, segments in parts.items():
        assert_counted(messages, name, segments)
    assert max(backend.rows) >= 2
    assert max(one.ledger_ms["queue"].p50 for one in summary.streams) > 0
