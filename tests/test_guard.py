"""What the guard lets out, what it passes raw, and why; each reason by a signal that trips just that."""

from itertools import pairwise

import numpy as np
import pytest
from engine_tools import FS, Identity, cut, indices, joined
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import resample_poly

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.guard.repair import FADE_S, HOLD_S
from engine.marks import Mark, Reason
from engine.messages import Emitted, Gap
from engine.pipeline import clean
from models.registry import load_card
from streamer.open_source import open_signal, play
from streamer.settings import SourceSettings
from streamer.synthetic import SyntheticPatient

CONFIG = EngineConfig(FS, 720, 14, 108)
SECONDS = 20
SAMPLES = SECONDS * 360
AT = 12 * 360
"""Where what is wrong begins."""


class Says(Identity):
    """A network whose word for the whole signal is known beforehand."""

    def __init__(self, word):
        self._word = np.concatenate([np.repeat(word[:1], 720), word, np.repeat(word[-1:], 720)])
        self._calls = 0

    def infer(self, batch):
        rows = []
        for _ in batch:
            self._calls += 1
            end = 14 * self._calls
            rows.append(self._word[end : end + 720])
        return np.array(rows, np.float32)[:, None]


@pytest.fixture(scope="module")
def patient():
    """Raw as an amplifier gives it, and the R peaks."""
    block = SyntheticPatient(seed=2).read(0, SAMPLES)
    hiss = np.random.default_rng(1).normal(scale=0.008, size=SAMPLES)
    return (block.data[0] + hiss).astype(np.float32), [mark.sample for mark in block.annotations]


def run(raw, backend=None, config=CONFIG):
    # A clock that stands still: on a busy machine an answer may really be late.
    return list(clean(([chunk] for chunk in cut(raw[None], [14])), config, backend or Identity(), lambda: 0))


def reasons(messages, lead=0):
    """The reason of every sample."""
    parts = [
        np.zeros(m.marks.shape[1], np.uint8) if m.reasons is None else m.reasons[lead]
        for m in messages
        if isinstance(m, Emitted)
    ]
    return np.concatenate(parts)


def named(messages):
    return {Reason(int(reason)) for reason in np.unique(reasons(messages))} - {Reason.NONE}


def without_beat(raw, at):
    """The signal with a straight line in the place of a QRS."""
    word = raw.copy()
    first, last = at - 36, at + 36
    word[first:last] = np.linspace(word[first], word[last], 72)
    return word


def with_beat(raw, beats, at):
    word = raw.copy()
    word[at - 36 : at + 36] += raw[beats[5] - 36 : beats[5] + 36]
    return word


