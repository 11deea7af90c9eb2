"""The check that a compiled network cleans as ONNX Runtime does, made whenever one is opened."""

from collections.abc import Callable

import numpy as np

from engine.backends.base import Batch
from engine.backends.onnxrt import OnnxBackend
from models.registry import ModelCard
from streamer.errors import InputError

PARITY_MV = {"fp32": 1e-3, "fp16": 1e-2}
"""Largest difference allowed, mV. MIT-BIH records have steps of 5e-3 mV."""
_WINDOWS = 2


def check_parity(
    card: ModelCard, precision: str, rows: tuple[int, ...], infer: Callable[[Batch], Batch]
) -> None:
    """Run made windows through both, in every batch size.

    Raises
    ------
    InputError
        If they differ by more than `PARITY_MV`.
    """
    reference = OnnxBackend(card)
    windows = probe(card)
    expected = reference.infer(windows)
    reference.close()
    for count in rows:
        pick = np.arange(count) % _WINDOWS
        difference = float(np.abs(infer(windows[pick]) - expected[pick]).max())
        # Written so that NaN fails.
        if not difference <= PARITY_MV[precision]:
            raise InputError(
                f"{card.spec.name!r} in {precision} differs from ONNX Runtime by {difference:.2g} mV in a "
                f"batch of {count} rows, and {PARITY_MV[precision]:g} mV are allowed; "
                f"use {'fp32' if precision == 'fp16' else '--backend onnx'}"
            )


def probe(card: ModelCard) -> Batch:
    """Two windows like an ECG, mV: spikes on wander in noise; the second on an electrode offset."""
    spec = card.spec
    rng = np.random.default_rng(0)
    time = np.arange(spec.window) / spec.fs
    spikes = np.exp(-0.5 * (((time + 0.2) % 0.8 - 0.4) / 0.02) ** 2)
    noise = 0.1 * rng.standard_normal((_WINDOWS, spec.leads, spec.window))
    offset = np.array([0.0, 50.0])[:, None, None]
    windows: Batch = (spikes + 0.3 * np.sin(3 * time) + noise + offset).astype(np.float32)
    return windows
