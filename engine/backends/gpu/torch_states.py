"""States in the GPU's memory, and a network that takes them from there and puts them back."""

from collections.abc import Callable, Sequence
from typing import Any

from engine.backends.base import State
from engine.backends.places import Rows
from models.spec import StepSpec

Network = Callable[..., Sequence[Any]]
"""Takes tensors on the GPU, and gives tensors there."""


class TorchStates:
    """Room for the states of many rows; `engine.backends.gpu.graphs.StatePool`.

    Parameters
    ----------
    rows
        How many places there are, each of `steps.state` numbers in single precision.
    """

    def __init__(self, steps: StepSpec, rows: int) -> None:
        import torch

        self._torch = torch
        self._memory = torch.zeros((rows, steps.state), device="cuda")
        # What a fresh state is a multiple of.
        self._first = torch.zeros((1, steps.state), device="cuda")
        self._first[:, : steps.led_by] = 1

    def stepped(self, network: Network) -> Network:
        """The network with the ports of `Ports.placed`: all it does can be captured."""
        torch = self._torch

        def step(noisy: Any, places: Any, begin: Any, lookahead: Any) -> tuple[Any, Any]:
            fresh = begin[:, :1] > 0
            state = torch.where(fresh, begin[:, 1:] * self._first, self._memory.index_select(0, places))
            answer, after = network(noisy, state, lookahead)
            self._memory.index_copy_(0, places, after)
            return answer, torch.cat([after[:, :1], after.sum(1, keepdim=True)], 1)

        return step

    def read(self, places: Rows) -> State:
        """A copy of the states in these places."""
        with self._torch.inference_mode():
            found: State = self._memory[self._index(places)].cpu().numpy()
        return found

    def write(self, places: Rows, state: State) -> None:
        """Put states into these places."""
        with self._torch.inference_mode():
            new = self._torch.from_numpy(state).to(self._memory.device)
            self._memory.index_copy_(0, self._index(places), new)
        # The graphs run on a stream of their own, which waits for no other.
        self._torch.cuda.current_stream().synchronize()

    def _index(self, places: Rows) -> Any:
        return self._torch.from_numpy(places).to(self._memory.device)
