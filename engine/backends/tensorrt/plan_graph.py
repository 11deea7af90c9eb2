"""The graph that a plan is built of: that of a stateful network also begins rows afresh, and tells of them.

What a step needs to know of a state would otherwise bring all of it to the host.
"""

from typing import Any

import numpy as np

from models.spec import NetworkSpec, StepSpec


def plan_graph(spec: NetworkSpec, graph: bytes) -> bytes:
    """The graph of a network, as `engine.backends.ports.Ports.planned` has it where it keeps state.

    Parameters
    ----------
    graph
        As it is exported, serialized ONNX.
    """
    if spec.steps is None:
        return graph
    import onnx

    model = onnx.load_from_string(graph)
    _begin(model.graph, spec.steps)
    _tell(model.graph)
    onnx.checker.check_model(model)
    stepping: bytes = model.SerializeToString()
    return stepping


def _begin(graph: Any, steps: StepSpec) -> None:
    """Have rows that begin afresh take the state before their first sample, in place of what lies there."""
    from onnx import TensorProto, helper

    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == "state":
                node.input[index] = "begun"
    unit = np.zeros((1, steps.state), np.float32)
    unit[:, : steps.led_by] = 1
    _hold(graph, none=np.zeros(1, np.float32), first=np.zeros(1, np.int64), second=np.ones(1, np.int64))
    _hold(graph, unit=unit)
    nodes = [
        helper.make_node("Gather", ["begin", "first"], ["word"], axis=1),
        helper.make_node("Greater", ["word", "none"], ["fresh"]),
        helper.make_node("Gather", ["begin", "second"], ["sample"], axis=1),
        helper.make_node("Mul", ["sample", "unit"], ["initial"]),
        helper.make_node("Where", ["fresh", "initial", "state"], ["begun"]),
    ]
    for index, node in enumerate(nodes):
        graph.node.insert(index, node)
    names = [each.name for each in graph.input]
    begin = helper.make_tensor_value_info("begin", TensorProto.FLOAT, ["rows", 2])
    graph.input.insert(names.index("state") + 1, begin)


def _tell(graph: Any) -> None:
    """Give the first number of each state and the sum of all: a baseline, and whether all are numbers."""
    from onnx import TensorProto, helper

    graph.node.extend(
        [
            helper.make_node("Gather", ["next_state", "first"], ["led"], axis=1),
            helper.make_node("ReduceSum", ["next_state", "second"], ["total"], keepdims=1),
            helper.make_node("Concat", ["led", "total"], ["told"], axis=1),
        ]
    )
    graph.output.append(helper.make_tensor_value_info("told", TensorProto.FLOAT, ["rows", 2]))


def _hold(graph: Any, **constants: np.ndarray[Any, Any]) -> None:
    from onnx import numpy_helper

    graph.initializer.extend(numpy_helper.from_array(each, name) for name, each in constants.items())
