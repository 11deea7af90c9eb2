"""The network in torch as one captured CUDA graph a call: any NVIDIA GPU, without TensorRT.

A window takes a hundred small kernels, and starting each of them from Python costs more than it
computes: 1356 µs eager against 276 µs as a graph on an H200. The graph also holds the copies from
and to pinned memory. ``cuda:fp16`` runs convolutions in half precision, and ``cuda:inductor``
compiles the network first (225 µs), which takes a minute and a C compiler at the start.
"""

from typing import TYPE_CHECKING, Any

from engine.backends.cuda_lanes import capture_lanes
from engine.backends.gpu.graphs import GraphSteps, GraphWindows
from engine.backends.gpu.shapes import FIXED_ROWS
from engine.backends.parity import check_parity, check_step_parity
from models.registry import ModelCard
from models.spec import StepSpec
from streamer.errors import InputError

if TYPE_CHECKING:
    from torch import nn


class CudaBackend(GraphWindows):
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

        self.name = "cuda" + ":fp16" * (precision == "fp16") + ":inductor" * inductor
        super().__init__(card.spec.leads, card.spec.window, rows)
        module = _load(card)
        half = precision == "fp16"
        if half:
            # Autocast would convert the weights again in every replay.
            for each in module.modules():
                if isinstance(each, torch.nn.Conv1d | torch.nn.ConvTranspose1d | torch.nn.Linear):
                    each.half()
        network: Any = torch.compile(module, dynamic=False) if inductor else module

        def clean(noisy: Any) -> tuple[Any]:
            with torch.autocast("cuda", torch.float16, enabled=half):
                return (network(noisy).float(),)

        self._lanes = capture_lanes(clean, self._ports)
        check_parity(card, precision, self.fixed_rows, self.infer)

    def close(self) -> None:
        """Free graphs, network and memory."""
        self._lanes = {}


class CudaSteps(GraphSteps):
    """The same for a network that keeps state, in single precision alone."""

    name = "cuda"

    def __init__(self, card: ModelCard, steps: StepSpec, rows: tuple[int, ...] = FIXED_ROWS) -> None:
        super().__init__(card.spec.leads, steps, rows)
        self._lanes = capture_lanes(_load(card), self._ports)
        check_step_parity(card, steps, self.fixed_rows, self.step)

    def close(self) -> None:
        """Free graphs, network and memory."""
        self._lanes = {}


def _load(card: ModelCard) -> "nn.Module":
    """The network on the GPU, and torch's settings for it."""
    import torch
    from safetensors.torch import load_file

    if not torch.cuda.is_available():
        raise InputError(f"torch {torch.__version__} finds no GPU that it can use; use onnx or torch")
    # Shapes never change, so the fastest algorithm is looked for once.
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False
    network = card.network.build().eval()
    network.load_state_dict(load_file(card.weights_path))
    fold_batch_norms(network)
    return network.cuda()


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
