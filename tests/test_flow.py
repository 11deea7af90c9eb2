"""What the whole design rests on: nothing lost, nothing moved, no look further ahead than promised."""

from itertools import zip_longest

import numpy as np
import pytest
from engine_tools import FS, Identity, Moving, cut, indices, joined
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import EngineConfig
from engine.marks import Mark
from engine.messages import Emitted, Gap
from engine.pipeline import clean
from streamer.errors import InputError


@st.composite
def configs(draw):
    window = draw(st.integers(1, 90))
    hop = draw(st.integers(1, window))
    return EngineConfig(FS, window, hop, draw(st.integers(0, window - hop)))


chunkings = st.lists(st.integers(1, 400), min_size=1, max_size=6)


def noise(leads, samples, seed=0):
    return np.random.default_rng(seed).normal(size=(leads, samples)).astype(np.float32)


def run(chunks, config, backend=None):
    return list(clean(([chunk] for chunk in chunks), config, backend or Identity()))


@given(configs(), chunkings, st.integers(1, 3), st.integers(1, 500))
@settings(deadline=None, max_examples=60)
def test_an_identity_network_returns_its_input(config, sizes, leads, samples):
    data = noise(leads, samples)
    messages = run(cut(data, sizes), config)
    np.testing.assert_array_equal(indices(messages), np.arange(samples))
    np.testing.assert_allclose(joined(messages, "cleaned"), data, atol=1e-6)
    np.testing.assert_array_equal(joined(messages, "raw"), data)
    np.testing.assert_array_equal(joined(messages, "reference"), data)
    np.testing.assert_array_equal(joined(messages, "source_time"), np.arange(samples) / FS)
    # The weighted squares are single precision: their root is good to about a microvolt a millivolt.
    assert joined(messages, "spread").max() < 5e-3


@given(configs(), st.integers(1, 4096), st.integers(1, 4096))
@settings(deadline=None, max_examples=30)
def test_any_chunking_gives_the_same_output(config, one, other):
    data = noise(2, 700)
    first, second = (run(cut(data, [size]), config, Moving(5)) for size in (one, other))
    for name in ("cleaned", "spread", "marks"):
        np.testing.assert_array_equal(joined(first, name), joined(second, name))


@given(configs(), st.integers(0, 399))
@settings(deadline=None, max_examples=50)
def test_no_output_depends_on_what_comes_after_its_lookahead_and_hop(config, changed):
    data = noise(1, 400)
    other = data.copy()
    other[:, changed:] += 10
    before, after = (joined(run(cut(each, [7]), config, Moving(30)), "cleaned") for each in (data, other))
    differs = np.flatnonzero((before != after).any(axis=0))
    # Sample n may see up to n + look-ahead + hop - 1: less than `delay_s` ahead.
    assert differs.size == 0 or differs[0] > changed - config.tail


def test_the_lookahead_is_really_used():
    """The bound above is tight: the sample that waits longest sees its whole future."""
    config = EngineConfig(FS, 64, 8, 20)
    data = noise(1, 400)
    reached = []
    for changed in range(200, 216):
        other = data.copy()
        other[:, changed] += 10
        before, after = (joined(run(cut(each, [8]), config, Moving(30)), "cleaned") for each in (data, other))
        reached.append(changed - np.flatnonzero((before != after)[0])[0])
    assert max(reached) == config.tail - 1


@given(
    configs(), chunkings, st.lists(st.tuples(st.integers(1, 200), st.integers(1, 50)), min_size=1, max_size=5)
)
@settings(deadline=None, max_examples=50)
def test_a_gap_is_reported_and_never_bridged(config, sizes, segments):
    chunks, expected, gaps, at = [], [], [], 0
    for number, (length, hole) in enumerate(segments):
        data = noise(1, length, seed=number)
        chunks += cut(data, sizes, start=at)
        expected.append(np.arange(at, at + length))
        gaps.append((at + length, at + length + hole))
        at += length + hole
    messages = run(chunks, config)
    assert [(m.start, m.stop) for m in messages if isinstance(m, Gap)] == gaps[:-1]
    np.testing.assert_array_equal(indices(messages), np.concatenate(expected))
    whole = np.concatenate([noise(1, length, seed=n) for n, (length, _) in enumerate(segments)], axis=1)
    np.testing.assert_allclose(joined(messages, "cleaned"), whole, atol=1e-6)
    # Order: whatever left before the gap message lies before the gap.
    position = 0
    for message in messages:
        assert message.start == position
        position = message.stop


def test_what_follows_a_gap_is_as_if_nothing_had_been_before():
    config = EngineConfig(FS, 64, 8, 20)
    before, after = noise(1, 300, 1), noise(1, 300, 2)
    both = run([*cut(before, [10]), *cut(after, [10], start=1000)], config, Moving(30))
    alone = run(cut(after, [10], start=1000), config, Moving(30))
    np.testing.assert_array_equal(joined(both, "cleaned")[:, 300:], joined(alone, "cleaned"))


def test_a_source_that_goes_back_is_a_defect():
    config = EngineConfig(FS, 64, 8, 20)
    chunks = [*cut(noise(1, 50), [50]), *cut(noise(1, 50), [50], start=40)]
    with pytest.raises(ValueError, match="never go back"):
        run(chunks, config)


