"""Train a network of windows on Track F: seeded, resumable, stopped early on validation patients.

The same command runs on a CPU and on a GPU, and every such network learns by the same recipe. Ctrl-C and
a kill lose nothing but the steps since the last checkpoint.
"""

import copy
import json
import platform
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from models import registry
from models.training.bedside import Pool, bedside_batch, load_pool
from models.training.beginning import read_beginning
from models.training.data import Corpus, load_corpus, noisy_batch
from models.training.loss_plot import plot_losses
from models.training.objective import WindowObjective
from models.training.patients import PATIENTS_ABOUT, patients_folder
from models.training.run_state import Plan, RunState
from models.training.train_settings import TrainSettings, command, rate_at
from streamer.errors import InputError

VALIDATIONS = 10
"""In a run whose length is given in minutes."""
_TIMED_STEPS = 10
_FEWEST_STEPS = 2 * VALIDATIONS


def train(
    name: str,
    out: Path,
    settings: TrainSettings,
    *,
    data_dir: Path | None = None,
    device: str = "auto",
    threads: int = 0,
    begin: Path | None = None,
    patients: Path | None = None,
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
    begin
        Folder of a finished run, or a file of weights, that this one begins with.
    patients
        Folder of more patients and noise, for a network of one lead, which then learns from the QT
        Database too.

    Raises
    ------
    InputError
        If there is no such run, or a checkpoint of another one in `out`, or if patients are given for
        a network of two leads.
    """
    from safetensors.torch import save_file

    spec = registry.find_network(name)
    if spec.steps:
        raise InputError(f"{name} keeps state, and is trained by `train_steps`")
    where = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(settings.seed)
    network = spec.build()
    before = {}
    if begin:
        found = read_beginning(begin)
        network.load_state_dict(found.weights)
        before, settings = found.report, replace(settings, begun_with=found.sha256)
    if patients:
        if spec.leads > 1:
            raise InputError(f"{name} takes {spec.leads} leads together; more patients are for one lead")
        patients = patients_folder(patients)
        settings = replace(settings, patients=True)
    state = _new_state(name, network.to(where), settings, where)
    out.mkdir(parents=True, exist_ok=True)
    state.resume(out / "checkpoint.pt")

    corpus = load_corpus(
        "train", data_dir, spec.leads, more_patients=spec.more_patients or settings.patients
    ).to(where)
    data = _Data(
        corpus,
        load_pool(data_dir, patients).to(where) if patients else None,
        _validation_batches(
            load_corpus("validation", data_dir, spec.leads).to(where), spec.window, spec.leads
        ),
        WindowObjective(spec.window, round(settings.tail_s * spec.fs), where, alike=settings.patients),
        spec.leads,
        settings.rows(spec.window),
        spec.window,
    )
    plan = state.plan
    if plan is None:
        plan = _plan(state, data)
        state.begin(plan)

    bar = Progress(
        TextColumn(f"train {name}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("validation {task.fields[best]:.4f}"),
    )  # fmt: skip
    with bar, (out / "log.jsonl").open("a", encoding="utf-8") as log:
        task = bar.add_task("", total=plan.steps, completed=state.step, best=state.best)
        while state.step < plan.steps and state.stale < settings.patience:
            started = time.perf_counter()
            loss = _run_steps(state, min(plan.validate_every, plan.steps - state.step), data)
            validation = _validate(state.network, data)
            state.seconds += time.perf_counter() - started
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

    state.network.load_state_dict(state.best_weights)
    weights = out / "weights.safetensors"
    save_file({name: value.cpu() for name, value in state.network.state_dict().items()}, weights)
    plot_losses(out / "log.jsonl", out / "loss.png", name)
    report = {
        "command": command(name, settings),
        "settings": asdict(settings),
        "steps_planned": plan.steps,
        "steps_run": state.step,
        "rows_per_step": data.rows,
        "best_validation_loss": state.best,
        "minutes": round(state.seconds / 60, 1),
        "machine": f"{where.type}, {torch.get_num_threads()} threads, {platform.machine()}",
        "torch": torch.__version__,
    }
    if settings.patients:
        report |= PATIENTS_ABOUT
    if before:
        report["begun_with"] = before
    (out / "training.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return out


@dataclass(frozen=True)
class _Data:
    """What a network sees of the world: examples to learn from, and those that judge it."""

    corpus: Corpus
    pool: Pool | None
    checks: list[tuple[Tensor, Tensor]]
    objective: WindowObjective
    leads: int
    rows: int
    window: int


def _new_state(name: str, network: nn.Module, settings: TrainSettings, device: torch.device) -> RunState:
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
    plan = None if settings.minutes is not None else Plan(settings.steps, settings.validate_every)
    return RunState(name, network, optimiser, rate_at, settings, device, plan)


def _plan(state: RunState, data: _Data) -> Plan:
    """Time a few steps and a validation on a copy, then say how many fill the minutes."""
    settings: TrainSettings = state.settings
    began = time.perf_counter()
    trial = _new_state(
        state.name,
        copy.deepcopy(state.network),
        replace(settings, minutes=None, steps=2 * _TIMED_STEPS),
        data.corpus.clean.device,
    )
    # The first steps are slow: memory is laid out, kernels are chosen.
    _run_steps(trial, _TIMED_STEPS // 2, data)
    started = time.perf_counter()
    _run_steps(trial, _TIMED_STEPS, data)
    stepped = time.perf_counter()
    _validate(trial.network, data)
    ended = time.perf_counter()
    state.seconds += ended - began
    return plan_steps(
        60 * (settings.minutes or 0) - state.seconds, (stepped - started) / _TIMED_STEPS, ended - stepped
    )


def plan_steps(seconds: float, step_s: float, validation_s: float) -> Plan:
    """Steps, in `VALIDATIONS` stretches of equal length, that fill a time with their validations.

    Raises
    ------
    InputError
        If fewer than two steps would lie between two validations.
    """
    steps = int((seconds - VALIDATIONS * validation_s) / step_s)
    if steps < _FEWEST_STEPS:
        needed = (_FEWEST_STEPS * step_s + VALIDATIONS * validation_s) / 60
        raise InputError(
            f"{max(seconds, 0) / 60:.1f} minutes are too few: a step takes {step_s:.2f} s and a validation "
            f"{validation_s:.1f} s here; give at least {needed:.1f} minutes"
        )
    every = steps // VALIDATIONS
    return Plan(every * VALIDATIONS, every)


def _run_steps(state: RunState, count: int, data: _Data) -> float:
    """Train for `count` steps; returns their mean loss."""
    state.network.train()
    total = torch.zeros((), device=data.corpus.clean.device)
    for _ in range(count):
        if data.pool is not None and state.step % 2:
            noisy, clean = bedside_batch(data.pool, data.rows, data.window, state.generator)
        else:
            noisy, clean = noisy_batch(data.corpus, data.rows, data.window, state.generator, data.leads)
        loss = data.objective.learn(state.network, noisy, clean)
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
        state.optimiser.step()
        state.schedule.step()
        total += loss.detach()
        state.step += 1
    return total.item() / count


def _validation_batches(corpus: Corpus, window: int, leads: int) -> list[tuple[Tensor, Tensor]]:
    """Fixed batches: the same examples at every validation, whatever the training seed."""
    generator = torch.Generator(corpus.clean.device).manual_seed(2718)
    rows = TrainSettings(batch=256).rows(window)
    return [noisy_batch(corpus, rows, window, generator, leads) for _ in range(8)]


@torch.no_grad()
def _validate(network: nn.Module, data: _Data) -> float:
    network.eval()
    losses = [data.objective.judge(network, noisy, clean).item() for noisy, clean in data.checks]
    return sum(losses) / len(losses)
