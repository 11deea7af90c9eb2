"""The network in torch as one captured CUDA graph a call: any NVIDIA GPU, without TensorRT.

A window takes a hundred small kernels, and starting each of them from Python costs more than it
computes: 1356 µs eager against 276 µs as a graph on an H200. The graph also holds the copies from
and to pinned memory. ``cuda:fp16`` runs convolutions in half precision, and ``cuda:inductor``
compiles the network first (225 µs), which takes a minute and a C compiler at the start.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.backends.base import Batch, check_batch
from engine.backends.parity import check_parity
from engine.backends.rows import FIXED_ROWS, check_rows, pieces
from models.registry import ModelCard
from streamer.errors import InputError

if TYPE_CHECKING:
    from torch import nn

_WARMUP_RUNS = 3


class CudaBackend:
    """Replays a graph for each row count; other batches are filled up. Not for two threads at once.

    Parameters
    ----------
    precision
        ``fp32`` is true single precision, without TF32.
    inductor
        Compile with torch's inductor before capturing.
    rows
        Row counts that have a graph of their own.

    Raises
    ------
    InputError
        If torch finds no GPU, or the output differs from ONNX Runtime's by more than
        `engine.backends.parity.PARITY_MV`.
    """

    def __init__(
        self,
        card: ModelCard,
        precision: str = "fp32",
        inductor: bool = False,
        rows: tuple[int, ...] = FIXED_ROWS,
    ) -> None:
        import torch
        from safetensors.torch import load_file

        if not torch.cuda.is_available():
            raise InputError(f"torch {torch.__version__} finds no GPU that it can use; use onnx or torch")
        self.name = "cuda" + ":fp16" * (precision == "fp16") + ":inductor" * inductor
        self.fixed_rows = check_rows(rows)
        self.transfers_ns = (0, 0)
        # Shapes never change, so the fastest algorithm is looked for once.
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = False
        self._torch = torch
        self._half = precision == "fp16"
        self.leads, self._window = card.spec.leads, card.spec.window
        network = card.network.build().eval()
        network.load_state_dict(load_file(card.weights_path))
        fold_batch_norms(network)
        self._network: Any = network.cuda()
        if self._half:
            # Autocast would convert the weights again in every replay.
            for module in network.modules():
                if isinstance(module, torch.nn.Conv1d | torch.nn.ConvTranspose1d | torch.nn.Linear):
                    module.half()
        if inductor:
            self._network = torch.compile(self._network, dynamic=False)
        self._stream = torch.cuda.Stream()
        largest = self.fixed_rows[-1], self.leads, self._window
        self._noisy, self._cleaned = (torch.zeros(largest, pin_memory=True) for _ in range(2))
        # The same memory as numpy sees it.
        self._noisy_host, self._cleaned_host = self._noisy.numpy(), self._cleaned.numpy()
        self._on_device = torch.zeros(largest, device="cuda")
        self._lanes = {count: self._capture(count) for count in self.fixed_rows}
        check_parity(card, precision, self.fixed_rows, self.infer)

    def _capture(self, count: int) -> tuple[Any, list[Any], Any]:
        """The graph of one row count, the events in it, and the output that it writes."""
        torch, stream = self._torch, self._stream
        noisy = self._on_device[:count]
        events = [torch.cuda.Event(enable_timing=True, external=True) for _ in range(4)]
        graph = torch.cuda.CUDAGraph()
        with torch.inference_mode():
            # What the first runs choose, compile and allocate cannot be captured.
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARMUP_RUNS):
                    self._run(noisy)
            stream.synchronize()
            # Another network may be running in another thread meanwhile.
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                events[0].record()
                noisy.copy_(self._noisy[:count], non_blocking=True)
                events[1].record()
                cleaned = self._run(noisy)
                events[2].record()
                self._cleaned[:count].copy_(cleaned, non_blocking=True)
                events[3].record()
        return graph, events, cleaned

    def _run(self, noisy: Any) -> Any:
        with self._torch.autocast("cuda", self._torch.float16, enabled=self._half):
            return self._network(noisy).float()

    def infer(self, batch: Batch) -> Batch:
        """Clean windows (rows, leads, window); the result is new memory, all else is made before."""
        check_batch(batch, self.leads, self._window)
        cleaned = np.empty_like(batch)
        to_device = to_host = 0.0
        for part, count in pieces(len(batch), self.fixed_rows):
            rows = part.stop - part.start
            # Rows that are left over keep what they held: no row sees another.
            self._noisy_host[:rows] = batch[part]
            graph, (begun, arrived, computed, ended), _ = self._lanes[count]
            with self._torch.cuda.stream(self._stream):
                graph.replay()
            self._stream.synchronize()
            cleaned[part] = self._cleaned_host[:rows]
            to_device += begun.elapsed_time(arrived)
            to_host += computed.elapsed_time(ended)
        self.transfers_ns = round(1e6 * to_device), round(1e6 * to_host)
        return cleaned

    def close(self) -> None:
        """Free graphs, network and memory."""
        self._lanes.clear()
        del self._network, self._on_device


def fold_batch_norms(network: "nn.Module") -> None:
    """Put each batch norm that directly follows a convolution into its weights: a kernel less each."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for index in range(len(module) - 1):
            layer, norm = module[index], module[index + 1]
            if isinstance(layer, nn.Conv1d) and isinstance(norm, nn.BatchNorm1d):
                module[index], module[index + 1] = fuse_conv_bn_eval(layer, norm), nn.Identity()
