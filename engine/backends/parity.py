"""The check that a compiled network cleans as ONNX Runtime does, made whenever one is opened."""

from collections.abc import Iterator

import numpy as np

from engine.backends.base import Batch, Inputs, Runtime
from engine.backends.gpu.shapes import fixed_samples
from engine.backends.onnxrt import OnnxRuntime
from engine.backends.ports import steps_of
from models.registry import ModelCard
from streamer.errors import InputError

PARITY_MV = {"fp32": 1e-3, "fp16": 1e-2}
"""Largest difference allowed, mV. MIT-BIH records have steps of 5e-3 mV."""
STATE_PARITY = 2e-4
"""Largest difference allowed in the numbers of a state, relative to those above 1: less than half
precision rounds by (5e-4), much more than ONNX Runtime and torch differ by on a CPU (5e-6)."""
_ROWS = 2


def check_parity(card: ModelCard, runtime: Runtime, precision: str = "fp32") -> None:
    """Run made signals through both, with every number of rows that the runtime has fixed.

    Of a stateful network the state that follows is compared as well.

    Raises
    ------
    InputError
        If signals differ by more than `PARITY_MV`, or states by more than `STATE_PARITY`.
    """
    reference = OnnxRuntime(card)
    named = f"{card.spec.name!r} in {precision} differs from ONNX Runtime"
    instead = "fp32" if precision == "fp16" else "--backend onnx"
    for inputs in _inputs(card):
        expected, *states = reference.run(inputs)
        for rows in runtime.fixed_rows:
            pick = np.arange(rows) % _ROWS
            picked = {name: each[pick] if each.ndim else each for name, each in inputs.items()}
            found, *after = runtime.run(picked)
            where = f"in a batch of {rows} rows"
            difference = float(np.abs(found - expected[pick]).max())
            # Written so that NaN fails.
            if not difference <= PARITY_MV[precision]:
                allowed = f"{PARITY_MV[precision]:g} mV is allowed; use {instead}"
                raise InputError(f"{named} by {difference:.2g} mV {where}, and {allowed}")
            for state, wanted in zip(after, states, strict=True):
                relative = np.abs(state - wanted[pick]) / np.maximum(1, np.abs(wanted[pick]))
                if not relative.max() <= STATE_PARITY:
                    allowed = f"{STATE_PARITY:g} is allowed; use {instead}"
                    raise InputError(f"{named} in its state by {relative.max():.2g} {where}, and {allowed}")
    reference.close()


def _inputs(card: ModelCard) -> Iterator[Inputs]:
    """Windows, or a hop that needs steps of every length, without and with a look-ahead.

    The state begins with numbers none of which is zero.
    """
    windows, steps = probe(card), steps_of(card.spec)
    if steps is None:
        yield {"noisy": windows}
        return
    samples = windows[:, :, : sum(fixed_samples(card.spec))].copy()
    state = 0.1 * np.random.default_rng(1).standard_normal((_ROWS, steps.state)).astype(np.float32)
    state[:, : steps.led_by] = samples[:, 0, :1]
    for lookahead in (0, steps.lookahead):
        yield {"noisy": samples, "state": state, "lookahead": np.array(lookahead, np.int64)}


def probe(card: ModelCard) -> Batch:
    """Two windows like an ECG, mV: spikes on wander in noise; the second on an electrode offset."""
    spec = card.spec
    rng = np.random.default_rng(0)
    time = np.arange(spec.window) / spec.fs
    spikes = np.exp(-0.5 * (((time + 0.2) % 0.8 - 0.4) / 0.02) ** 2)
    noise = 0.1 * rng.standard_normal((_ROWS, spec.leads, spec.window))
    offset = np.array([0.0, 50.0])[:, None, None]
    windows: Batch = (spikes + 0.3 * np.sin(3 * time) + noise + offset).astype(np.float32)
    return windows