def between(beats, after):
    """A place between two beats."""
    return next((a + b) // 2 + 20 for a, b in pairwise(beats) if a > after)


def test_a_good_network_is_never_bypassed(patient):
    raw, _ = patient
    messages = run(raw)
    assert (joined(messages, "marks") < Mark.BYPASSED).all()
    assert all(message.reasons is None or not message.reasons.any() for message in messages)


def test_an_erased_beat_is_shown_raw(patient):
    raw, beats = patient
    beat = next(b for b in beats if b > AT)
    messages = run(raw, Says(without_beat(raw, beat)))
    assert named(messages) == {Reason.BEAT_ERASED}
    # The look-ahead shows it in time: the beat itself is raw, not only what follows.
    np.testing.assert_allclose(
        joined(messages, "cleaned")[0, beat - 20 : beat + 20], raw[beat - 20 : beat + 20], atol=0.05
    )
    assert (joined(messages, "marks")[0, beat - 36 : beat + 36] == Mark.BYPASSED).all()


def test_an_invented_beat_is_not_shown(patient):
    raw, beats = patient
    at = between(beats, AT)
    word = with_beat(raw, beats, at)
    messages = run(raw, Says(word))
    assert named(messages) == {Reason.BEAT_INVENTED}
    shown = joined(messages, "cleaned")[0, at - 20 : at + 20]
    assert np.ptp(word[at - 20 : at + 20]) > 0.8
    assert np.ptp(shown) < 0.2


def test_a_raw_that_is_not_clean_is_no_evidence_of_a_beat(patient):
    """In heavy noise the network must be free to say that a spike is none."""
    raw, _ = patient
    noise = np.random.default_rng(3).normal(scale=0.25, size=SAMPLES).astype(np.float32)
    assert Reason.BEAT_ERASED not in named(run(raw + noise, Says(raw)))


def test_beats_at_another_rate(patient):
    raw, beats = patient
    word = raw.copy()
    for beat in beats[2::2]:
        # Too large to be erased, too small to be counted.
        word[beat - 36 : beat + 36] *= 0.4
    assert Reason.RATE in named(run(raw, Says(word)))


def test_a_spike_of_a_pacemaker_is_no_beat(patient):
    raw, beats = patient
    spikes = np.random.default_rng(1).normal(scale=0.005, size=SAMPLES).astype(np.float32)
    word = np.zeros(SAMPLES, np.float32)
    for at in range(1000, SAMPLES - 100, 300):
        spikes[at] += 3.0
        word[at - 36 : at + 36] = raw[beats[5] - 36 : beats[5] + 36]
    messages = run(spikes, Says(word))
    assert Reason.BEAT_INVENTED in named(messages)
    bypassed = joined(messages, "marks")[0] == Mark.BYPASSED
    assert bypassed[1100:-1100].mean() > 0.95


def test_noise_without_any_ecg():
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=0.2, size=SAMPLES).astype(np.float32)
    messages = run(noise, Says((0.05 * noise).astype(np.float32)))
    assert named(messages) == {Reason.NO_ECG}


class Wavers(Identity):
    """Says something else of the same samples every time."""

    def infer(self, batch):
        Wavers.calls += 1
        slow = np.cumsum(np.random.default_rng(Wavers.calls).normal(scale=0.01, size=batch.shape), axis=-1)
        return slow.astype(np.float32)

    calls = 0


def test_a_network_that_contradicts_itself(patient):
    raw, _ = patient
    for lookahead in (0, 36, 108):
        assert Reason.UNCERTAIN in named(run(0.05 * raw, Wavers(), EngineConfig(FS, 720, 14, lookahead)))


@pytest.mark.parametrize(
    ("value", "reason"),
    [(np.nan, Reason.NOT_FINITE), (np.inf, Reason.NOT_FINITE), (1e4, Reason.OUT_OF_RANGE)],
)
def test_a_value_that_is_none(patient, value, reason):
    raw, _ = patient
    word = raw.copy()
    word[AT] = value
    with np.errstate(invalid="ignore"):
        messages = run(raw, Says(word))
    assert reason in named(messages)
    assert joined(messages, "marks")[0, AT] == Mark.BYPASSED
    np.testing.assert_allclose(joined(messages, "cleaned")[0], raw, atol=0.2)


def test_an_output_that_stands_still(patient):
    raw, _ = patient
    word = raw.copy()
    word[AT:] = 0
    messages = run(raw, Says(word))
    assert Reason.CONSTANT in named(messages)
    late = reasons(messages)[AT + 720 :]
    assert (late != Reason.NONE).all()


def test_a_lead_that_is_off(patient):
    raw, _ = patient
    raw = raw.copy()
    raw[AT : AT + 1080] = raw[AT]
    messages = run(raw)
    assert named(messages) == {Reason.FLAT}
    found = np.flatnonzero(reasons(messages) == Reason.FLAT)
    # The flat half second that it takes is mostly inside the look-ahead.
    assert AT <= found[0] <= AT + 0.3 * 360
    assert found[-1] >= AT + 1080 - CONFIG.tail


