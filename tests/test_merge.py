"""How the chunks of several streams come together."""

import itertools
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from fault_tools import Counting, played

from engine.run import merge
from engine.run.merge import as_they_come, in_due_order
from streamer import source
from streamer.chunk import Chunk


class Clock:
    """A time that passes by sleeping alone."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def perf_counter(self):
        return self.now

    def perf_counter_ns(self):
        return round(1e9 * self.now)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(source, "time", clock)
    monkeypatch.setattr(merge, "time", clock)
    return clock


def player(name, seconds=2.0, chunk_s=0.01):
    signal = Counting(length=round(seconds * 360))
    signal.info = replace(signal.info, source_id=name)
    return played(signal, chunk_s=chunk_s, speed=1.0)


def together(*players):
    return in_due_order([(each, each.chunks()) for each in players])


def test_players_of_one_pace_come_together_and_wake_the_machine_once_a_round(clock):
    rounds = list(together(*(player(name) for name in "abc")))
    assert [len(chunks) for chunks in rounds] == [3] * 180
    assert len(clock.slept) == 180
    for name in "abc":
        mine = [chunk for chunks in rounds for chunk in chunks if chunk.stream == name]
        assert [chunk.start for chunk in mine] == list(range(0, 720, 4))
        stamps = np.concatenate([chunk.source_time for chunk in mine])
        # All began at once, though they are asked one after the other.
        np.testing.assert_allclose(stamps, 1000 + np.arange(1, 721) / 360)


def test_each_chunk_comes_when_it_is_due_whatever_the_others_pace(clock):
    rounds = together(player("a"), player("b", chunk_s=0.035), player("c", seconds=0.5))
    late = [clock.now - chunk.source_time[-1] for chunks in rounds for chunk in chunks]
    assert len(late) == 180 + 55 + 45 + 1
    assert max(np.abs(late)) < merge._TOGETHER_S + 1e-6


def test_a_pause_moves_all_players_by_its_length(clock):
    players = [player(name) for name in "abc"]
    rounds = together(*players)
    before = list(itertools.islice(rounds, 20))
    for each in players:
        each.pause(True)
        each.pause(True)
    clock.now += 7.0
    for each in players:
        each.pause(False)
        each.pause(False)
    for last, first in zip(before[-1], next(rounds), strict=True):
        assert first.start == last.stop
        assert first.source_time[0] - last.source_time[-1] == pytest.approx(7.0 + 1 / 360)


def test_what_many_threads_bring_at_about_the_same_time_is_one_round(monkeypatch):
    count = merge._FEW + 1
    came = threading.Barrier(count + 1)
    monkeypatch.setattr(merge, "time", SimpleNamespace(sleep=lambda seconds: came.wait(60)))

    def stream(number):
        yield [Chunk(str(number), 0, np.zeros((1, 4), np.float32), np.zeros(4), 0)]
        # Asked for the next, a stream's first has been handed over.
        came.wait(60)

    with as_they_come([stream(number) for number in range(count)]) as rounds:
        assert sorted(int(chunk.stream) for chunk in next(rounds)) == list(range(count))
