"""Any configuration, any chunking, any faults: every sample that comes in leaves once, or is missing."""

import numpy as np
import pytest
from engine_tools import Identity, IdentitySteps
from fault_tools import FUZZ, Counting, played, settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from soak_tools import note_result

from engine.config import EngineConfig
from engine.marks import Mark
from engine.messages import Emitted, Gap
from engine.pipeline import clean
from streamer.faults.schedule import KINDS
from streamer.faults.source import FaultySource
from streamer.resample import resample

FS = 360.0
STEPS = IdentitySteps.steps
SECONDS = 2.0


@st.composite
def runs(draw):
    stateful = draw(st.booleans())
    if stateful:
        window, hop = STEPS.longest, STEPS.multiple * draw(st.integers(1, STEPS.longest // STEPS.multiple))
    else:
        window = draw(st.integers(1, 300))
        hop = draw(st.integers(max(1, window // 8), window))
    longest = min(STEPS.lookahead, window - hop) if stateful else window - hop
    return {
        "config": EngineConfig(FS, window, hop, draw(st.integers(0, longest))),
        "stateful": stateful,
        "kinds": draw(st.sets(st.sampled_from(sorted(KINDS)))),
        "seed": draw(st.integers(0, 1 << 20)),
        "often": draw(st.sampled_from([1.0, 30.0, 200.0])),
        "fs": draw(st.sampled_from([360.0, 360.0, 250.0, 500.0])),
        "chunk_s": draw(st.sampled_from([0.04, 0.1, 0.7])),
        "streams": draw(st.integers(1, 2)),
    }


def check(config, stateful, kinds, seed, often, fs, chunk_s, streams):
    sources, came, beds = {}, {}, []
    for number in range(streams):
        # Small, as ECG is: a lead that jumps by 20 mV begins anew in a network that keeps state.
        signal = Counting(fs, round(SECONDS * fs), leads=1 + number, step_mv=0.001 if stateful else 1.0)
        source = FaultySource(
            played(signal, chunk_s=chunk_s),
            settings(*kinds, seed=seed + number, first_s=0.3, often=often),
        )
        name = f"bed {number}"
        sources[name], came[name] = source, []
        beds.append(_chunks(source, name, came[name]))
    messages = list(clean(_rounds(beds), config, IdentitySteps() if stateful else Identity()))
    for name, chunks in came.items():
        _check_stream(chunks, [message for message in messages if message.stream == name], stateful)


def _chunks(source, name, came):
    def real():
        for chunk in source.chunks():
            if chunk.data.shape[1] or chunk.ends_segment:
                yield chunk

    for chunk in resample(real(), source.info, FS):
        renamed = type(chunk)(
            name, chunk.start, chunk.data, chunk.source_time, chunk.arrived_ns, chunk.reference,
            chunk.annotations, chunk.ends_segment,
        )  # fmt: skip
        if renamed.data.shape[1]:
            came.append(renamed)
        yield renamed


def _rounds(beds):
    """A chunk of each stream that still has one."""
    while beds:
        together = []
        for bed in list(beds):
            chunk = next(bed, None)
            if chunk is None:
                beds.remove(bed)
            else:
                together.append(chunk)
        yield together


def _check_stream(came, messages, stateful):
    if not came:
        assert not messages
        return
    position = came[0].start
    for message in messages:
        assert message.start == position
        position = message.stop
    assert position == came[-1].stop
    emitted = [message for message in messages if isinstance(message, Emitted)]
    sent = np.concatenate([chunk.data for chunk in came], axis=1)
    where = np.concatenate([np.arange(chunk.start, chunk.stop) for chunk in came])
    left = np.concatenate([np.arange(message.start, message.stop) for message in emitted])
    np.testing.assert_array_equal(left, where)
    gaps = sum(message.stop - message.start for message in messages if isinstance(message, Gap))
    assert len(left) + gaps == came[-1].stop - came[0].start
    raw, cleaned, marks = (
        np.concatenate([getattr(message, name) for message in emitted], axis=1)
        for name in ("raw", "cleaned", "marks")
    )
    missing = ~np.isfinite(sent)
    np.testing.assert_array_equal(marks == Mark.MISSING, missing)
    np.testing.assert_array_equal(np.isnan(raw), missing)
    np.testing.assert_array_equal(np.isnan(cleaned), missing)
    np.testing.assert_array_equal(raw[~missing], sent[~missing])
    said = ~missing
    if stateful:
        # What each lead's segment begins with is taken off it; the guard fades to raw, which has it.
        said &= marks != Mark.BYPASSED
        segments = np.concatenate([np.full(m.stop - m.start, m.answer.hop.first) for m in emitted])
        for inside in (said & (segments == first) for first in np.unique(segments)):
            for lead, known in enumerate(inside):
                sent[lead, known] -= (raw - cleaned)[lead, known][:1]
    np.testing.assert_allclose(cleaned[said], sent[said], rtol=3e-6, atol=1e-5)


@given(run=runs())
@hypothesis_settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_every_sample_leaves_once(run):
    check(**run)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.skipif(not FUZZ, reason="part of `make soak`")
def test_every_sample_leaves_once_in_any_run():
    done = 0

    @given(run=runs())
    @hypothesis_settings(
        deadline=None, max_examples=FUZZ, suppress_health_check=list(HealthCheck), database=None
    )
    def all_of_them(run):
        nonlocal done
        check(**run)
        done += 1

    all_of_them()
    note_result("fuzzed_configurations", tried=done, samples_lost_doubled_or_moved=0)
