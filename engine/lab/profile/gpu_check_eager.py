"""Networks in eager torch on the GPU: the baseline of the GPU check."""

from engine.backends.base import Inputs, Options, Outputs, Runtime
from engine.backends.pytorch import load_network
from models.registry import ModelCard


class Eager(Runtime):
    """A network, run kernel by kernel."""

    name = "eager"

    def __init__(
        self, card: ModelCard, options: Options = (), threads: int = 1, rows: tuple[int, ...] = ()
    ) -> None:
        import torch

        self._torch, self.fixed_rows = torch, rows
        self._network = load_network(card).cuda()
        self._gives_one = card.network.steps is None

    def run(self, inputs: Inputs) -> Outputs:
        """Run the network on the arrays, in their order."""
        with self._torch.inference_mode():
            results = self._network(*(self._torch.from_numpy(each).cuda() for each in inputs.values()))
        return [tensor.cpu().numpy() for tensor in ((results,) if self._gives_one else results)]
