"""A network that keeps state, in the engine: any chunking, any hop, any neighbour, the same samples."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from engine_tools import cut, indices, joined
from hypothesis import given, settings
from hypothesis import strategies as st
from step_tools import NAME, STEPS, Recorded, backend, config, ecg, streamed, trained, whole

from engine.backends.adapters import adapt
from engine.backends.base import Runtime
from engine.backends.reliable import Reliable
from engine.config import EngineConfig
from engine.infer import MAX_ROWS
from engine.ledger.stages import parts_ns
from engine.marks import Mark, Reason
from engine.messages import Emitted, Gap
from engine.pipeline import clean, unguarded
from engine.stateful import FAR_MV, initial_state, step_through
from models.registry import find_network
from streamer.errors import InputError

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine

EXACT_MV = 1e-5
"""What the order of additions in single precision may change."""
SAMPLES = 2003
SPEC = find_network(NAME)
SETTLED = 720
"""Samples after which nothing is left of what was before: the time that is allowed, 2 s."""


def in_turn(beds, size=61):
    """Rounds with a chunk of each of these (leads, samples), by name."""
    streams = [cut(data, [size], stream=name) for name, data in beds.items()]
    while chunks := [chunk for stream in streams if (chunk := next(stream, None))]:
        yield chunks


# Chunking


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.integers(1, 4096), min_size=1, max_size=6),
    st.sampled_from((4, 8, 16, 36, 100, 180, 612)),
    st.integers(0, STEPS.lookahead),
    st.sampled_from((0.0, 50.0, -50.0)),
)
def test_any_chunking_and_hop_give_the_whole_record(sizes, hop, lookahead, offset):
    data = ecg(2, SAMPLES, seed=sum(sizes) % 5)
    messages = streamed(data + np.float32(offset), hop, lookahead, sizes)
    np.testing.assert_array_equal(indices(messages), np.arange(SAMPLES))
    # As the electrode's offset rounds it: what is left of the ECG is what there is to clean.
    seen = (data + np.float32(offset)) - np.float32(offset)
    expected = whole(seen, lookahead)
    np.testing.assert_allclose(joined(messages, "cleaned"), expected[:, 0], atol=EXACT_MV)
    np.testing.assert_allclose(joined(messages, "spread"), expected[:, 1], rtol=0.02, atol=EXACT_MV)


@pytest.mark.parametrize("sizes", [(1,), (4096,), (3, 4096, 1)])
@pytest.mark.parametrize("hop", [4, 100])
def test_the_extremes_of_chunking(sizes, hop):
    data = ecg(1, 700)
    cleaned = joined(streamed(data, hop, 36, sizes), "cleaned")
    np.testing.assert_allclose(cleaned, whole(data, 36)[:, 0], atol=EXACT_MV)


@pytest.mark.parametrize("samples", [1, 3, 4, 15, 16, 17, 36, 52])
def test_a_stream_shorter_than_its_delay_comes_out_whole(samples):
    data = ecg(2, samples)
    messages = streamed(data)
    np.testing.assert_array_equal(indices(messages), np.arange(samples))
    np.testing.assert_allclose(joined(messages, "cleaned"), whole(data, 36)[:, 0], atol=EXACT_MV)


def test_nothing_wears_off_over_minutes():
    data = ecg(1, 2 * 60 * 360) + np.float32(50)
    cleaned = joined(streamed(data, 100, 36, (4096,)), "cleaned")
    np.testing.assert_allclose(cleaned, whole(data - np.float32(50), 36)[:, 0], atol=EXACT_MV)


def test_torch_and_onnx_stream_alike():
    data = ecg(2, 900)
    one, other = (joined(streamed(data, 36, runtime=runtime), "cleaned") for runtime in ("onnx", "torch"))
    np.testing.assert_allclose(one, other, atol=1e-4)


# Several streams


def test_streams_in_step_are_each_as_alone_in_one_call():
    beds = {"a": ecg(1, 900, seed=1), "b": ecg(3, 900, seed=2) + 50, "c": ecg(2, 900, seed=3)}
    recorded = Recorded()
    messages = list(unguarded(in_turn(beds, size=16), config(), recorded))
    assert max(recorded.rows) == 6
    for name, data in beds.items():
        alone = joined(streamed(data), "cleaned")
        np.testing.assert_allclose(joined(messages, "cleaned", name), alone, atol=EXACT_MV)


def test_several_hops_of_one_stream_in_one_round_come_one_after_the_other():
    beds = {"a": ecg(1, 900, seed=1), "b": ecg(1, 900, seed=2)}
    messages = list(unguarded(in_turn(beds, size=100), config(), backend()))
    for name, data in beds.items():
        np.testing.assert_array_equal(indices(messages, name), np.arange(900))
        expected = whole(data, 36)[:, 0]
        np.testing.assert_allclose(joined(messages, "cleaned", name), expected, atol=EXACT_MV)


def test_more_leads_than_a_call_takes_are_several_calls():
    beds = {f"bed {n}": ecg(12, 200, seed=n) for n in range(7)}
    recorded = Recorded()
    messages = list(unguarded(in_turn(beds, size=16), config(), recorded))
    assert max(recorded.rows) == 60 <= MAX_ROWS < 84
    assert 24 in recorded.rows
    for name in ("bed 0", "bed 6"):
        expected = whole(beds[name], 36)[:, 0]
        np.testing.assert_allclose(joined(messages, "cleaned", name), expected, atol=EXACT_MV)


def test_fixed_sizes_are_filled_up_and_the_filling_goes_nowhere():
    beds = {"a": ecg(1, 300, seed=1), "b": ecg(2, 300, seed=2)}
    recorded = Recorded(fixed_rows=(2, 4, 8))
    messages = list(unguarded(in_turn(beds, size=16), config(), recorded))
    assert set(recorded.rows) <= {2, 4, 8}
    assert 4 in recorded.rows
    for name, data in beds.items():
        assert joined(messages, "cleaned", name).shape == data.shape
        expected = whole(data, 36)[:, 0]
        np.testing.assert_allclose(joined(messages, "cleaned", name), expected, atol=EXACT_MV)


# Gaps


def test_a_gap_begins_one_bed_anew_and_no_other():
    first, second, other = ecg(1, 500, seed=1), ecg(1, 500, seed=2) + 3, ecg(1, 1000, seed=3)
    bed = [*cut(first, [50]), *cut(second, [50], start=700)]
    neighbour = list(cut(other, [50], stream="b"))
    messages = list(unguarded(zip(bed, neighbour, strict=True), config(), backend()))
    assert [(m.start, m.stop) for m in messages if isinstance(m, Gap)] == [(500, 700)]
    cleaned = joined(messages, "cleaned")
    np.testing.assert_allclose(cleaned[:, :500], whole(first, 36)[:, 0], atol=EXACT_MV)
    np.testing.assert_allclose(cleaned[:, 500:], whole(second, 36)[:, 0], atol=EXACT_MV)
    np.testing.assert_allclose(joined(messages, "cleaned", "b"), whole(other, 36)[:, 0], atol=EXACT_MV)


def test_warm_up_is_marked_until_a_window_has_been_heard_and_again_after_a_gap():
    rounds = ([chunk] for chunk in (*cut(ecg(2, 1500), [61]), *cut(ecg(2, 1500), [61], start=9000)))
    messages = list(unguarded(rounds, config(), backend()))
    marks = joined(messages, "marks")
    for segment in (marks[:, :1500], marks[:, 1500:]):
        assert (segment[:, : 720 - 52] == Mark.WARMUP).all()
        assert (segment[:, 720:] == Mark.CLEANED).all()


# What must not be remembered


BAD = {
    "nan": np.nan, "inf": np.inf, "-inf": -np.inf, "1e30": 1e30, "-1e30": -1e30,
    "hundred": 100.0, "thousand": -1000.0,
}  # fmt: skip


@pytest.mark.parametrize("hop", [4, 16, 180])
@pytest.mark.parametrize("value", BAD.values(), ids=list(BAD))
def test_nothing_bad_is_remembered_and_no_other_lead_is_touched(value, hop):
    data = ecg(3, 2600)
    bad = data.copy()
    bad[1, 1000:1040] = value
    good = joined(streamed(data, hop), "cleaned")
    seen = joined(streamed(bad, hop), "cleaned")
    np.testing.assert_allclose(seen[[0, 2]], good[[0, 2]], atol=EXACT_MV)
    before = slice(0, 1000 - 36 - hop)
    np.testing.assert_allclose(seen[1, before], good[1, before], atol=EXACT_MV)
    # Two seconds after the end of what was bad.
    settled = slice(1040 + SETTLED, None)
    assert np.isfinite(seen[1, settled]).all()
    error, power = np.square(seen - good)[1, settled].mean(), good[1, settled].var()
    assert error < 0.05 * power


def test_a_lead_whose_bad_values_alternate_comes_back():
    """Both signs within one hop: no first value stands for the others."""
    data = ecg(1, 2600)
    bad = data.copy()
    bad[0, 1000:1040:2], bad[0, 1001:1040:2] = 1e30, -1e30
    seen, good = (joined(streamed(each), "cleaned") for each in (bad, data))
    settled = slice(1040 + SETTLED, None)
    assert np.square(seen - good)[0, settled].mean() < 0.05 * good[0, settled].var()


def test_an_electrode_that_moves_far_begins_anew():
    """A step of more than `FAR_MV` is another electrode: as good at once as at a stream's start."""
    data, at = ecg(1, 1600), 800
    moved = data.copy()
    moved[:, at:] += 5 * FAR_MV
    cleaned = joined(streamed(moved, 16), "cleaned")
    expected = whole(data[:, at:], 36)[:, 0]
    np.testing.assert_allclose(cleaned[:, at + 36 :], expected[:, 36:], atol=EXACT_MV)


