"""Which pipeline cleans next."""

import numpy as np
import pytest
from engine_tools import Identity, IdentityRuntime

from engine.backends.adapters import adapt
from engine.backends.reliable import Reliable
from engine.config import EngineConfig
from engine.marks import Mark, Reason
from engine.run.changeover import Changeover, Takeover
from engine.run.ladder import CALM_S, SETTLES_S, Ladder
from engine.run.prepare import Prepared
from engine.run.protocol import CleanSettings
from models.registry import find_network

HOP_S = 0.04


class Closing(Identity):
    """Says when it was closed."""

    closed = False

    def close(self):
        self.closed = True


class Failing(IdentityRuntime):
    """Answers nothing."""

    name = "failing"

    def run(self, inputs):
        raise RuntimeError("out of memory")


class Run:
    """A changeover that is told of a hop every 40 ms of a clock of its own."""

    def __init__(self, first, *, ladder=True):
        self.now, self.misses = 0.0, 0
        self.changeover = Changeover(first, Ladder(lambda: self.now) if ladder else None)

    def hops(self, seconds, *, missed):
        """What took over."""
        taken = []
        for _ in range(round(seconds / HOP_S)):
            self.now += HOP_S
            self.misses += missed
            takeover = self.changeover.note(self.misses)
            if takeover:
                taken.append(takeover)
                assert self.changeover.due
                assert self.changeover.change()
        return taken


def prepared(backend=None, lookahead_ms=100.0):
    config = EngineConfig.from_ms(360.0, 1024, lookahead_ms, 40.0)
    return Prepared(CleanSettings("unet", "auto", lookahead_ms, 40.0), config, backend or Closing())


def test_nothing_is_due_while_all_is_well():
    run = Run(prepared())
    assert run.hops(60, missed=0) == []
    assert not run.changeover.due
    assert not run.changeover.change()
    assert run.changeover.in_force.backend == "identity"
    assert run.changeover.in_force.lookahead_ms == 100.0
    assert run.changeover.step == run.changeover.failure == ""


def test_a_request_is_taken_at_the_next_occasion_and_closes_what_was_before():
    first, wanted = prepared(), prepared(lookahead_ms=200.0)
    changeover = Changeover(first, None)
    changeover.request(wanted)
    assert changeover.due
    assert changeover.in_force.lookahead_ms == 100.0
    assert not first.backend.closed
    assert changeover.change()
    assert first.backend.closed
    assert changeover.asked is wanted
    assert changeover.in_force.lookahead_ms == 200.0
    assert not changeover.due


def test_of_two_requests_the_later_one_is_taken_and_the_other_closed():
    first, overtaken, wanted = prepared(), prepared(), prepared()
    changeover = Changeover(first, None)
    changeover.request(overtaken)
    changeover.request(wanted)
    assert overtaken.backend.closed
    assert changeover.change()
    assert changeover.asked is wanted
    assert not wanted.backend.closed


@pytest.mark.parametrize("begun", [True, False])
def test_at_the_end_everything_is_closed(begun):
    first, wanted = prepared(), prepared()
    changeover = Changeover(first, None)
    changeover.request(wanted)
    if begun:
        changeover.change()
    changeover.close()
    assert first.backend.closed
    assert wanted.backend.closed


def test_a_machine_too_slow_steps_down_and_the_asked_settings_stay():
    run = Run(prepared())
    (takeover,) = run.hops(SETTLES_S + 0.5, missed=1)
    assert takeover == Takeover("larger hop", Reason.OVERLOAD.text)
    assert run.changeover.step == "larger hop"
    assert run.changeover.cleaner.config.hop > run.changeover.asked.config.hop
    assert run.changeover.in_force.hop_ms == pytest.approx(4 * 1000 * 14 / 360)
    (takeover,) = run.hops(SETTLES_S + 0.5, missed=1)
    assert takeover.step == "classical filter"
    assert run.changeover.cleaner.stand_in == (Mark.FILTERED, Reason.OVERLOAD)
    up = run.hops(3 * CALM_S, missed=0)
    assert [each.step for each in up] == ["larger hop", "network"]
    assert up[-1].why == "calm again"
    assert run.changeover.step == ""
    assert run.changeover.cleaner.backend is run.changeover.asked.backend


def test_other_settings_begin_at_the_network_again():
    run = Run(prepared())
    assert run.hops(SETTLES_S + 0.5, missed=1)
    wanted = prepared(lookahead_ms=200.0)
    run.changeover.request(wanted)
    assert run.changeover.change()
    assert run.changeover.step == ""
    assert run.changeover.cleaner.stand_in is None
    assert run.changeover.cleaner.config is wanted.config


def test_without_a_ladder_nothing_takes_over():
    run = Run(prepared(), ladder=False)
    assert run.hops(10, missed=1) == []
    assert run.changeover.step == ""


def test_where_no_runtime_is_left_raw_takes_over_once():
    unet = find_network("unet")
    broken = adapt(Reliable(Failing(), unet), unet)
    run = Run(prepared(broken))
    assert run.hops(1, missed=0) == []
    broken.infer(np.zeros((1, 1, unet.window), np.float32))
    (takeover,) = run.hops(60, missed=1)
    assert takeover == Takeover("raw", run.changeover.failure)
    assert "failing failed: RuntimeError: out of memory" in takeover.why
    assert run.changeover.cleaner.stand_in == (Mark.BYPASSED, Reason.BACKEND)
