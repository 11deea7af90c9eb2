"""The graph of a network that keeps state: the form it has, and that it streams as the network does."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from engine_tools import joined
from onnx import numpy_helper
from step_tools import NAME, STEPS, ecg, streamed

from models.graphs import open_session
from models.registry import load_card

EXACT_MV = 1e-5
MOST_NODES = 360


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The shipped graph as ONNX Runtime runs it, after all that it computes once while it opens."""
    path = tmp_path_factory.mktemp("opened") / "graph.onnx"
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(path)
    # Of what is good for every machine alone: other forms have no name in ONNX.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    open_session(load_card(NAME), options)
    return onnx.load(path).graph


def test_every_layer_is_a_product_of_matrices(opened):
    used = {node.op_type for node in opened.node}
    assert "Gemm" in used
    assert not used & {"Conv", "BatchNormalization"}


def test_weights_are_put_into_their_form_when_the_graph_is_opened(opened):
    """Norms folded and taps in a row: nothing of that is computed anew in a step."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in opened.initializer}
    products = [node for node in opened.node if node.op_type in ("Gemm", "MatMul")]
    assert [node.name for node in products if constants.keys().isdisjoint(node.input[:2])] == []
    # Three taps of the trunk's blocks, before and after the look-ahead is known.
    sizes = [constants[name].size for node in products for name in node.input[:2] if name in constants]
    assert sizes.count(3 * 96 * 96) == 9


def test_what_follows_from_the_lookahead_is_a_table_and_a_step_is_few_nodes(opened):
    """With few rows a step costs what its nodes cost to begin."""
    users = [node.op_type for node in opened.node if "lookahead" in node.input]
    assert sorted(users) == ["Sub", "Unsqueeze"]  # from where on the line is read, and which row of the table
    assert 200 < len(opened.node) <= MOST_NODES


@pytest.mark.parametrize("offset", [300.0, -300.0])
@pytest.mark.parametrize(("hop", "lookahead"), [(4, 36), (16, 0), (16, STEPS.lookahead), (180, 36)])
def test_it_streams_as_the_network_on_any_offset(hop, lookahead, offset):
    data = ecg(3, 720) + np.float32(offset)
    one, other = (streamed(data, hop, lookahead, runtime=each) for each in ("onnx", "torch"))
    for part in ("cleaned", "spread"):
        np.testing.assert_allclose(joined(one, part), joined(other, part), rtol=0, atol=EXACT_MV)
