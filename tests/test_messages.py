"""What stages hand to each other is never written to again, and says whether the network keeps state."""

from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from engine_tools import FS, Identity, IdentitySteps, cut

from engine.backends.base import keeps_state
from engine.config import EngineConfig
from engine.guard.limits import UNMEASURED
from engine.guard.stage import guard
from engine.infer import infer
from engine.marks import Mark, Reason
from engine.messages import Emitted
from engine.overlap_add import overlap_add
from engine.pipeline import unguarded
from engine.ready_windows import ready_windows
from engine.stateful import step_through

CONFIG = EngineConfig(FS, 720, 16, 108)


class Fails(Identity):
    """Answers with NaN for a while, and late: the guard has both to repair and to name."""

    def __init__(self):
        self._calls = 0

    def infer(self, batch):
        self._calls += 1
        return batch * np.float32(np.nan) if 40 < self._calls < 60 else batch.copy()


def signal():
    """Two leads with a gap at 1200, one of which loses samples."""
    data = np.random.default_rng(3).normal(size=(2, 2400)).astype(np.float32)
    data[1, 500:520] = np.nan
    chunks = [*cut(data[:, :1200], [37])]
    return [[chunk] for chunk in (*chunks, *cut(data[:, 1200:], [37], start=1300))]


def contents(message):
    """Every field of a message: the object that it holds, and the bytes of an array."""
    found = []
    for field in fields(message):
        value = getattr(message, field.name)
        if is_dataclass(value):
            found += contents(value)
        found.append((field.name, value, value.tobytes() if isinstance(value, np.ndarray) else None))
    return found


class Watch:
    """Passes messages on, and keeps what each held as it was handed over."""

    def __init__(self):
        self.seen = []

    def __call__(self, messages):
        for message in messages:
            for each in message if isinstance(message, list) else [message]:
                self.seen.append((each, contents(each)))
            yield message

    def assert_untouched(self):
        assert self.seen
        for message, before in self.seen:
            for (name, value, held), (_, now, holds) in zip(before, contents(message), strict=True):
                assert value is now, name
                assert held == holds, name


@pytest.mark.parametrize(
    "stand_in", [None, (Mark.FILTERED, Reason.OVERLOAD), (Mark.BYPASSED, Reason.BACKEND)]
)
@pytest.mark.parametrize("network", [Identity, Fails, IdentitySteps])
def test_no_stage_writes_into_what_it_was_handed(network, stand_in):
    watch, backend, now = Watch(), network(), [0]

    def clock():
        now[0] += 400_000_000  # every answer is late
        return now[0]

    windows = watch(ready_windows(watch(signal()), CONFIG, clock))
    if keeps_state(backend):
        emitted = step_through(windows, backend, CONFIG, clock)
    else:
        emitted = overlap_add(watch(infer(windows, backend, clock)), CONFIG, clock)
    messages = list(watch(guard(watch(emitted), CONFIG, UNMEASURED, stand_in=stand_in)))
    watch.assert_untouched()
    marks = np.concatenate([m.marks for m in messages if isinstance(m, Emitted)], axis=1)
    assert (marks == Mark.MISSING).sum() == 20
    reasons = [m.reasons for m in messages if isinstance(m, Emitted)]
    expected = Reason.LATE if stand_in is None else stand_in[1]
    assert any((each == expected).any() for each in reasons if each is not None)


@pytest.mark.parametrize(("backend", "stateful"), [(Identity(), False), (IdentitySteps(), True)])
def test_an_answer_says_whether_its_network_keeps_state(backend, stateful):
    emitted = [m for m in unguarded(signal(), CONFIG, backend) if isinstance(m, Emitted)]
    assert {message.answer.stateful for message in emitted} == {stateful}
    window = emitted[-1].answer.hop.window
    assert stateful or emitted[-1].answer.predicted.shape == window.shape


def test_hops_of_one_batch_share_the_stamps_of_their_call():
    data = signal()[0][0].data
    rounds = [[*cut(data, [37], stream="a"), *cut(data, [37], stream="b")]]
    a, b = infer(ready_windows(rounds, EngineConfig(FS, 64, 37, 0)), Identity())
    assert (a.hop.stream, b.hop.stream) == ("a", "b")
    assert a.call is b.call
