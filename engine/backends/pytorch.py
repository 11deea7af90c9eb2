"""PyTorch, from the trained weights: slower than ONNX Runtime on a CPU, and its yardstick."""

from typing import TYPE_CHECKING

from engine.backends.base import Batch, State, check_batch, check_step
from models.registry import ModelCard
from models.spec import StepSpec

if TYPE_CHECKING:
    from torch import nn


class TorchBackend:
    """Runs the network itself in inference mode on the CPU."""

    name = "torch"
    transfers_ns = (0, 0)
    fixed_rows: tuple[int, ...] = ()

    def __init__(self, card: ModelCard, threads: int = 1) -> None:
        import torch

        self._torch, self._network = torch, _load(card, threads)
        self.leads, self._window = card.spec.leads, card.spec.window

    def infer(self, batch: Batch) -> Batch:
        """Clean windows (rows, leads, window); the result is new memory."""
        check_batch(batch, self.leads, self._window)
        with self._torch.inference_mode():
            output: Batch = self._network(self._torch.from_numpy(batch)).numpy()
        return output

    def close(self) -> None:
        """Free the network."""
        del self._network


class TorchSteps:
    """The same for a network that keeps state."""

    name = "torch"
    transfers_ns = (0, 0)
    fixed_rows: tuple[int, ...] = ()

    def __init__(self, card: ModelCard, steps: StepSpec, threads: int = 1) -> None:
        import torch

        self._torch, self._network = torch, _load(card, threads)
        self.leads, self.steps = card.spec.leads, steps

    def step(self, samples: Batch, state: State, lookahead: int) -> tuple[Batch, State]:
        """Take samples (rows, 1, samples) with their state; answer and state are new memory."""
        check_step(samples, state, lookahead, self.steps)
        torch = self._torch
        with torch.inference_mode():
            answer, after = self._network(
                torch.from_numpy(samples), torch.from_numpy(state), torch.tensor(lookahead)
            )
        return answer.numpy(), after.numpy()

    def close(self) -> None:
        """Free the network."""
        del self._network


def _load(card: ModelCard, threads: int) -> "nn.Module":
    import torch
    from safetensors.torch import load_file

    # torch takes all cores by default, and its workers spin at barriers.
    torch.set_num_threads(threads)
    network = card.network.build().eval()
    network.load_state_dict(load_file(card.weights_path))
    return network
