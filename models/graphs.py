"""A network's graph as it is shipped, without its weights, and with them as runtimes want it.

The ONNX file declares each weight under its name in the network's state dict, as data in the file of
weights beside it; what the exporter computed, tables and constants, it holds itself. Batch norms are
left as they are: runtimes fold them when they open the graph.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.registry import ModelCard
from models.storage import Weights, read_weights
from streamer.console.installed import why_missing
from streamer.errors import InputError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions


def graph_of(card: ModelCard) -> bytes:
    """The graph of a network with its weights, as serialized ONNX.

    Raises
    ------
    InputError
        If its files are missing, or others than its card names, or the package ``onnx`` is missing.
    """
    reason = why_missing(["onnx"], "rtx")
    if reason:
        raise InputError(f"a graph cannot be filled with its weights: {reason}")
    card.check_files()
    paths = card.onnx_path, card.weights_path
    return _filled(*paths, *(path.stat().st_mtime_ns for path in paths))


def open_session(card: ModelCard, options: "SessionOptions | None" = None) -> "InferenceSession":
    """Open the graph in ONNX Runtime on the CPU, with its weights, which take neither torch nor ``onnx``.

    Raises
    ------
    InputError
        If its files are missing, or others than its card names.
    """
    import onnxruntime as ort

    card.check_files()
    options = options or ort.SessionOptions()
    weights = declared(read_weights(card.weights_path))
    # The session borrows this memory while it opens.
    values = [ort.OrtValue.ortvalue_from_numpy(each) for each in weights.values()]
    options.add_external_initializers(list(weights), values)
    return ort.InferenceSession(str(card.onnx_path), options, providers=["CPUExecutionProvider"])


def declared(weights: Weights) -> Weights:
    """Those of a state dict that a graph declares: all but the counters of batch norms in training."""
    return {name: values for name, values in weights.items() if values.dtype == np.float32}


def take_out(model: Any, weights: Weights, file: str) -> None:
    """Leave of each weight in an ONNX model only its declaration, as data in a file.

    Parameters
    ----------
    model
        ``onnx.ModelProto``, changed in place.
    file
        Name of the file that holds the weights.

    Raises
    ------
    RuntimeError
        If a weight is in no part of the graph, or another one: the network does not use it.
    """
    from onnx import TensorProto, numpy_helper

    inside = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, values in declared(weights).items():
        if name not in inside or not np.array_equal(numpy_helper.to_array(inside[name]), values):
            raise RuntimeError(
                f"the graph does not hold {name!r} as it was trained: does the network use it?"
            )
        tensor = inside[name]
        for field in ("raw_data", "float_data"):
            tensor.ClearField(field)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=file)


@lru_cache(maxsize=4)
def _filled(graph: Path, weights: Path, *changed_ns: int) -> bytes:
    import onnx

    model = onnx.load(graph, load_external_data=False)
    known = read_weights(weights)
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.CopyFrom(onnx.numpy_helper.from_array(known[tensor.name], tensor.name))
    filled: bytes = model.SerializeToString()
    return filled
