"""What a training run keeps on disk, so that a stop loses nothing but the steps since then."""

import os
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from streamer.errors import InputError


@dataclass(frozen=True)
class Plan:
    """How long a run is: fixed before its first step, and kept by its checkpoint."""

    steps: int
    validate_every: int


Rates = Callable[[int, int], float]
"""Share of the peak learning rate at a step, of so many."""


class RunState:
    """What a checkpoint holds: plan, network, optimiser, schedule, generators, average, and the best so far.

    Parameters
    ----------
    settings
        All that decides what comes out of the run, as its report shows it. A checkpoint of other
        settings is refused.
    rates
        The learning rate of every step.
    plan
        None where it is still to be made: `begin` takes it.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        rates: Rates,
        settings: Any,
        device: torch.device,
        plan: Plan | None = None,
    ) -> None:
        self.name, self.network, self.optimiser, self.settings = name, network, optimiser, settings
        self._rates = rates
        self.generator = torch.Generator(device).manual_seed(settings.seed)
        self.step = self.stale = 0
        self.best = float("inf")
        self.seconds = 0.0
        self.best_weights: dict[str, Tensor] = {}
        self.average: dict[str, Tensor] = {}
        self.plan = plan
        if plan is not None:
            self.begin(plan)

    def begin(self, plan: Plan) -> None:
        """Fix how long the run is, and with it the learning rate of every step."""
        self.plan = plan
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: self._rates(step, plan.steps)
        )

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Let the average of the weights follow them: over a third of the run at first, then by the decay.

        It is better than the weights of any step, and needs no falling learning rate to be.
        """
        decay = min(decay, (self.step + 1) / (self.step + 4))
        for name, value in self.network.state_dict().items():
            if name not in self.average or not value.is_floating_point():
                self.average[name] = value.clone()
            else:
                self.average[name].lerp_(value, 1 - decay)

    def judge(self, validation: float, weights: dict[str, Tensor] | None = None) -> None:
        """Keep the weights, the network's own unless others are given, if they are the best so far."""
        if validation < self.best:
            self.best, self.stale = validation, 0
            weights = weights or self.network.state_dict()
            self.best_weights = {k: v.detach().cpu().clone() for k, v in weights.items()}
        else:
            self.stale += 1

    def save(self, path: Path) -> None:
        """Write to a temporary name, then rename: a kill leaves the old checkpoint whole."""
        if self.plan is None:
            raise RuntimeError("a run without a plan has nothing to go on from")
        temporary = path.with_suffix(".tmp")
        torch.save(
            {
                "name": self.name,
                "settings": asdict(self.settings),
                "plan": asdict(self.plan),
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "schedule": self.schedule.state_dict(),
                "generator": self.generator.get_state(),
                # Dropout draws from the devices' own.
                "devices": [torch.get_rng_state(), *torch.cuda.get_rng_state_all()],
                "progress": [self.step, self.stale, self.best, self.seconds],
                "best_weights": self.best_weights,
                "average": self.average,
            },
            temporary,
        )
        os.replace(temporary, path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, if there is one of the same settings."""
        if not path.is_file():
            return
        saved = load_checkpoint(path)
        if (saved["name"], saved["settings"]) != (self.name, asdict(self.settings)):
            raise InputError(
                f"{path} belongs to a run of {saved['name']!r} with other settings ({saved['settings']}); "
                "give the same to go on, or give another --out to start afresh"
            )
        self.begin(Plan(**saved["plan"]))
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.schedule.load_state_dict(saved["schedule"])
        self.generator.set_state(saved["generator"])
        torch.set_rng_state(saved["devices"][0])
        # A run may go on where there are fewer GPUs, or none.
        for index, state in enumerate(saved["devices"][1 : 1 + torch.cuda.device_count()]):
            torch.cuda.set_rng_state(state, index)
        self.step, self.stale, self.best, self.seconds = saved["progress"]
        self.best_weights = saved["best_weights"]
        device = self.generator.device
        self.average = {name: value.to(device) for name, value in saved.get("average", {}).items()}


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `RunState.save` wrote; raises `InputError` where the file is not whole."""
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is no whole checkpoint; give another --out to start afresh") from error
    return saved