def test_a_coarse_adc_is_no_lead_off_and_an_electrode_that_falls_off_it_is():
    beats = np.exp(-0.5 * ((np.arange(SAMPLES) % 415 - 200) / 5) ** 2) * 1.1
    coarse = (0.091 * np.round((beats + 0.03 * np.sin(np.arange(SAMPLES) / 300)) / 0.091)).astype(np.float32)
    still = np.ptp(sliding_window_view(coarse, 200), axis=1) == 0
    assert still.any(), "the test needs a lead that stands still for longer than half a second"
    assert Reason.FLAT not in named(run(coarse))
    # Through the front end of another rate a step rings before it stands still.
    slow = resample_poly(coarse, 125, 360)
    again = resample_poly(0.091 * np.round(slow / 0.091), 360, 125).astype(np.float32)
    assert Reason.FLAT not in named(run(again))
    coarse[AT:] = coarse[AT]
    assert Reason.FLAT in named(run(coarse))


def test_a_short_pause_is_no_lead_off(patient):
    raw, _ = patient
    raw = raw.copy()
    raw[AT : AT + 100] = raw[AT]
    assert Reason.FLAT not in named(run(raw))


def test_a_saturated_lead(patient):
    raw, _ = patient
    raw = raw.copy()
    raw[AT : AT + 72] = 5.0
    assert named(run(raw)) == {Reason.RAILED}


def test_a_clipped_peak_is_not_saturation(patient):
    raw, beats = patient
    assert Reason.RAILED not in named(run(np.minimum(raw, 0.8 * raw[beats[5]])))


def test_each_lead_by_itself(patient):
    raw, _ = patient
    two = np.stack([raw, raw])
    two[1, AT : AT + 1080] = 0.3
    messages = list(clean(([c] for c in cut(two, [14])), CONFIG, Identity()))
    marks = joined(messages, "marks")
    assert (marks[0] < Mark.BYPASSED).all()
    assert (marks[1] == Mark.BYPASSED).sum() > 1000


class SlowClock:
    """Every look at it costs 0.4 s."""

    now = 0

    def __call__(self):
        self.now += 400_000_000
        return self.now


def test_a_late_answer_is_passed_and_called_late(patient):
    raw, _ = patient
    messages = list(clean(([c] for c in cut(raw[None, :3600], [14])), CONFIG, Identity(), SlowClock()))
    assert named(messages) == {Reason.LATE}
    assert (joined(messages, "marks") < Mark.BYPASSED).all()


def test_a_fade_has_no_step(patient):
    """Raw with an offset of 1 mV: nothing moves further in a sample than the fade allows."""
    raw, _ = patient
    word = raw.copy()
    word[AT : AT + 10] = np.nan
    messages = run(raw + 1, Says(word))
    out = joined(messages, "cleaned")[0]
    assert (joined(messages, "marks")[0] == Mark.BYPASSED).sum() > HOLD_S * FS
    assert out[AT + 200] == pytest.approx(raw[AT + 200] + 1, abs=1e-5)
    steps = np.abs(np.diff(out) - np.diff(raw))
    assert steps.max() <= 1 / (FADE_S * FS) + 1e-5


def bad_inputs(raw):
    stop = AT + 720
    for name in ("missing", "flat", "railed", "x10", "step"):
        bad = raw.copy()
        if name == "missing":
            bad[AT:stop] = np.nan
        elif name == "flat":
            bad[AT:stop] = bad[AT]
        elif name == "railed":
            bad[AT:stop] = 5.0
        elif name == "x10":
            bad[AT:stop] *= 10
        else:
            bad[AT:stop] += 3
        yield pytest.param(bad, stop, id=name)


RAW = SyntheticPatient(seed=2).read(0, SAMPLES).data[0] + np.random.default_rng(1).normal(
    scale=0.008, size=SAMPLES
).astype(np.float32)


@pytest.mark.parametrize(("model", "mv"), [("unet", 0.005), ("lowdelay", 0.05)])
@pytest.mark.parametrize(("bad", "stop"), list(bad_inputs(RAW)))
def test_two_seconds_after_bad_input_all_is_as_if_it_had_not_been(bad, stop, model, mv):
    card = load_card(model)
    config = EngineConfig.of(card.spec, card.spec.lookahead_ms, 40)
    backend = open_backend("onnx", card)
    good, after = run(RAW, backend, config), run(bad, backend, config)
    since = stop + 720
    assert (joined(after, "marks")[0, since:] < Mark.BYPASSED).all()
    np.testing.assert_allclose(
        joined(after, "cleaned")[0, since:], joined(good, "cleaned")[0, since:], atol=mv
    )