class Fails(Runtime):
    """Raises, or answers NaN, for a few steps."""

    def __init__(self, first, last, how="raises", name="first"):
        self._from, self._to, self._how, self.name = first, last, how, name
        self.calls, self.closed, self.given = 0, False, []

    def run(self, inputs):
        self.calls += 1
        self.given.append(np.isfinite(inputs["state"]).all())
        answer, after = backend().runtime.run(inputs)
        if self._from <= self.calls <= self._to:
            if self._how == "raises":
                raise RuntimeError("CUDA out of memory")
            answer, after = answer.copy(), after.copy()
            answer[0, :, 3] = np.nan
            after[0, 5000] = np.inf
        return answer, after

    def close(self):
        self.closed = True


@pytest.mark.parametrize("size", [16, 100])
def test_an_answer_that_is_no_number_begins_its_lead_anew_and_no_other(size):
    data = ecg(2, 2600)
    fails = Fails(40, 41, "nan")
    messages = list(unguarded(([c] for c in cut(data, [size])), config(), adapt(fails, SPEC)))
    assert all(fails.given)
    cleaned, good = joined(messages, "cleaned"), whole(data, 36)[:, 0]
    np.testing.assert_allclose(cleaned[1], good[1], atol=EXACT_MV)
    wrong = ~np.isfinite(cleaned[0])
    assert wrong.sum() == 2
    settled = slice(41 * 16 + SETTLED, None)
    error = np.square(cleaned - good)[0, settled].mean()
    assert 0 < error < 0.05 * good[0, settled].var()


