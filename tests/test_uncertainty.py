"""What a network may take back before it is not believed, and when it is believed again."""

from dataclasses import replace

import numpy as np
import pytest
from engine_tools import FS, Identity, cut, joined
from job_tools import job_of

from engine.config import EngineConfig
from engine.guard.checks import Checks
from engine.guard.limits import DEFAULT_CONTRADICTION, UNMEASURED, Limits, limits_of
from engine.lab.safety.guard_limits import DEAR, FREE, _find, _Remembering
from engine.marks import Mark, Reason
from engine.messages import Emitted
from engine.pipeline import clean, unguarded
from engine.run.session import Session
from models.registry import NETWORKS, SYSTEMS, ModelCard, load_card
from models.spec import ClassicalSpec
from streamer.settings import SourceSettings
from streamer.synthetic import SyntheticPatient

CONFIG = EngineConfig(FS, 720, 14, 108)
LOUD = slice(10 * 360, 16 * 360)


@pytest.fixture(scope="module")
def raw():
    block = SyntheticPatient(seed=2).read(0, 30 * 360)
    hiss = np.random.default_rng(1).normal(scale=0.008, size=block.data.shape)
    return (block.data + hiss).astype(np.float32)


class Wavers(Identity):
    """Adds a slow wave of another phase to every answer, of an amplitude by the time of its window."""

    def __init__(self, amplitude_mv):
        self._amplitude_mv = amplitude_mv
        self._calls = 0

    def infer(self, batch):
        rows = []
        for row in batch:
            self._calls += 1
            newest = 14 * self._calls
            wave = np.sin(2 * np.pi * 1.5 * np.arange(720) / FS + 2.4 * self._calls)
            rows.append(row + np.float32(self._amplitude_mv(newest)) * wave.astype(np.float32))
        return np.stack(rows)


def louder_in_the_middle(newest):
    return 0.25 if LOUD.start <= newest < LOUD.stop else 0.02


def contradictions(raw, backend, limits=UNMEASURED):
    """Contradiction and whether it was doubted, hop by hop."""
    checks = Checks(CONFIG, 1, limits)
    found = []
    for message in unguarded(([chunk] for chunk in cut(raw, [14])), CONFIG, backend):
        reason = checks.judge_one(message)[0]
        if not message.answer.hop.flushed:
            found.append((message.start, checks.uncertainty.contradiction[0], reason == Reason.UNCERTAIN))
    return np.array(found).T


def test_a_network_that_never_changes_its_mind_does_not_contradict_itself(raw):
    _, contradiction, doubted = contradictions(raw, Identity())
    assert np.nanmax(contradiction) == 0
    assert not doubted.any()


def test_contradiction_grows_with_what_is_taken_back(raw):
    small, large = (np.nanmedian(contradictions(raw, Wavers(lambda _, mv=mv: mv))[1]) for mv in (0.02, 0.04))
    assert large == pytest.approx(2 * small, rel=0.1)


def test_the_limit_is_that_of_the_card_and_trust_comes_back_below_another(raw):
    at, contradiction, doubted = contradictions(raw, Wavers(louder_in_the_middle), Limits(None))
    assert not doubted.any()
    quiet, loud = np.nanmax(contradiction[at < LOUD.start - 720]), np.nanmax(contradiction)
    assert loud > 4 * quiet
    high, low = 0.9 * loud, 1.5 * quiet
    early = contradictions(raw, Wavers(louder_in_the_middle), Limits(((0.0, high, high),)))[2]
    late = contradictions(raw, Wavers(louder_in_the_middle), Limits(((0.0, high, low),)))[2]
    assert 0 < early.sum() < late.sum()
    assert np.flatnonzero(early)[0] == np.flatnonzero(late)[0]
    assert contradiction[np.flatnonzero(late)[-1]] > low
    assert not late[-10:].any()


def test_limits_between_look_aheads_lie_on_a_line():
    limits = Limits(((0.0, 0.4, 0.2), (100.0, 0.2, 0.1)))
    assert limits.contradiction_at(0) == (0.4, 0.2)
    assert limits.contradiction_at(50) == pytest.approx((0.3, 0.15))
    assert limits.contradiction_at(300) == (0.2, 0.1)


