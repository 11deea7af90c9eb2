"""Train a network that keeps state, as a bed needs it: seeded, resumable, averaged, with its curve kept.

The same command runs on a CPU and on a GPU. Ctrl-C and a kill lose nothing but the steps since the last
checkpoint. The weights that a run leaves are the average that was best on validation patients.
"""

import copy
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from models import registry
from models.benches.track_f import FS
from models.networks.lowdelay import LowDelay
from models.training.bedside import Pool, bedside_batch, load_pool
from models.training.beginning import read_beginning
from models.training.blend import Weights
from models.training.checks import judge, load_checks, mean_db
from models.training.data import load_corpus, noisy_batch
from models.training.epochs import prepare
from models.training.patients import patients_folder
from models.training.run_state import Plan, RunState
from models.training.statistics import gather, spread_out
from models.training.step_objective import StepObjective
from models.training.step_report import finish
from models.training.step_settings import StepSettings, rate_at
from models.training.widen import widen
from streamer.errors import InputError

GATHERED = 12
"""Batches from which the norms' statistics are gathered before they freeze."""
GATHERED_ROWS = (16, 3600)
"""Examples in each, and their samples."""


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
    widened: int = 0,
    end: bool = False,
    blended: bool = False,
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
        Folder of a finished run, or a file of weights, that this one begins with. Beside a file a
        card may lie, as beside those that the package ships.
    widened
        Channels of the trunk that those weights are widened to; 0 leaves them as they are.
    end
        Take no further step: make weights of what the run has come to. It can still go on afterwards.
        Of a run that has not begun these are the weights that it begins with, with statistics for
        every look-ahead.
    blended
        Make weights between those that the run began with and those that it came to
        (`models.training.blend`).

    Raises
    ------
    InputError
        If there is no such run, or a checkpoint of another one in `out`, or if a network is to be
        widened that has as many channels already, or none.
    """
    folder = patients_folder(patients)
    settings = replace(settings, patients=folder is not None, widened=widened)
    where = prepare(device, threads, settings.seed)
    spec = registry.find_network(name)
    network = spec.build()
    assert isinstance(network, LowDelay)
    before: dict[str, Any] = {}
    begun: Weights = {}
    bare = False
    if begin:
        settings, before, bare = _begin(network, begin, settings)
        if widened:
            narrow, network = network, spec.build(channels=widened)
            assert isinstance(network, LowDelay)
            widen(narrow, network, seed=settings.seed)
    elif widened:
        raise InputError("--widen is for weights that a run begins with: give --begin too")
    elif blended:
        raise InputError("--blend is between what a run began with and what it came to: give --begin too")
    network.to(where)
    warm = begin is not None
    # Statistics that the weights were learnt with fit them better than new ones.
    if bare or (end and warm and not blended and not (out / "checkpoint.pt").is_file()):
        _gather(network, data_dir, settings)
    if blended:
        begun = copy.deepcopy(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
    plan = Plan(settings.steps, settings.validate_every)
    state = RunState(name, network, optimiser, rate_at, settings, where, plan)
    out.mkdir(parents=True, exist_ok=True)
    state.resume(out / "checkpoint.pt")

    freeze_at = 0 if warm else round(settings.frozen_from * settings.steps)
    if state.step >= freeze_at:
        network.freeze()
    if not end:
        assert spec.steps is not None
        goal = StepObjective(spec.steps.lookahead, FS, settings.context)
        _run(state, load_pool(data_dir, folder).to(where), goal, data_dir, out, freeze_at)
    return finish(state, out, data_dir, before, begun)


def _begin(
    network: nn.Module, begin: Path, settings: StepSettings
) -> tuple[StepSettings, dict[str, Any], bool]:
    """Load the weights that a run begins with.

    Returns the settings that say so, what made them, and whether all look-aheads share their statistics.
    """
    found = read_beginning(begin)
    weights = spread_out(found.weights)
    bare = any(found.weights[name].shape != value.shape for name, value in weights.items())
    network.load_state_dict(weights)
    return replace(settings, begun_with=found.sha256), found.report, bare


def _gather(network: LowDelay, data_dir: Path | None, settings: StepSettings) -> None:
    """Statistics of Track F's own mixture, −8 to 24 dB: the levels that a bed mostly meets.

    From examples of their own, so that a run's are the same with and without.
    """
    corpus = load_corpus("train", data_dir, more_patients=True)
    draw = torch.Generator().manual_seed(31337 + settings.seed)
    where = next(network.parameters()).device
    gather(network, [noisy_batch(corpus, *GATHERED_ROWS, draw)[0].to(where) for _ in range(GATHERED)])


def _run(
    state: RunState,
    pool: Pool,
    objective: StepObjective,
    data_dir: Path | None,
    out: Path,
    freeze_at: int,
) -> None:
    settings: StepSettings = state.settings
    checks = load_checks(data_dir, pool.clean.device)
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
                network = state.network
                assert isinstance(network, LowDelay)
                _gather(network, data_dir, settings)
                network.freeze()
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
