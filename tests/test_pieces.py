"""A network called by long hops leaves what short hops leave: samples, marks and reasons."""

from dataclasses import replace

import numpy as np
import pytest

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.guard.limits import limits_of
from engine.guard.stage import guard
from engine.in_process.pieces import in_pieces
from engine.marks import Mark, Reason
from engine.messages import Emitted, Gap
from engine.pipeline import clean, unguarded
from models.registry import load_card
from streamer.chunk import Chunk
from streamer.synthetic import SyntheticPatient

CARD = load_card("lowdelay")
SHORT = EngineConfig.of(CARD.spec, 300, 40)
LONG = replace(SHORT, hop=608)


@pytest.fixture(scope="module")
def backend():
    return open_backend("onnx", CARD)


def played(pieces):
    """Chunks of a stream, each piece (start, data) in two."""
    for start, data in pieces:
        for at in (slice(0, 200), slice(200, None)):
            part = data[:, at]
            if part.shape[1]:
                yield [Chunk("s", start + (at.start or 0), part, np.zeros(part.shape[1]), 0)]


def ecg(samples, seed=1):
    return SyntheticPatient(leads=("II", "V5"), seed=seed).read(0, samples).data


def troubled(samples):
    """An ECG with a hole, a lead off and a stretch of pure noise."""
    data = ecg(samples).copy()
    data[0, 900:930] = np.nan
    data[1, 2000:4500] = data[1, 2000]
    noise = np.random.default_rng(0).standard_normal((1, 4000)).astype(np.float32)
    data[:1, 5000:9000] = noise
    return data


def both(pieces, backend):
    limits = limits_of(CARD)
    short = list(clean(played(pieces), SHORT, backend, lambda: 0, limits=limits))
    messages = unguarded(played(pieces), LONG, backend, lambda: 0)
    return short, list(guard(in_pieces(messages, LONG, SHORT), SHORT, limits))


CASES = {
    "troubled": [(0, troubled(10_000))],
    "shorter than the look-ahead": [(0, ecg(50))],
    "shorter than a hop": [(0, ecg(600))],
    "ends with a hop": [(0, ecg(2 * 608))],
    "ends in two flushed hops": [(0, ecg(608 + 550))],
    "gaps": [(7, ecg(1000)), (1100, ecg(300, 2)), (5000, ecg(3001, 3))],
}


@pytest.mark.parametrize("pieces", CASES.values(), ids=CASES)
def test_the_same_leaves_by_long_hops_as_by_short_ones(pieces, backend):
    short, long = both(pieces, backend)
    assert [(type(m), m.start, m.stop) for m in long] == [(type(m), m.start, m.stop) for m in short]
    for one, other in zip(short, long, strict=True):
        if isinstance(one, Gap):
            continue
        assert np.allclose(other.cleaned, one.cleaned, atol=3e-6, equal_nan=True)
        assert np.array_equal(other.marks, one.marks)
        reasons = [np.zeros_like(m.marks) if m.reasons is None else m.reasons for m in (one, other)]
        assert np.array_equal(*reasons)


def test_the_troubled_case_has_every_kind_of_mark(backend):
    short, _ = both(CASES["troubled"], backend)
    marks = np.concatenate([m.marks for m in short if isinstance(m, Emitted)], axis=1)
    reasons = {int(r) for m in short if m.reasons is not None for r in np.unique(m.reasons)}
    assert set(np.unique(marks)) == {Mark.CLEANED, Mark.WARMUP, Mark.BYPASSED, Mark.MISSING}
    assert {Reason.NO_INPUT, Reason.FLAT} < reasons
    assert reasons - {Reason.NONE, Reason.NO_INPUT, Reason.FLAT}


def test_annotations_and_reference_stay_with_their_samples(backend):
    from streamer.chunk import Annotation

    data = ecg(3000)
    marks = tuple(Annotation(sample, "N") for sample in range(0, 3000, 100))
    chunk = Chunk("s", 0, data, np.arange(3000) / 360, 0, -data, marks)
    left = list(in_pieces(unguarded([[chunk]], LONG, backend, lambda: 0), LONG, SHORT))
    assert tuple(mark for m in left for mark in m.annotations) == marks
    assert all(m.start <= mark.sample < m.stop for m in left for mark in m.annotations)
    assert np.array_equal(np.concatenate([m.reference for m in left], axis=1), -data)
    assert np.array_equal(np.concatenate([m.source_time for m in left]), np.arange(3000) / 360)
