"""When a lead starts afresh, and what its state then is."""

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import Batch, State
from models.spec import StepSpec

FAR_MV = 20.0
"""A lead further than this from its own baseline shows a fault of an electrode, no ECG: it starts afresh."""


def initial_state(samples: Batch, steps: StepSpec) -> State:
    """State before the first of these samples, (rows, 1, samples) mV → (rows, numbers)."""
    state = np.zeros((len(samples), steps.state), np.float32)
    state[:, : steps.led_by] = samples[:, 0, :1]
    return state


def far_leads(baseline: Batch, new: Batch) -> NDArray[np.bool_]:
    """Which leads are far from their baselines (rows, 1) in these samples (rows, samples), mV."""
    # Written so that NaN counts as far.
    far: NDArray[np.bool_] = ~(np.maximum.reduce(np.abs(new - baseline), axis=1) <= FAR_MV)
    return far
