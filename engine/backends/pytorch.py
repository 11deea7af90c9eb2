"""PyTorch, from the trained weights: slower than ONNX Runtime on a CPU, and its yardstick."""

from engine.backends.base import Batch, check_batch
from models.registry import ModelCard


class TorchBackend:
    """Runs the network itself in inference mode on the CPU."""

    name = "torch"
    transfers_ns = (0, 0)
    fixed_rows: tuple[int, ...] = ()

    def __init__(self, card: ModelCard, threads: int = 1) -> None:
        import torch
        from safetensors.torch import load_file

        # torch takes all cores by default, and its workers spin at barriers.
        torch.set_num_threads(threads)
        self._torch = torch
        self._network = card.network.build().eval()
        self._network.load_state_dict(load_file(card.weights_path))
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
