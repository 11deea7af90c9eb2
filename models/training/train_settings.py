"""Everything that decides what comes out of training a network of windows."""

import math
from dataclasses import dataclass

LONG_WINDOW = 720
"""Samples; of longer windows a step takes fewer, so that it holds no more signal."""


@dataclass(frozen=True)
class TrainSettings:
    """Everything that decides what comes out of a training run.

    Parameters
    ----------
    steps
        Optimiser steps; the learning rate falls to zero along a cosine over them.
    minutes
        How long the run takes, in place of `steps` and `validate_every`: a few steps are timed, then
        the number of steps is fixed, with `VALIDATIONS` validations among them.
    batch
        Windows per step, of up to `LONG_WINDOW` samples.
    rate
        Peak learning rate of AdamW.
    patience
        Validations without a better loss after which training stops.
    begun_with
        SHA-256 of the weights that the run begins with; empty where it begins with none.
    patients
        Whether it also learns from the folder of patients; then every second step takes bedside
        examples, and each example counts by the logarithm of its error.
    tail_s
        The last seconds of a window, which a small look-ahead emits, weigh fully; the context
        before them weighs a quarter.
    """

    steps: int = 16_000
    minutes: float | None = None
    batch: int = 64
    rate: float = 2e-3
    weight_decay: float = 1e-2
    seed: int = 0
    validate_every: int = 500
    patience: int = 16
    tail_s: float = 1.0
    begun_with: str = ""
    patients: bool = False

    def rows(self, window: int) -> int:
        """Windows per step, for windows of so many samples."""
        return max(1, min(self.batch, self.batch * LONG_WINDOW // window))


def rate_at(step: int, steps: int) -> float:
    """Share of the peak rate: up in a straight line over the first 5 %, then down along a cosine."""
    rising = max(1, steps // 20)
    return min(1.0, (step + 1) / rising) * 0.5 * (1 + math.cos(math.pi * step / steps))


def command(name: str, settings: TrainSettings) -> str:
    """The command that makes such a run."""
    options = {"batch": settings.batch, "rate": settings.rate, "seed": settings.seed}
    if settings.minutes is None:
        options |= {"steps": settings.steps, "validate-every": settings.validate_every}
    else:
        options |= {"minutes": round(settings.minutes, 2)}
    words = [f"--{key} {value:g}" for key, value in options.items()]
    if settings.begun_with:
        words.append(f"--begin {settings.begun_with[:12]}")
    if settings.patients:
        words.append("--patients FOLDER")
    return f"ecg-stream train {name} " + " ".join(words)