def test_a_failing_backend_leaves_raw_for_a_moment_and_a_substitute_goes_on():
    data = ecg(2, 3600)
    failing = Reliable(Fails(40, 9999), SPEC, [lambda: Fails(0, 0, name="second")])
    steady = adapt(failing, SPEC)
    messages = list(clean(([c] for c in cut(data, [16])), config(), steady))
    assert steady.name == "second"
    assert "first failed: RuntimeError: CUDA out of memory" in failing.failures
    assert not failing.broken
    np.testing.assert_array_equal(indices(messages), np.arange(3600))
    cleaned, marks = joined(messages, "cleaned"), joined(messages, "marks")
    assert np.isfinite(cleaned).all()
    bypassed = (marks == Mark.BYPASSED).any(axis=0)
    lost = 39 * 16 - 36
    assert bypassed[lost : lost + 16].all()
    assert not bypassed[lost + SETTLED :].any()
    settled = slice(lost + SETTLED, None)
    good = whole(data, 36)[:, 0, settled]
    assert np.square(cleaned[:, settled] - good).mean() < 0.05 * good.var()


def test_without_a_substitute_all_is_raw_and_nothing_is_lost():
    failing = Reliable(Fails(10, 9999), SPEC)
    messages = list(clean(([c] for c in cut(ecg(1, 1600), [16])), config(), adapt(failing, SPEC)))
    assert failing.broken
    np.testing.assert_array_equal(indices(messages), np.arange(1600))
    marks = joined(messages, "marks")
    assert (marks[:, 200:] == Mark.BYPASSED).all()
    np.testing.assert_array_equal(joined(messages, "cleaned")[:, 400:], joined(messages, "raw")[:, 400:])


