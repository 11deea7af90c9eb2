"""Every millisecond is accounted for."""

import copy
import tracemalloc
import weakref

import numpy as np
import pytest
from engine_tools import FS, Identity, cut

from engine.config import EngineConfig
from engine.ledger.delays import DelayWatch
from engine.ledger.histogram import Histogram, add_to_each
from engine.ledger.stages import BLOCK, Ledger, parts_ns
from engine.messages import Emitted
from engine.pipeline import clean
from engine.run.ladder import FEWEST
from streamer.chunk import Chunk

MS = 1_000_000


class FakeClock:
    """Each look at it costs a different time, so that no two stages are alike."""

    def __init__(self):
        self.now = 10_000 * MS
        self.looks = 0

    def __call__(self):
        self.looks += 1
        self.now += (self.looks % 7 + 1) * MS // 10
        return self.now


class Slow(Identity):
    """Takes 3 ms, of which 0.5 ms go to and 0.25 ms from the device."""

    transfers_ns = (MS // 2, MS // 4)

    def __init__(self, clock):
        self.clock = clock

    def infer(self, batch):
        self.clock.now += 3 * MS
        return batch.copy()


def played(clock, samples, size=4):
    """Chunks that arrive 2 ms after their last sample was taken."""
    for start in range(0, samples, size):
        taken = (10_000 * MS + (start + np.arange(size)) * 1e9 / FS) / 1e9
        clock.now = max(clock.now, int(taken[-1] * 1e9) + 2 * MS)
        yield [Chunk("a", start, np.zeros((1, size), np.float32), taken, clock.now)]


def test_the_parts_of_every_sample_sum_to_its_delay():
    clock = FakeClock()
    config = EngineConfig(FS, 64, 8, 20)
    checked = 0
    for message in clean(played(clock, 400), config, Slow(clock), clock):
        handed = clock()
        parts = parts_ns([(message, handed)])
        delay = handed - message.source_time * 1e9
        # Stamps are seconds in double precision: good to a microsecond.
        np.testing.assert_allclose(parts.total, delay, atol=1e3)
        assert min(part.min() for part in parts) > -1e3
        np.testing.assert_array_equal(parts.host_to_device, MS // 2)
        np.testing.assert_array_equal(parts.device_to_host, MS // 4)
        assert (parts.compute >= 3 * MS - 0.75 * MS).all()
        checked += message.raw.shape[1]
    assert checked == 400


def test_hold_is_the_lookahead_and_wait_the_hop():
    clock = FakeClock()
    config = EngineConfig(FS, 64, 8, 24)
    messages = clean(played(clock, 800), config, Slow(clock), clock)
    parts = parts_ns([(message, clock()) for message in messages])
    hold, wait = parts.hold[100:700], parts.wait[100:700]
    hop_ms, lookahead_ms = 8e3 / FS, 24e3 / FS
    assert np.median(hold) / MS == pytest.approx(lookahead_ms, abs=2)
    assert wait.min() >= 0
    assert wait.max() / MS <= hop_ms + 2


def test_a_hop_that_takes_longer_than_a_hop_is_late():
    late = {}
    for hop_ns in (1e9, 1e6):
        clock = FakeClock()
        ledger = Ledger(hop_ns, hop_ns / 8)
        for message in clean(played(clock, 80), EngineConfig(FS, 64, 8, 20), Slow(clock), clock):
            ledger.note(message, clock())
        ledger.end_burst()
        late[hop_ns] = (ledger.deadline_misses, ledger.hops)
    assert late[1e9][0] == 0
    # Ten windows of which the first two emit nothing, then three of the flush.
    assert late[1e6] == (11, 11)


@pytest.mark.parametrize(("takes_ms", "keeps_up"), [(1, True), (20, True), (30, True), (60, False)])
def test_a_backlog_that_is_caught_up_with_moves_no_ladder(takes_ms, keeps_up):
    """Thirty seconds arrive at once, as after an outage: the source was late, and not the machine."""
    config = EngineConfig(FS, 40, 10, 10)
    hop_ns = 1e9 * config.hop / FS
    clock, ledger = FakeClock(), Ledger(hop_ns, 1e9 / FS)

    class Takes(Identity):
        def infer(self, batch):
            clock.now += round(takes_ms / 40 * hop_ns)
            return batch.copy()

    def rounds():
        arrived = clock.now
        for chunk in cut(np.zeros((1, round(30 * FS)), np.float32), [config.hop]):
            yield [Chunk(chunk.stream, chunk.start, chunk.data, chunk.source_time, arrived)]

    for message in clean(rounds(), config, Takes(), clock):
        ledger.note(message, clock.now)
    ledger.end_burst()
    # The very first hop that leaves has waited for those before it that emit nothing.
    assert (ledger.deadline_misses < FEWEST) == keeps_up
    assert ledger.hops > 1000


def misses_of(rounds, hop, lookahead, window_ns, clock):
    """Missed deadlines and hops of rounds of (arrival, first sample, samples); each window takes its time."""
    ledger = Ledger(1e9 * hop / FS, 1e9 / FS)

    class Takes(Identity):
        def infer(self, batch):
            clock.now += round(len(batch) * window_ns)
            return batch.copy()

    def arriving():
        for arrived, first, count in rounds:
            clock.now = max(clock.now, round(arrived))
            data = np.zeros((1, count), np.float32)
            yield [Chunk("a", first, data, np.full(count, arrived / 1e9), round(arrived))]

    for message in clean(arriving(), EngineConfig(FS, 4 * hop, hop, lookahead), Takes(), clock):
        if isinstance(message, Emitted):
            ledger.note(message, clock.now)
    ledger.end_burst()
    return ledger.deadline_misses, ledger.hops


@pytest.mark.parametrize(("share", "late"), [(0.2, False), (0.8, False), (1.2, True)])
def test_a_long_packet_is_one_piece_of_work_with_one_deadline(share, late):
    """Thirteen hops in a packet, cleaned all at once; each takes a share of the time between two."""
    hop, packet = 10, 130
    hop_ns = 1e9 * hop / FS
    rounds = [(1e12 + (first + packet) * 1e9 / FS, first, packet) for first in range(0, 40 * packet, packet)]
    misses, hops = misses_of(rounds, hop, 10, share * hop_ns, FakeClock())
    assert hops > 500
    assert (misses > hops / 2) if late else (misses == 0)


def test_hops_that_gaps_force_out_buy_no_time():
    """A lost sample behind every eleven, which take five windows: more work than time, and it grows."""
    hop = 10
    hop_ns = 1e9 * hop / FS
    rounds = [(1e12 + (first + 11) * 1e9 / FS, first, 11) for first in range(0, 4800, 12)]
    clock = FakeClock()
    misses, hops = misses_of(rounds, hop, 30, 0.3 * hop_ns, clock)
    assert clock.now - rounds[-1][0] > 20 * hop_ns
    assert misses > hops / 2


def test_more_samples_than_a_block_are_all_counted():
    clock = FakeClock()
    ledger = Ledger(0, 0)
    samples = 4 * (2 * BLOCK + 100)
    config = EngineConfig(FS, 16, 4, 2)
    for message in clean(played(clock, samples), config, Identity(), clock):
        ledger.note(message, clock())
    ledger.settle()
    assert ledger.total.count == samples
    assert all(histogram.count == samples for histogram in ledger.stages.values())


def test_histogram_percentiles_are_good_to_one_percent():
    durations = np.random.default_rng(0).lognormal(17, 1.5, 100_000)
    histogram = Histogram()
    for part in np.array_split(durations, 13):
        histogram.add(part)
    for percent in (1, 50, 95, 99, 99.9):
        exact = np.percentile(durations, percent) / 1e6
        assert histogram.percentile_ms(percent) == pytest.approx(exact, rel=0.012)
    assert histogram.max_ms == durations.max() / 1e6
    edges, counts = histogram.bars()
    assert counts.sum() == len(durations)
    assert len(edges) == len(counts) + 1
    assert min(counts[0], counts[-1]) > 0


def test_a_stream_that_has_sent_nothing_holds_no_counts():
    tracemalloc.start()
    try:
        begun, _ = tracemalloc.get_traced_memory()
        streams = [(ledger := Ledger(0, 0), DelayWatch(ledger, FS)) for _ in range(10)]
        held = tracemalloc.get_traced_memory()[0] - begun
    finally:
        tracemalloc.stop()
    assert len(streams) == 10
    assert held < 10 * 20_000


def test_what_a_ledger_holds_does_not_grow_with_the_time_that_it_counts():
    """A bed's ten histograms took 170 kB when each held every bin."""
    delays_ns = 1e6 * np.random.default_rng(0).lognormal(3, 0.3, (10, 50_000))
    tracemalloc.start()
    try:
        begun, _ = tracemalloc.get_traced_memory()
        ledger = Ledger(0, 0)
        for histogram, durations in zip([*ledger.stages.values(), ledger.total], delays_ns, strict=True):
            histogram.add(durations)
        held = tracemalloc.get_traced_memory()[0] - begun
    finally:
        tracemalloc.stop()
    assert ledger.total.count == 50_000
    assert held < 30_000


def test_a_ledger_holds_on_to_no_buffer_of_the_engine():
    clock = FakeClock()
    ledger, seen = Ledger(0, 0), []
    for message in clean(played(clock, 400), EngineConfig(FS, 16, 4, 2), Identity(), clock):
        ledger.note(message, clock())
        seen += [weakref.ref(view.base) for view in (message.raw, message.source_time)]
    del message
    assert ledger.hops < BLOCK
    assert ledger.total.count == 0
    assert len(seen) == 2 * ledger.hops > 0
    assert not any(buffer() is not None for buffer in seen)


def test_durations_count_as_often_as_samples_share_them():
    each, shared = Histogram(), Histogram()
    durations, samples = np.array([5e6, np.nan, 7e6, 5.001e6]), np.array([16, 3, 1, 12])
    each.add(np.repeat(durations, samples))
    add_to_each([shared], durations[None], samples)
    assert shared.count == each.count == 29
    for one, other in zip(each.bars(), shared.bars(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_counts_grow_beyond_what_a_narrow_number_holds():
    histogram = Histogram()
    histogram.add(np.array([5e6]))
    histogram._counts = np.array([2**32 - 1], np.uint32)
    histogram.add(np.array([5e6]))
    assert histogram.bars()[1].tolist() == [2**32]


def test_a_copy_of_a_histogram_keeps_its_counts():
    histogram = Histogram()
    histogram.add(np.array([5e6]))
    before = copy.copy(histogram)
    histogram.add(np.array([7e6, 9e6]))
    assert (before.count, histogram.since(before).count) == (1, 2)
    assert before.bars()[1].sum() == 1
    assert Histogram().bars()[1].size == 0


def test_an_empty_histogram_has_no_figures():
    histogram = Histogram()
    assert np.isnan(histogram.percentile_ms(50))
    assert np.isnan(histogram.max_ms)
