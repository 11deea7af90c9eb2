"""Networks in torch on the GPU as anybody would call them: what the GPU check measures against."""

from typing import TYPE_CHECKING

from engine.backends.base import Batch, State, check_batch, check_step
from models.registry import ModelCard
from models.spec import StepSpec

if TYPE_CHECKING:
    from torch import nn


class Eager:
    """A network that answers windows, kernel by kernel."""

    name = "eager"
    transfers_ns = (0, 0)

    def __init__(self, card: ModelCard, rows: tuple[int, ...]) -> None:
        import torch

        self._torch = torch
        self.fixed_rows = rows
        self.leads, self._window = card.spec.leads, card.spec.window
        self._network = _load(card)

    def infer(self, batch: Batch) -> Batch:
        """Clean windows (rows, leads, window); the result is new memory."""
        check_batch(batch, self.leads, self._window)
        with self._torch.inference_mode():
            cleaned: Batch = self._network(self._torch.from_numpy(batch).cuda()).cpu().numpy()
        return cleaned

    def close(self) -> None:
        """Free the network."""
        del self._network


class EagerSteps:
    """The same for a network that keeps state."""

    name = "eager"
    transfers_ns = (0, 0)

    def __init__(self, card: ModelCard, steps: StepSpec, rows: tuple[int, ...]) -> None:
        import torch

        self._torch = torch
        self.fixed_rows, self.leads, self.steps = rows, card.spec.leads, steps
        self._network = _load(card)

    def step(self, samples: Batch, state: State, lookahead: int) -> tuple[Batch, State]:
        """Take samples (rows, 1, samples) with their state; answer and state are new memory."""
        check_step(samples, state, lookahead, self.steps)
        torch = self._torch
        fed = torch.from_numpy(samples), torch.from_numpy(state), torch.tensor(lookahead)
        with torch.inference_mode():
            answer, after = self._network(*(tensor.cuda() for tensor in fed))
        return answer.cpu().numpy(), after.cpu().numpy()

    def close(self) -> None:
        """Free the network."""
        del self._network


def _load(card: ModelCard) -> "nn.Module":
    from safetensors.torch import load_file

    network = card.network.build().eval()
    network.load_state_dict(load_file(card.weights_path))
    return network.cuda()