def test_a_filter_has_no_word_of_its_own_and_an_unmeasured_network_the_default():
    for name, spec in SYSTEMS.items():
        if isinstance(spec, ClassicalSpec):
            assert limits_of(load_card(name)).contradiction_at(300)[0] == np.inf
    untold = limits_of(ModelCard(NETWORKS["unet"]))
    assert untold == UNMEASURED
    assert untold.contradiction_at(0)[0] == DEFAULT_CONTRADICTION


@pytest.mark.parametrize("name", NETWORKS)
def test_every_shipped_network_has_its_limits(name):
    card = load_card(name)
    rows = card.trained.guard.contradiction
    assert [row.lookahead_ms for row in rows] == [0, 100, 300]
    for row in rows:
        assert 0 < row.believed <= row.doubted
        assert row.runs_of_noise == 0
    assert limits_of(card).contradiction_at(300) == (rows[-1].doubted, rows[-1].believed)


def stateful_messages(raw, spread_mv):
    """What such a network's stage hands to the guard."""
    for message in unguarded(([chunk] for chunk in cut(raw, [14])), CONFIG, Identity()):
        if isinstance(message, Emitted):
            spread = np.float32(spread_mv(message.start))
            yield replace(
                message,
                mean_square=message.cleaned**2 + spread**2,
                answer=replace(message.answer, predicted=None),
            )


@pytest.mark.parametrize(("limit", "doubts"), [(None, False), (0.3, True), (5.0, False)])
def test_a_stated_error_is_compared_with_the_limit_of_the_card(raw, limit, doubts):
    def spread_mv(at):
        return 0.5 if LOUD.start <= at < LOUD.stop else 0.05

    limits = Limits(None if limit is None else ((0.0, limit, limit / 2),))
    checks = Checks(CONFIG, 1, limits, stateful=True)
    found = [
        (message.start, checks.judge_one(message)[0] == Reason.UNCERTAIN)
        for message in stateful_messages(raw, spread_mv)
    ]
    at = np.array([start for start, doubted in found if doubted])
    assert bool(at.size) == doubts
    if doubts:
        assert LOUD.start < at.min() < LOUD.start + 720
        assert LOUD.stop < at.max() < LOUD.stop + 5 * 360


def test_what_is_doubted_is_shown_raw(raw):
    limits = Limits(((0.0, 0.05, 0.02),))
    rounds = ([chunk] for chunk in cut(raw, [14]))
    messages = list(clean(rounds, CONFIG, Wavers(lambda newest: 0.25), limits=limits))
    marks = joined(messages, "marks")[0]
    assert (marks[5 * 360 :] == Mark.BYPASSED).all()
    np.testing.assert_array_equal(joined(messages, "cleaned")[0, 5 * 360 :], raw[0, 5 * 360 :])


def test_a_run_goes_by_the_card_of_its_network(monkeypatch):
    asked = []

    def spy(*args, limits, **options):
        asked.append(limits)
        return clean(*args, limits=limits, **options)

    monkeypatch.setattr("engine.run.session.clean", spy)
    source = SourceSettings(seconds=2.0, speed=0.0)
    for name in ("cnn-autoencoder", "fft"):
        Session(job_of(source, model=name)).run(show=lambda message: None)
    assert asked == [limits_of(load_card("cnn-autoencoder")), Limits(None)]


@pytest.mark.parametrize(
    ("harmless", "expected"),
    [
        (lambda above, below: True, (*FREE[1], 0)),
        (lambda above, below: above <= 1 and below <= 0.6, (1.0, 0.5, 0)),
        (lambda above, below: above <= 1 and below <= 0.5, (1.0, 0.5, 0)),
        (lambda above, below: above <= 0.65, (0.6, 0.5, 0)),
    ],
)
def test_limits_are_lowered_no_further_than_noise_asks_for(harmless, expected):
    def runs(limits):
        return 0 if harmless(*limits.contradiction_at(0)) else 2

    assert _find(1.0, runs) == pytest.approx(expected)


def test_noise_that_nothing_helps_against_is_told():
    assert _find(1.0, lambda limits: 3) == (*DEAR[-1], 3)


def test_a_window_is_asked_for_once():
    class Counting(Identity):
        rows = 0

        def infer(self, batch):
            Counting.rows += len(batch)
            return 2 * batch

    batch = np.random.default_rng(0).normal(size=(4, 1, 20)).astype(np.float32)
    remembering = _Remembering(Counting())
    for part in (batch[:2], batch, batch[::-1].copy()):
        np.testing.assert_array_equal(remembering.infer(part), 2 * part)
    assert Counting.rows == 4
