"""The check that a compiled network cleans as ONNX Runtime does, made whenever one is opened."""

from collections.abc import Callable

import numpy as np

from engine.backends.base import Batch, State
from engine.backends.gpu.shapes import fixed_samples
from engine.backends.onnxrt import OnnxBackend, OnnxSteps
from models.registry import ModelCard
from models.spec import StepSpec
from streamer.errors import InputError

PARITY_MV = {"fp32": 1e-3, "fp16": 1e-2}
"""Largest difference allowed, mV. MIT-BIH records have steps of 5e-3 mV."""
STATE_PARITY = 2e-4
"""Largest difference allowed in the numbers of a state, relative to those above 1: less than half
precision rounds by (5e-4), much more than ONNX Runtime and torch differ by on a CPU (5e-6)."""
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
        _allow(difference, card, precision, count)


def check_step_parity(
    card: ModelCard,
    steps: StepSpec,
    rows: tuple[int, ...],
    step: Callable[[Batch, State, int], tuple[Batch, State]],
) -> None:
    """Take a hop that needs steps of every length, in every batch size, without and with a look-ahead.

    It begins with a state in which nothing is zero, and the state that follows is compared as well.

    Raises
    ------
    InputError
        If answers differ by more than `PARITY_MV` of single precision, or states by more than
        `STATE_PARITY`.
    """
    reference = OnnxSteps(card, steps)
    samples = probe(card)[:, :, : sum(fixed_samples(steps))].copy()
    state = 0.1 * np.random.default_rng(1).standard_normal((_WINDOWS, steps.state)).astype(np.float32)
    state[:, : steps.led_by] = samples[:, 0, :1]
    for lookahead in (0, steps.lookahead):
        answer, after = reference.step(samples, state, lookahead)
        for count in rows:
            pick = np.arange(count) % _WINDOWS
            said, kept = step(samples[pick], state[pick], lookahead)
            _allow(float(np.abs(said - answer[pick]).max()), card, "fp32", count)
            strayed = float((np.abs(kept - after[pick]) / np.maximum(1, np.abs(after[pick]))).max())
            if not strayed <= STATE_PARITY:
                raise InputError(
                    f"the state of {card.spec.name!r} differs from ONNX Runtime's by {strayed:.2g} in a "
                    f"batch of {count} rows, and {STATE_PARITY:g} is allowed; use --backend onnx"
                )
    reference.close()


def _allow(difference: float, card: ModelCard, precision: str, rows: int) -> None:
    # Written so that NaN fails.
    if not difference <= PARITY_MV[precision]:
        raise InputError(
            f"{card.spec.name!r} in {precision} differs from ONNX Runtime by {difference:.2g} mV in a "
            f"batch of {rows} rows, and {PARITY_MV[precision]:g} mV are allowed; "
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
