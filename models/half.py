"""Turn an exported graph into half precision where that is safe: convolutions and what lies between.

TensorRT 11 takes every type from the graph. A graph that is half throughout would round the input
before it is normalised: a lead that rides on an electrode offset of 100 mV would keep steps of
0.06 mV. So convolutions and matrix products run in half, and so does what only passes their outputs
on (activations, sums, concatenations); means, roots, divisions and everything that meets a
single-precision signal stay single. Input and output stay float32.
"""

from typing import Any

import numpy as np

_HEAVY = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))
_PASSING = frozenset(
    "Add AveragePool Clip Concat Elu Expand Flatten Gather Gelu GlobalMaxPool "
    "HardSigmoid Identity LeakyRelu MaxPool Mul PRelu Pad ReduceMax Relu Reshape Selu Sigmoid Slice Split "
    "Squeeze Sub Tanh Tile Transpose Unsqueeze".split()
)


def to_half(graph: bytes) -> bytes:
    """The same network with half-precision weights, as serialized ONNX; input and output float32."""
    import onnx
    from onnxscript import optimizer

    # Batch norms go into their convolutions, and weights are turned, before either is rounded.
    model = optimizer.optimize(onnx.load_from_string(graph))
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    halver = _Halver(onnx, model.graph)
    halver.run()
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    halved: bytes = model.SerializeToString()
    return halved


class _Halver:
    """Goes through the nodes in their order, and knows of each tensor whether it is half by now."""

    def __init__(self, onnx: Any, graph: Any) -> None:
        self._onnx, self._graph = onnx, graph
        single = onnx.TensorProto.FLOAT
        named = (*graph.input, *graph.value_info, *graph.output)
        self._single = {value.name for value in named if value.type.tensor_type.elem_type == single}
        self._weights = {
            tensor.name: onnx.numpy_helper.to_array(tensor)
            for tensor in graph.initializer
            if tensor.data_type == single
        }
        self._half: set[str] = set()
        self._cast: dict[tuple[str, bool], str] = {}
        self._nodes: list[Any] = []

    def run(self) -> None:
        """Rewrite the graph in place."""
        outputs = {value.name for value in self._graph.output}
        for node in list(self._graph.node):
            half = self._is_half(node)
            node.input[:] = [self._as(name, half) for name in node.input]
            self._nodes.append(node)
            if not half:
                continue
            for index, name in enumerate(node.output):
                if name in outputs:
                    node.output[index] = f"{name}_half"
                    self._add_cast(f"{name}_half", name, self._onnx.TensorProto.FLOAT)
                elif name in self._single:
                    self._half.add(name)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        used = {name for node in self._nodes for name in node.input}
        weights = [tensor for tensor in self._graph.initializer if tensor.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(weights)

    def _is_half(self, node: Any) -> bool:
        limit = np.finfo(np.float16).max
        weights = [self._weights[name] for name in node.input if name in self._weights]
        if any(np.abs(values).max(initial=0) > limit for values in weights):
            return False
        if node.op_type in _HEAVY:
            return True
        signals = [name for name in node.input if name in self._single and name not in self._weights]
        return node.op_type in _PASSING and bool(signals) and self._half.issuperset(signals)

    def _as(self, name: str, half: bool) -> str:
        """Name of the tensor in the type wanted; other types than single and half pass."""
        to = self._onnx.TensorProto.FLOAT16 if half else self._onnx.TensorProto.FLOAT
        if name in self._weights:
            if not half:
                return name
            if (name, half) not in self._cast:
                values = self._weights[name].astype(np.float16)
                tensor = self._onnx.numpy_helper.from_array(values, f"{name}_half")
                self._graph.initializer.append(tensor)
                self._cast[name, half] = tensor.name
        elif name not in self._single or (name in self._half) == half:
            return name
        elif (name, half) not in self._cast:
            self._cast[name, half] = f"{name}_{'half' if half else 'single'}"
            self._add_cast(name, self._cast[name, half], to)
        return self._cast[name, half]

    def _add_cast(self, name: str, cast: str, to: int) -> None:
        self._nodes.append(self._onnx.helper.make_node("Cast", [name], [cast], name=f"{cast}_cast", to=to))
