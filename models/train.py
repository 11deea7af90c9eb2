"""Train a network on Track F: seeded, resumable, stopped early on validation patients.

The same command runs on a CPU and on a GPU. Ctrl-C and a kill lose nothing but the steps since the
last checkpoint, which is written to a temporary name and renamed.
"""

import json
import math
import os
import pickle
import platform
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from models import registry
from models.data import Corpus, load_corpus, noisy_batch
from streamer.errors import InputError


@dataclass(frozen=True)
class TrainSettings:
    """Everything that decides what comes out of a training run.

    Parameters
    ----------
    steps
        Optimiser steps; the learning rate falls to zero along a cosine over them.
    batch
        Windows per step.
    rate
        Peak learning rate of AdamW.
    patience
        Validations without a better loss after which training stops.
    tail_s
        The last seconds of a window, which a small look-ahead emits, weigh fully; the context
        before them weighs a quarter.
    """

    steps: int = 16_000
    batch: int = 64
    rate: float = 2e-3
    weight_decay: float = 1e-2
    seed: int = 0
    validate_every: int = 500
    patience: int = 16
    tail_s: float = 1.0


def _rate_at(step: int, *, steps: int) -> float:
    """Share of the peak rate: up in a straight line over the first 5 %, then down along a cosine."""
    rising = max(1, steps // 20)
    return min(1.0, (step + 1) / rising) * 0.5 * (1 + math.cos(math.pi * step / steps))


def denoising_loss(output: Tensor, clean: Tensor, weight: Tensor) -> Tensor:
    """Half squared, half absolute error, both relative to the window's clean standard deviation.

    Shapes (batch, 1, window); `weight` (window,) averages over time. The square rewards SNR,
    the absolute value keeps small waves.
    """
    scale = clean.std(dim=-1, keepdim=True) + 0.05
    error = (output - clean) / scale
    return 0.5 * ((error**2 + error.abs()) * weight).mean()


def train(
    name: str,
    out: Path,
    settings: TrainSettings,
    *,
    data_dir: Path | None = None,
    device: str = "auto",
    threads: int = 0,
) -> Path:
    """Train network `name`; returns the folder with ``weights.safetensors`` and ``training.json``.

    Parameters
    ----------
    out
        Folder of the run. Holds ``checkpoint.pt``, from which a stopped run goes on, and
        ``log.jsonl``.
    device
        ``auto`` takes CUDA where there is one.
    threads
        CPU threads; 0 leaves torch's choice.
    """
    from safetensors.torch import save_file

    spec = registry.find_network(name)
    where = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(settings.seed)
    network = spec.build().to(where)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(_rate_at, steps=settings.steps))
    state = _State(name, network, optimiser, schedule, settings, where)
    out.mkdir(parents=True, exist_ok=True)
    state.resume(out / "checkpoint.pt")

    corpus = load_corpus("train", data_dir).to(where)
    checks = _validation_batches(load_corpus("validation", data_dir).to(where), spec.window, where)
    weight = torch.full((spec.window,), 0.25, device=where)
    weight[-round(settings.tail_s * spec.fs) :] = 1.0
    weight /= weight.mean()

    bar = Progress(
        TextColumn(f"train {name}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("validation {task.fields[best]:.4f}"),
    )  # fmt: skip
    with bar, (out / "log.jsonl").open("a", encoding="utf-8") as log:
        task = bar.add_task("", total=settings.steps, completed=state.step, best=state.best)
        while state.step < settings.steps and state.stale < settings.patience:
            started = time.perf_counter()
            loss = _run_steps(state, corpus, weight, spec.window)
            state.seconds += time.perf_counter() - started
            validation = _validate(network, checks, weight, where)
            state.judge(validation)
            line = {
                "step": state.step,
                "loss": loss,
                "validation": validation,
                "seconds": state.seconds,
            }
            log.write(json.dumps(line) + "\n")
            log.flush()
            state.save(out / "checkpoint.pt")
            bar.update(task, completed=state.step, best=state.best)

    weights = out / "weights.safetensors"
    save_file(state.best_weights, weights)
    report = {
        "settings": asdict(settings),
        "steps_run": state.step,
        "best_validation_loss": state.best,
        "minutes": round(state.seconds / 60, 1),
        "machine": f"{where.type}, {torch.get_num_threads()} threads, {platform.machine()}",
        "torch": torch.__version__,
    }
    (out / "training.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return out


class _State:
    """What a checkpoint holds: network, optimiser, schedule, generator, and the best so far."""

    def __init__(
        self,
        name: str,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        settings: TrainSettings,
        device: torch.device,
    ) -> None:
        self.name = name
        self.network, self.optimiser, self.schedule = network, optimiser, schedule
        self.settings = settings
        self.generator = torch.Generator(device).manual_seed(settings.seed)
        self.step = self.stale = 0
        self.best = float("inf")
        self.seconds = 0.0
        self.best_weights: dict[str, Tensor] = {}

    def judge(self, validation: float) -> None:
        """Keep the weights if they are the best so far."""
        if validation < self.best:
            self.best, self.stale = validation, 0
            self.best_weights = {k: v.detach().cpu().clone() for k, v in self.network.state_dict().items()}
        else:
            self.stale += 1

    def save(self, path: Path) -> None:
        """Write to a temporary name, then rename: a kill leaves the old checkpoint whole."""
        temporary = path.with_suffix(".tmp")
        torch.save(
            {
                "name": self.name,
                "settings": asdict(self.settings),
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "schedule": self.schedule.state_dict(),
                "generator": self.generator.get_state(),
                "progress": [self.step, self.stale, self.best, self.seconds],
                "best_weights": self.best_weights,
            },
            temporary,
        )
        os.replace(temporary, path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, if there is one of the same settings."""
        if not path.is_file():
            return
        afresh = "give another --out to start afresh"
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(f"{path} is no whole checkpoint; {afresh}") from error
        if (saved["name"], saved["settings"]) != (self.name, asdict(self.settings)):
            raise InputError(
                f"{path} belongs to a run of {saved['name']!r} with other settings ({saved['settings']}); "
                f"give the same to go on, or {afresh}"
            )
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.schedule.load_state_dict(saved["schedule"])
        self.generator.set_state(saved["generator"])
        self.step, self.stale, self.best, self.seconds = saved["progress"]
        self.best_weights = saved["best_weights"]


def _run_steps(state: _State, corpus: Corpus, weight: Tensor, window: int) -> float:
    """Train up to the next validation; returns the mean training loss."""
    state.network.train()
    count = min(state.settings.validate_every, state.settings.steps - state.step)
    total = torch.zeros((), device=weight.device)
    for _ in range(count):
        noisy, clean = noisy_batch(corpus, state.settings.batch, window, state.generator)
        with torch.autocast(weight.device.type, dtype=torch.bfloat16):
            output = state.network(noisy)
        loss = denoising_loss(output.float(), clean, weight)
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
        state.optimiser.step()
        state.schedule.step()
        total += loss.detach()
        state.step += 1
    return total.item() / count


def _validation_batches(corpus: Corpus, window: int, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """Fixed batches: the same examples at every validation, whatever the training seed."""
    generator = torch.Generator(device).manual_seed(2718)
    return [noisy_batch(corpus, 256, window, generator) for _ in range(8)]


@torch.no_grad()
def _validate(
    network: nn.Module, batches: list[tuple[Tensor, Tensor]], weight: Tensor, device: torch.device
) -> float:
    network.eval()
    losses = [denoising_loss(network(noisy), clean, weight).item() for noisy, clean in batches]
    return sum(losses) / len(losses)