@given(configs(), chunkings, st.integers(0, 99), st.integers(1, 40))
@settings(deadline=None, max_examples=40)
def test_missing_samples_stay_missing_and_harm_nothing_else(config, sizes, start, length):
    data = noise(2, 150)
    data[1, start : start + length] = np.nan
    messages = run(cut(data, sizes), config)
    lost = np.isnan(data)
    np.testing.assert_array_equal(np.isnan(joined(messages, "cleaned")), lost)
    np.testing.assert_array_equal(joined(messages, "marks") == Mark.MISSING, lost)
    np.testing.assert_allclose(joined(messages, "cleaned")[~lost], data[~lost], atol=1e-6)


def test_an_unusable_output_becomes_raw_and_heals():
    class Breaks(Identity):
        calls = 0

        def infer(self, batch):
            Breaks.calls += 1
            out = batch.copy()
            if Breaks.calls == 10:
                out[:, :, -3] = np.nan
            return out

    config = EngineConfig(FS, 64, 8, 20)
    data = noise(1, 1000)
    messages = run(cut(data, [8]), config, Breaks())
    bypassed = np.flatnonzero(joined(messages, "marks")[0] == Mark.BYPASSED)
    # The tenth window ends at sample 80; its third newest sample is number 77, of the hop from 76 on.
    # Raw stays for a second, and the fade back takes a tenth.
    np.testing.assert_array_equal(bypassed, np.arange(76, bypassed[-1] + 1))
    assert 360 <= bypassed.size <= 360 + 2 * 36 + 8
    np.testing.assert_allclose(joined(messages, "cleaned"), data, atol=1e-6)


def test_the_first_window_of_a_segment_is_marked_warm_up():
    config = EngineConfig(FS, 64, 8, 20)
    marks = joined(run(cut(noise(1, 400), [8]), config), "marks")[0]
    # The first window without filling ends at sample 64 and emits from 64 - 28 on.
    np.testing.assert_array_equal(np.flatnonzero(marks == Mark.WARMUP), np.arange(36))


def test_many_streams_share_a_batch_and_do_not_mix():
    rows = []

    class Counts(Identity):
        def infer(self, batch):
            rows.append(len(batch))
            return batch.copy()

    config = EngineConfig(FS, 64, 8, 20)
    wards = {
        name: noise(leads, 300 + 8 * leads, seed=leads) for name, leads in (("a", 1), ("b", 2), ("c", 3))
    }
    beds = [cut(data, [8], stream=name) for name, data in wards.items()]
    rounds = ([chunk for chunk in each if chunk is not None] for each in zip_longest(*beds))
    messages = list(clean(rounds, config, Counts()))
    assert max(rows) >= 6
    for name, data in wards.items():
        np.testing.assert_array_equal(indices(messages, name), np.arange(data.shape[1]))
        np.testing.assert_allclose(joined(messages, "cleaned", name), data, atol=1e-6)


def test_a_gap_in_one_stream_leaves_the_others_alone():
    config = EngineConfig(FS, 64, 8, 20)
    steady = noise(1, 320, 1)
    broken = [*cut(noise(1, 160, 2), [8], stream="b"), *cut(noise(1, 80, 3), [8], stream="b", start=200)]
    rounds = ([c for c in pair if c] for pair in zip_longest(cut(steady, [8]), broken))
    with_gap = list(clean(rounds, config, Moving(30)))
    np.testing.assert_array_equal(
        joined(with_gap, "cleaned"), joined(run(cut(steady, [8]), config, Moving(30)), "cleaned")
    )
    assert [(m.stream, m.start, m.stop) for m in with_gap if isinstance(m, Gap)] == [("b", 160, 200)]


def test_a_chunk_larger_than_any_batch_passes():
    config = EngineConfig(FS, 16, 1, 3)
    data = noise(2, 5000)
    np.testing.assert_allclose(joined(run(cut(data, [5000]), config), "cleaned"), data, atol=1e-6)


@pytest.mark.parametrize("leads", [1, 3])
def test_a_stream_whose_leads_change_is_a_defect_and_not_spread_over_all(leads):
    chunks = [*cut(noise(2, 50), [10]), *cut(noise(leads, 50), [10], start=50)]
    with pytest.raises(ValueError, match=f"a chunk has {leads} leads but the stream began with 2"):
        run(chunks, EngineConfig(FS, 64, 8, 20))


def test_messages_do_not_change_after_they_left():
    config = EngineConfig(FS, 32, 4, 10)
    data = noise(1, 3000)
    seen, copies = [], []
    for message in clean(([c] for c in cut(data, [5])), config, Identity()):
        seen.append(message)
        copies.append([message.raw.copy(), message.cleaned.copy(), message.source_time.copy()])
    for message, (raw, cleaned, source_time) in zip(seen, copies, strict=True):
        assert isinstance(message, Emitted)
        np.testing.assert_array_equal(message.raw, raw)
        np.testing.assert_array_equal(message.cleaned, cleaned)
        np.testing.assert_array_equal(message.source_time, source_time)


@pytest.mark.parametrize(
    ("window", "hop", "lookahead", "words"),
    [
        (720, 14, 707, "look-ahead"),
        (720, 14, -1, "look-ahead"),
        (720, 0, 0, "hop"),
        (720, 721, 0, "hop"),
    ],
)
def test_illegal_settings_are_refused(window, hop, lookahead, words):
    with pytest.raises(InputError, match=words):
        EngineConfig(FS, window, hop, lookahead)


def test_milliseconds_are_rounded_to_the_nearest_sample():
    config = EngineConfig.from_ms(360.0, 720, 350.0, 40.0)
    assert (config.lookahead, config.hop) == (126, 14)
    assert config.delay_s == pytest.approx(140 / 360)
    with pytest.raises(InputError, match="no length of time"):
        EngineConfig.from_ms(360.0, 720, float("nan"), 40.0)