@pytest.mark.parametrize("value", [np.nan, 1e30])
def test_the_guard_shows_nothing_unusable_of_it(value):
    data = ecg(2, 3000)
    data[0, 1500:1520] = value
    messages = list(clean(([c] for c in cut(data, [16])), config(), backend()))
    cleaned, marks = joined(messages, "cleaned"), joined(messages, "marks")
    assert np.isnan(cleaned[0, 1500:1520]).all() == bool(np.isnan(value))
    ok = np.isfinite(cleaned)
    assert (ok | (marks == Mark.MISSING)).all()
    assert (marks[0, 1520 + SETTLED :] == Mark.CLEANED).all()
    assert (marks[1, 720:] == Mark.CLEANED).all()


# The delay


@pytest.mark.parametrize("hop", [4, 16, 100])
@pytest.mark.parametrize("lookahead_ms", [0, 25, 100, 300])
def test_nothing_later_than_look_ahead_and_hop_is_in_a_sample(lookahead_ms, hop):
    """Everything after t + look-ahead + hop is changed: not a bit changes up to t."""
    lookahead, at = round(0.36 * lookahead_ms), 1203
    data = ecg(1, 1700)
    changed = data.copy()
    changed[:, at + lookahead + hop :] = 7 * np.random.default_rng(0).standard_normal(
        changed[:, at + lookahead + hop :].shape
    )
    one, other = (streamed(each, hop, lookahead) for each in (data, changed))
    for name in ("cleaned", "spread"):
        upto = slice(0, at + 1)
        np.testing.assert_array_equal(joined(one, name)[:, upto], joined(other, name)[:, upto])
    assert (joined(one, "cleaned")[:, at + hop :] != joined(other, "cleaned")[:, at + hop :]).any()


@pytest.mark.parametrize("lookahead", [9, 36, 108])
def test_the_look_ahead_is_used(lookahead):
    """A sample changes with what comes within its look-ahead, and with nothing a step behind it."""
    at = 1203
    data = ecg(1, 1700)
    for behind, differs in ((lookahead - 8, True), (lookahead + STEPS.multiple, False)):
        changed = data.copy()
        changed[:, at + behind :] += 0.5
        one, other = (whole(each, lookahead)[0, 0, at] for each in (data, changed))
        assert (abs(one - other) > 1e-4) == differs


@pytest.mark.parametrize("lookahead_ms", [0, 25, 100, 300])
def test_a_sample_leaves_as_soon_as_its_look_ahead_and_hop_have_come(lookahead_ms):
    lookahead, hop = round(0.36 * lookahead_ms), 16
    come, left = 0, 0

    def rounds():
        nonlocal come
        for chunk in cut(ecg(1, 900), [1]):
            come = chunk.start + 1
            yield [chunk]
            if come < 900:
                assert come - left <= lookahead + hop

    for message in unguarded(rounds(), config(hop, lookahead), backend()):
        left = message.stop
        assert come - message.start <= lookahead + hop or come == 900


# Spread, ledger, settings


