"""Train a network that keeps state, as a bed needs it: seeded, resumable, averaged, with its curve kept.

The same command runs on a CPU and on a GPU. Ctrl-C and a kill lose nothing but the steps since the last
checkpoint. The weights that a run leaves are the average that was best on validation patients.
"""

import copy
import json
import math
import platform
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from models import registry
from models.networks.lowdelay import LowDelay
from models.training.bedside import Pool, bedside_batch, load_pool
from models.training.checks import Checks, judge, load_checks, mean_db
from models.training.epochs import prepare
from models.training.patients import patients_folder
from models.training.run_state import Plan, RunState
from models.training.statistics import gather, spread_out
from models.training.step_objective import StepObjective
from streamer.errors import InputError

GATHERED = 12
"""Batches from which the norms' statistics are gathered before they freeze."""


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
    """

    steps: int = 20_000
    batch: int = 32
    window: int = 2160
    context: int = 432
    rate: float = 7e-4
    weight_decay: float = 1e-2
    seed: int = 0
    validate_every: int = 100
    frozen_from: float = 0.8
    decay: float = 0.998
    patients: bool = False
    begun_with: str = ""

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


def train_steps(
    name: str,
    out: Path,
    settings: StepSettings,
    *,
    data_dir: Path | None = None,
    patients: Path | None = None,
    device: str = "auto",
    threads: int = 0,
    begin: Path | None = None,
) -> Path:
    """Train network `name`; returns the folder with ``weights.safetensors`` and ``training.json``.

    Parameters
    ----------
    out
        Folder of the run. Holds ``checkpoint.pt``, from which a stopped run goes on, and
        ``log.jsonl``, its curve.
    patients
        Folder of more patients and noise [default: the one that ``ECG_STREAM_PATIENTS`` names].
    begin
        Folder of a finished run, or a file of weights, that this one begins with.

    Raises
    ------
    InputError
        If there is no such run, or a checkpoint of another one in `out`.
    """
    folder = patients_folder(patients)
    settings = replace(settings, patients=folder is not None)
    where = prepare(device, threads, settings.seed)
    spec = registry.find_network(name)
    network = spec.build()
    assert isinstance(network, LowDelay)
    assert spec.steps is not None
    before: dict[str, Any] = {}
    if begin:
        settings, before = _begin(network, begin, settings)
    network.to(where)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
    plan = Plan(settings.steps, settings.validate_every)
    state = RunState(name, network, optimiser, rate_at, settings, where, plan)
    out.mkdir(parents=True, exist_ok=True)
    state.resume(out / "checkpoint.pt")

    pool = load_pool(data_dir, folder).to(where)
    checks = load_checks(data_dir, where)
    objective = StepObjective(spec.steps.lookahead, spec.fs, settings.context)
    freeze_at = 0 if begin else round(settings.frozen_from * settings.steps)
    if begin and state.step == 0:
        _gather(network, pool, settings)
    if state.step >= freeze_at:
        network.freeze()
    _run(state, pool, checks, objective, out, freeze_at)
    return finish(state, out, before)


def _begin(network: nn.Module, begin: Path, settings: StepSettings) -> tuple[StepSettings, dict[str, Any]]:
    """Load the weights that a run begins with; returns the settings that say so, and what made them."""
    from safetensors.torch import load_file

    file = begin / "weights.safetensors" if begin.is_dir() else begin
    if not file.is_file():
        raise InputError(f"{begin} holds no weights to begin with; give a finished run, or a .safetensors")
    network.load_state_dict(spread_out(load_file(file)))
    report = begin / "training.json"
    before = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
    return replace(settings, begun_with=registry.sha256(file)), before


def _gather(network: LowDelay, pool: Pool, settings: StepSettings) -> None:
    """Statistics from examples of their own, so that a run's own are the same with and without."""
    draw = torch.Generator(pool.clean.device).manual_seed(31337 + settings.seed)
    batches = [bedside_batch(pool, settings.batch, settings.window, draw)[0] for _ in range(GATHERED)]
    gather(network, batches)


def _run(
    state: RunState, pool: Pool, checks: Checks, objective: StepObjective, out: Path, freeze_at: int
) -> None:
    settings: StepSettings = state.settings
    average = copy.deepcopy(state.network)
    bar = Progress(
        TextColumn(f"train {state.name}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("validation {task.fields[best]:.2f} dB"),
    )  # fmt: skip
    with bar, (out / "log.jsonl").open("a", encoding="utf-8") as log:
        task = bar.add_task("", total=settings.steps, completed=state.step, best=-state.best)
        while state.step < settings.steps:
            started = time.perf_counter()
            stop = min(state.step + settings.validate_every, settings.steps)
            if state.step < freeze_at < stop:
                stop = freeze_at
            loss = _steps(state, stop - state.step, pool, objective)
            if state.step == freeze_at:
                _gather(state.network, pool, settings)  # type: ignore[arg-type]
                state.network.freeze()  # type: ignore[operator]
                # What was averaged before had other statistics.
                state.average = {}
                state.follow(0.0)
            average.load_state_dict(state.average)
            figures = judge(average, checks)
            state.seconds += time.perf_counter() - started
            state.judge(-mean_db(figures), state.average)
            line = {
                "step": state.step,
                "signal_s": round(state.step * settings.seconds_a_step),
                "loss": loss,
                "validation": -mean_db(figures),
                "db": figures,
                "rate": state.schedule.get_last_lr()[0],
                "seconds": state.seconds,
            }
            log.write(json.dumps(line) + "\n")
            log.flush()
            state.save(out / "checkpoint.pt")
            bar.update(task, completed=state.step, best=-state.best)


def _steps(state: RunState, count: int, pool: Pool, objective: StepObjective) -> float:
    """Train for `count` steps; returns their mean loss."""
    settings: StepSettings = state.settings
    state.network.train()
    total = torch.zeros((), device=pool.clean.device)
    for _ in range(count):
        noisy, clean = bedside_batch(pool, settings.batch, settings.window, state.generator)
        loss = objective.learn(state.network, noisy, clean, state.generator)
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
        state.optimiser.step()
        state.schedule.step()
        state.follow(settings.decay)
        total += loss.detach()
        state.step += 1
    return total.item() / count


def finish(state: RunState, out: Path, before: dict[str, Any]) -> Path:
    """Write the best average, with its spread scaled, and the report of the run."""
    raise NotImplementedError
