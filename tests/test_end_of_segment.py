import numpy as np
import pytest
from engine_tools import Identity

from engine.config import EngineConfig
from engine.messages import Gap
from engine.pipeline import clean
from streamer.chunk import Chunk, StreamInfo
from streamer.resample import Resampler, resample

CONFIG = EngineConfig(fs=100, window=64, hop=4, lookahead=20)


def chunk(start, count, *, ends_segment=False):
    data = np.arange(start, start + count, dtype=np.float32)[None]
    return Chunk("s", start, data, np.arange(count) / 100.0, 0, ends_segment=ends_segment)


def run(chunks):
    """Messages, each with the number of chunks that had been read when it left."""
    read, seen = 0, []

    def rounds():
        nonlocal read
        for item in chunks:
            read += 1
            yield [item]

    for message in clean(rounds(), CONFIG, Identity()):
        if isinstance(message, Gap):
            seen.append((read, message))
        else:
            seen.append((read, message.released()))
    return seen


def samples(seen):
    return np.concatenate([m.cleaned[0] for _, m in seen if not isinstance(m, Gap)])


def test_what_waits_leaves_when_a_segment_ends():
    seen = run([chunk(0, 50), chunk(50, 0, ends_segment=True), chunk(50, 0, ends_segment=True)])
    assert max(m.stop for read, m in seen if read <= 2) == 50
    np.testing.assert_allclose(samples(seen), np.arange(50), atol=1e-4)


@pytest.mark.parametrize("gap", [0, 1, 30])
def test_a_segment_begins_afresh_with_or_without_a_gap(gap):
    ended = chunk(50, 0, ends_segment=True)
    seen = run([chunk(0, 50), ended, ended, chunk(50 + gap, 50)])
    gaps = [m for _, m in seen if isinstance(m, Gap)]
    assert [(g.start, g.stop) for g in gaps] == ([(50, 50 + gap)] if gap else [])
    np.testing.assert_allclose(samples(seen), np.r_[0:50, 50 + gap : 100 + gap], atol=1e-4)


def test_an_end_before_the_first_sample_is_nothing():
    assert [m.stop for _, m in run([chunk(0, 0, ends_segment=True), chunk(0, 3)])] == [3]


def test_a_resampler_hands_out_its_tail_when_a_segment_ends():
    info = StreamInfo(130, ("II",), "s", "s")
    ended = chunk(260, 0, ends_segment=True)
    out = list(resample([chunk(0, 260), ended, chunk(260, 130)], info, 100))
    place = next(i for i, item in enumerate(out) if item.ends_segment)
    total = Resampler(130, 100).outputs_before(260)
    assert out[place].start == total
    assert sum(item.data.shape[1] for item in out[:place]) == total
    starts = [item.start for item in out]
    assert starts == sorted(starts)
    assert sum(item.data.shape[1] for item in out) == Resampler(130, 100).outputs_before(390)
