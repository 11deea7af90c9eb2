"""The ST view: what is slow comes back, what is fast stays away, and drift goes."""

import numpy as np
import pytest
from gui_tools import message

from engine.messages import Gap
from engine.st_view import StView, st_view_of

FS = 360


def view_of(messages, leads=1):
    """What is known after each message, and at the end, by its first sample."""
    view = StView(leads, FS)
    found = [
        view.rest() if isinstance(each, Gap) else view.push(each.start, each.raw, each.cleaned)
        for each in messages
    ]
    found.append(view.rest())
    return {first: known for first, known in found if known.shape[1]}


def released(start, raw, cleaned):
    return message(start, raw, cleaned=cleaned)


def test_what_is_slow_comes_back_and_what_is_fast_does_not():
    at = np.arange(7200) / FS
    cleaned = np.sin(2 * np.pi * 9 * at).astype(np.float32)
    for hz, least, most in ((0.3, 0.95, 1.0), (1.5, 0.97, 1.0), (20.0, 0.0, 0.05), (50.0, 0.0, 0.001)):
        raw = cleaned + np.sin(2 * np.pi * hz * at).astype(np.float32)
        left = (st_view_of(raw, cleaned, FS) - cleaned)[3600:-30]
        assert least <= np.std(left) * np.sqrt(2) <= most
    # An electrode's offset is gone from the first sample on, a drift of half an hour's period in the end.
    assert np.abs(st_view_of(cleaned + np.float32(300), cleaned, FS) - cleaned).max() < 1e-4
    drift = np.sin(2 * np.pi * at / 1800).astype(np.float32)
    assert np.abs(st_view_of(cleaned + drift, cleaned, FS)[3600:] - cleaned[3600:]).max() < 0.02


@pytest.mark.parametrize("cut", [14, 36, 100, 3599])
def test_any_cut_into_messages_gives_the_same(cut):
    raw, cleaned = np.random.default_rng(2).normal(0, 0.3, (2, 2, 3600)).astype(np.float32)
    parts = view_of(
        (released(at, raw[:, at : at + cut], cleaned[:, at : at + cut]) for at in range(0, 3600, cut)), 2
    )
    joined = np.concatenate(list(parts.values()), axis=1)
    assert joined.shape == (2, 3600)
    assert np.cumsum([0, *(part.shape[1] for part in parts.values())])[:-1].tolist() == list(parts)
    for lead in range(2):
        np.testing.assert_allclose(joined[lead], st_view_of(raw[lead], cleaned[lead], FS), atol=1e-6)


def test_a_gap_ends_a_stretch_and_the_next_begins_without_its_drift():
    raw = np.zeros(360)
    parts = view_of([released(0, raw + 0.5, raw), Gap("test", 360, 500), released(500, raw + 2.0, raw)])
    assert list(parts) == [0, 338, 500, 838]
    assert all(np.abs(part).max() < 1e-6 for part in parts.values())


def test_what_is_missing_shows_nowhere_and_spoils_nothing():
    raw = np.full(720, 0.2)
    raw[300:310] = np.nan
    parts = view_of([released(0, raw, np.where(np.isnan(raw), np.nan, 0.0))])
    joined = np.concatenate(list(parts.values()), axis=1)[0]
    assert np.flatnonzero(np.isnan(joined)).tolist() == list(range(300, 310))
    assert np.nanmax(np.abs(joined)) < 1e-6
    # A lead that begins missing too.
    raw[:310] = np.nan
    joined = np.concatenate(list(view_of([released(0, raw, 0 * raw)]).values()), axis=1)[0]
    assert np.isfinite(joined[310:]).all()
