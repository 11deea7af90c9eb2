"""Everything that decides what comes out of training a network that keeps state."""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class StepSettings:
    """Everything that decides what comes out of a run.

    Parameters
    ----------
    steps
        Optimiser steps; the learning rate falls to a hundredth along a cosine over them.
    batch, window, context
        Examples per step, samples of each, and how many at its beginning are not scored.
    rate
        Peak learning rate of AdamW.
    frozen_from
        Share of the steps after which the norms' statistics stay as they are. A run that begins with
        weights has them frozen from its first step.
    decay
        Of the average of the weights.
    patients
        Whether it learns from the folder of patients.
    begun_with
        SHA-256 of the weights that the run begins with; empty where it begins with none.
    widened
        Channels that those were widened to (`models.training.widen`); 0 where they were not.
    """

    steps: int = 40_000
    batch: int = 16
    window: int = 2160
    context: int = 432
    rate: float = 1e-3
    weight_decay: float = 1e-2
    seed: int = 0
    validate_every: int = 100
    frozen_from: float = 0.8
    decay: float = 0.999
    patients: bool = False
    begun_with: str = ""
    widened: int = 0

    @property
    def seconds_a_step(self) -> float:
        """Signal that a step hears."""
        return self.batch * self.window / 360


FULL = StepSettings(steps=40_000, batch=128, rate=2e-3, validate_every=500, decay=0.9995)
"""For a GPU: 31 million seconds of signal, from untrained weights."""


def rate_at(step: int, steps: int) -> float:
    """Share of the peak rate: up over the first 200 steps, then down along a cosine to a hundredth."""
    return min(1.0, (step + 1) / min(200, max(1, steps // 5))) * (
        0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    )


def command(name: str, settings: StepSettings) -> str:
    """The command that makes such a run; what it began with is named by its fingerprint."""
    options = {"steps": settings.steps, "batch": settings.batch, "rate": settings.rate, "seed": settings.seed}
    words = [f"--{key} {value:g}" for key, value in options.items()]
    words.append(f"--validate-every {settings.validate_every}")
    if replace(settings, patients=False, begun_with="") == FULL:
        words = ["--full"]
    if settings.begun_with:
        words.append(f"--begin {settings.begun_with[:12]}")
    if settings.widened:
        words.append(f"--widen {settings.widened}")
    return f"ecg-stream train {name} " + " ".join(words)