def test_the_spread_is_positive_and_shown():
    data = ecg(2, 1800)
    messages = list(clean(([c] for c in cut(data, [16])), config(), backend()))
    spread, marks = joined(messages, "spread"), joined(messages, "marks")
    shown = marks < Mark.BYPASSED
    assert shown.mean() > 0.9
    assert (spread[shown] > 0).all()
    assert np.isnan(spread[~shown]).all()
    np.testing.assert_allclose(spread[shown], whole(data, 36)[:, 1][shown], rtol=0.02, atol=1e-4)


def test_the_parts_of_a_delay_are_the_whole():
    clock_ns = [0]

    def clock():
        clock_ns[0] += 70_000
        return clock_ns[0]

    rounds = (
        [replace(chunk, source_time=np.full(chunk.data.shape[1], clock() / 1e9), arrived_ns=clock())]
        for chunk in cut(ecg(1, 900), [5])
    )
    count = 0
    for message in clean(rounds, config(), backend(), clock):
        assert isinstance(message, Emitted)
        handed = clock()
        parts = parts_ns([(message, handed)])
        assert {part.shape for part in parts} == {(message.raw.shape[1],)}
        assert min(part.min() for part in parts) >= 0
        np.testing.assert_allclose(parts.total, handed - 1e9 * message.source_time, atol=10)
        call = message.answer.call
        np.testing.assert_array_equal(parts.compute, call.finished_ns - call.started_ns)
        count += 1
    assert count > 50


@pytest.mark.parametrize(
    ("lookahead_ms", "hop_ms", "words"),
    [
        (100, 5, "hop of 5 ms is not possible; lowdelay takes multiples of 11.1 ms up to 2000 ms"),
        (100, 0, "hop of 0 ms is not possible"),
        (100, -40, "hop of -40 ms is not possible"),
        (100, 2010, "hop of 2010 ms is not possible"),
        (-3, 40, "look-ahead of -3 ms is not possible; lowdelay takes 0 to 300 ms"),
        (302, 40, "look-ahead of 302 ms is not possible; lowdelay takes 0 to 300 ms"),
        (300, 1800, "look-ahead of 300.0 ms is not possible; allowed: 0 to 200.0 ms"),
        (float("nan"), 40, "nan is no length of time"),
    ],
)
def test_an_illegal_hop_or_look_ahead_is_refused_with_what_is_allowed(lookahead_ms, hop_ms, words):
    with pytest.raises(InputError, match=words):
        EngineConfig.of(find_network(NAME), lookahead_ms, hop_ms)


@pytest.mark.parametrize(
    ("hop_ms", "samples"),
    [(6, 4), (11, 4), (11.2, 4), (20, 8), (40, 16), (44.4, 16), (1000, 360), (2000, 720)],
)
def test_a_hop_is_rounded_to_whole_steps(hop_ms, samples):
    assert EngineConfig.of(find_network(NAME), 0, hop_ms).hop == samples


def test_the_state_begins_with_the_first_sample():
    samples = np.array([[[0.5, 1, 2, 3]], [[-50, 1, 2, 3]]], np.float32)
    state = initial_state(samples, STEPS)
    assert state.shape == (2, STEPS.state)
    np.testing.assert_array_equal(state[:, : STEPS.led_by], [[0.5] * STEPS.led_by, [-50] * STEPS.led_by])
    assert not state[:, STEPS.led_by :].any()
    expected = trained().initial_state(torch.from_numpy(samples[:, :, 0])).numpy()
    np.testing.assert_array_equal(state, expected)


def test_a_round_without_hops_takes_no_step():
    recorded = Recorded()
    assert list(step_through(iter([[], []]), recorded, config())) == []
    assert recorded.rows == []


def test_an_answer_that_fails_is_named():
    failing = adapt(Reliable(Fails(30, 30), SPEC), SPEC)
    messages = list(clean(([c] for c in cut(ecg(1, 1200), [16])), config(), failing))
    reasons = [m.reasons for m in messages if m.reasons is not None]
    assert reasons
    assert {int(reason) for each in reasons for reason in np.unique(each)} == {0, Reason.NOT_FINITE}
