"""Steps down when hops are missed, and back up when all is calm."""

import pytest

from engine.run.ladder import CALM_S, LONGEST_CALM_S, SETTLES_S, Ladder, Rung

HOP_S = 0.04


class Run:
    """A ladder that is told of a hop every 40 ms of a clock of its own."""

    def __init__(self):
        self.now = 0.0
        self.ladder = Ladder(lambda: self.now)
        self.steps = []

    def play(self, seconds, missed):
        for number in range(round(seconds / HOP_S)):
            self.now += HOP_S
            step = self.ladder.note(missed(number) if callable(missed) else missed)
            if step is not None:
                self.steps.append((round(self.now, 2), step))


def test_nothing_happens_while_it_keeps_up():
    run = Run()
    run.play(60, lambda number: number % 10 == 0)
    assert run.steps == []


def test_hops_that_are_found_late_together_all_count():
    run = Run()
    run.play(3, lambda number: 13 if number % 13 == 0 else 0)
    assert run.steps[0][1] is Rung.LARGER_HOP


def test_it_goes_down_step_by_step_and_no_further_than_raw():
    run = Run()
    run.play(20, True)
    assert [step for _, step in run.steps] == [Rung.LARGER_HOP, Rung.FILTER, Rung.RAW]
    # Each step is given time to show what it is worth.
    times = [time for time, _ in run.steps]
    assert all(later - earlier >= SETTLES_S for earlier, later in zip([0, *times], times, strict=False))


def test_it_comes_back_when_calm_and_not_before():
    run = Run()
    run.play(5, True)
    assert run.ladder.step is Rung.FILTER
    run.steps.clear()
    run.play(CALM_S - 1, False)
    assert run.steps == []
    run.play(2 * CALM_S + 2, False)
    assert [step for _, step in run.steps] == [Rung.LARGER_HOP, Rung.NETWORK]


def test_who_relapses_waits_longer_each_time():
    run = Run()
    waits = []
    for _ in range(8):
        run.play(4, lambda _: run.ladder.step is Rung.NETWORK)
        assert run.ladder.step is Rung.LARGER_HOP
        begun = run.now
        while run.ladder.step is Rung.LARGER_HOP:
            run.play(HOP_S, False)
        waits.append(run.now - begun)
    assert waits[1] > 1.5 * waits[0]
    assert max(waits) == pytest.approx(LONGEST_CALM_S, abs=5)
    # It forgives after a long time up.
    run.play(3 * CALM_S, False)
    run.play(4, lambda _: run.ladder.step is Rung.NETWORK)
    begun = run.now
    while run.ladder.step is Rung.LARGER_HOP:
        run.play(HOP_S, False)
    assert run.now - begun == pytest.approx(CALM_S, abs=5)


def test_settings_that_change_begin_at_the_network():
    run = Run()
    run.play(5, True)
    run.ladder.restart()
    assert run.ladder.step is Rung.NETWORK
    assert run.ladder.figures().steps_taken["larger_hop"] == 1
