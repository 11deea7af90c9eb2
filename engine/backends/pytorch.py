"""PyTorch, from the trained weights: slower than ONNX Runtime on a CPU, and its yardstick."""

from typing import TYPE_CHECKING

from engine.backends.base import Entry, Inputs, Outputs, Runtime
from models.registry import ModelCard
from models.storage import load_weights
from models.torch_needed import why_no_torch

if TYPE_CHECKING:
    from torch import nn


class TorchRuntime(Runtime):
    """Runs the network itself in inference mode on the CPU."""

    name = "torch"

    def __init__(self, card: ModelCard, threads: int = 1) -> None:
        import torch

        # torch takes all cores by default, and its workers spin at barriers.
        torch.set_num_threads(threads)
        self._torch, self._network = torch, load_network(card)
        self._gives_one = card.network.steps is None

    def run(self, inputs: Inputs) -> Outputs:
        """Run the network on the arrays, in their order."""
        with self._torch.inference_mode():
            results = self._network(*map(self._torch.from_numpy, inputs.values()))
        return [tensor.numpy() for tensor in ((results,) if self._gives_one else results)]

    def close(self) -> None:
        """Free the network."""
        del self._network


def load_network(card: ModelCard) -> "nn.Module":
    """A network with its weights on the CPU, ready to run.

    Raises
    ------
    InputError
        If its files are missing, or not those that the card names.
    """
    card.check_files()
    network = card.network.build().eval()
    load_weights(network, card.weights_path)
    return network


BACKEND = Entry(
    why_not=lambda options: why_no_torch(),
    open=lambda card, options, threads: TorchRuntime(card, threads),
)
