"""Similarity of the waves around beats in the output and in the reference."""

import numpy as np
from numpy.typing import NDArray

from models.beat_matching import Beats
from models.benches.track_f import FS

P_S = (-0.22, -0.06)
"""Where the P wave lies, s around the R peak."""


def cut(trace: NDArray[np.float32], beats: Beats, span_s: tuple[float, float]) -> NDArray[np.float32]:
    """Stretches around beats, (beats, samples)."""
    offsets = np.arange(round(span_s[0] * FS), round(span_s[1] * FS))
    cut: NDArray[np.float32] = trace[beats[:, None] + offsets]
    return cut


def median_r(
    said: NDArray[np.float32], reference: NDArray[np.float32], beats: Beats, span_s: tuple[float, float]
) -> float | None:
    """Median over beats of Pearson's r; None without beats."""
    if not beats.size:
        return None
    ours, theirs = (cut(trace, beats, span_s) for trace in (said, reference))
    ours, theirs = (x - x.mean(axis=1, keepdims=True) for x in (ours, theirs))
    norm = np.sqrt((ours**2).sum(axis=1) * (theirs**2).sum(axis=1))
    return float(np.median((ours * theirs).sum(axis=1) / np.maximum(norm, 1e-12)))