def test_a_gap_is_forgotten(patient):
    raw, _ = patient
    flat = np.full(1440, 0.2, np.float32)
    first = [*cut(flat[None], [14]), *cut(raw[None], [14], start=2000)]
    both = list(clean(([c] for c in first), CONFIG, Identity()))
    alone = list(clean(([c] for c in cut(raw[None], [14], start=2000)), CONFIG, Identity()))
    assert sum(isinstance(m, Gap) for m in both) == 1
    np.testing.assert_array_equal(joined(both, "marks")[0, 1440:], joined(alone, "marks")[0])


class Garbage(Identity):
    """Anything a broken runtime may return."""

    def __init__(self, kinds, seed):
        self._kinds, self._rng, self._calls = kinds, np.random.default_rng(seed), 0

    def infer(self, batch):
        out = batch.copy()
        kind = self._kinds[self._calls % len(self._kinds)]
        self._calls += 1
        if kind == "nan":
            out[..., self._rng.integers(out.shape[-1])] = np.nan
        elif kind == "inf":
            out[..., self._rng.integers(out.shape[-1]) :] = self._rng.choice([-np.inf, np.inf])
        elif kind == "constant":
            out[:] = self._rng.normal()
        elif kind == "huge":
            out *= np.float32(10.0 ** self._rng.integers(3, 30))
        elif kind == "noise":
            out = self._rng.normal(size=out.shape).astype(np.float32)
        return out


KINDS = st.sampled_from(["good", "nan", "inf", "constant", "huge", "noise"])


@given(
    st.lists(KINDS, min_size=1, max_size=8),
    st.integers(0, 1000),
    st.integers(1, 40),
    st.integers(0, 100),
    st.lists(st.integers(1, 60), min_size=1, max_size=4),
)
@settings(deadline=None, max_examples=60)
def test_whatever_a_network_returns_nothing_is_lost_and_nothing_wild_leaves(
    kinds, seed, hop, lookahead, sizes
):
    config = EngineConfig(FS, 144, hop, min(lookahead, 144 - hop))
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(2, 900)).astype(np.float32)
    data[1, 300:340] = np.nan
    with np.errstate(all="ignore"):
        messages = list(clean(([c] for c in cut(data, sizes)), config, Garbage(kinds, seed)))
        out, marks = joined(messages, "cleaned"), joined(messages, "marks")
    np.testing.assert_array_equal(indices(messages), np.arange(900))
    missing = np.isnan(data)
    np.testing.assert_array_equal(np.isnan(out), missing)
    np.testing.assert_array_equal(marks == Mark.MISSING, missing)
    limit = 2 * np.nanmax(np.abs(data)) + 0.2 + np.nanmax(np.abs(data))
    assert np.nanmax(np.abs(out)) <= limit + 1e-3
    np.testing.assert_allclose(joined(messages, "raw"), data)


@pytest.mark.data
@pytest.mark.parametrize("record", ["114", "205"])
def test_a_clean_record_is_left_to_the_network(physionet, record):
    source = SourceSettings(
        kind="replay", record=record, data_dir=physionet, leads=("MLII",), start=600, seconds=40, speed=0
    )
    messages = list(
        clean(
            ([chunk] for chunk in play(open_signal(source), source).chunks()),
            CONFIG,
            open_backend("onnx", load_card("unet")),
        )
    )
    assert (joined(messages, "marks", messages[0].stream) < Mark.BYPASSED).all()


def test_the_shipped_network_is_bypassed_on_pure_noise():
    noise = np.random.default_rng(0).normal(scale=0.1, size=15 * 360).astype(np.float32)
    marks = joined(run(noise, open_backend("onnx", load_card("unet"))), "marks")[0]
    assert (marks[6 * 360 :] == Mark.BYPASSED).all()
