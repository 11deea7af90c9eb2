"""Training by passes over windows that stay the same, as the literature's networks were trained."""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from models.training.run_state import Plan, Rates, RunState

RATE = 1e-3
"""Peak learning rate of all of them."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of an output and the clean windows, both (batch, leads, samples): one number."""


def prepare(device: str, threads: int, seed: int) -> torch.device:
    """Where to train (``auto`` takes CUDA where there is one), with torch seeded and its threads set."""
    where = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
    return where


class EpochSettings(Protocol):
    """What the settings of every such run say; each trainer has its own besides."""

    @property
    def epochs(self) -> int:
        """Passes over the windows."""

    @property
    def seed(self) -> int:
        """Of weights and examples."""


def begin(
    name: str, network: nn.Module, folder: Path, settings: EpochSettings, rates: Rates, device: torch.device
) -> RunState:
    """A run with Adam, from the checkpoint in its folder where there is one of the same settings.

    Parameters
    ----------
    network
        With the weights that it begins with.
    rates
        Share of `RATE` at an epoch, of so many.
    """
    network.to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    state = RunState(name, network, optimiser, rates, settings, device, Plan(settings.epochs, 1))
    folder.mkdir(parents=True, exist_ok=True)
    state.resume(folder / "checkpoint.pt")
    return state


def about(state: RunState, device: torch.device) -> dict[str, Any]:
    """What a result says of how it was made: size of the network, time and machine."""
    return {
        "parameters": sum(p.numel() for p in state.network.parameters() if p.requires_grad),
        "minutes": round(state.seconds / 60, 1),
        "machine": f"{device.type}, {torch.get_num_threads()} threads, {platform.machine()}",
        "torch": torch.__version__,
    }


def run_epochs(state: RunState, epochs: int, folder: Path, epoch: Callable[[], float]) -> None:
    """Call `epoch` so often, with a bar; each leaves a checkpoint and a line in ``log.jsonl``."""
    bar = Progress(
        TextColumn(folder.name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
    )  # fmt: skip
    with bar, (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        task = bar.add_task("", total=epochs, completed=state.step, loss=float("nan"))
        while state.step < epochs:
            started = time.perf_counter()
            loss = epoch()
            state.seconds += time.perf_counter() - started
            log.write(json.dumps({"epoch": state.step, "loss": loss, "seconds": state.seconds}) + "\n")
            log.flush()
            state.save(folder / "checkpoint.pt")
            bar.update(task, completed=state.step, loss=loss)


def learn_once(state: RunState, noisy: Tensor, clean: Tensor, batch: int, loss_of: Loss) -> float:
    """Learn from every window once, in a random order; returns the mean loss."""
    state.network.train()
    order = torch.randperm(len(noisy), generator=state.generator, device=noisy.device)
    total = torch.zeros((), device=noisy.device)
    for chosen in order.split(batch):
        loss = loss_of(state.network(noisy[chosen]), clean[chosen])
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        state.optimiser.step()
        total += loss.detach() * len(chosen)
    state.schedule.step()
    state.step += 1
    return total.item() / len(noisy)


@torch.no_grad()
def run(network: nn.Module, noisy: Tensor) -> NDArray[np.float32]:
    """What a network makes of windows, without learning."""
    network.eval()
    output: NDArray[np.float32] = torch.cat([network(batch) for batch in noisy.split(256)]).cpu().numpy()
    return output
