"""Weights on disk, and graphs that are filled with them."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from models import graphs, registry
from models.export import PARITY_MV
from models.graphs import graph_of, open_session, take_out
from models.registry import NETWORKS, ModelCard, find_network, load_card
from models.storage import load_weights, read_weights, write_weights
from streamer.errors import InputError

SHIPPED = [name for name in NETWORKS if (registry.WEIGHTS / f"{name}.json").is_file()]
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


@given(arrays.arrays(np.float32, SHAPES, elements=st.floats(width=32)), st.integers(0, 2**60))
def test_weights_come_back_to_the_bit(tmp_path_factory, values, count):
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    written = {"a.weight": values, "a.seen": np.array(count), "a.bytes": np.arange(4, dtype=np.uint8)}
    write_weights(path, {name: each for name, each in written.items() if name != "a.bytes"})
    read = read_weights(path)
    assert set(read) == {"a.weight", "a.seen"}
    for name, each in read.items():
        assert (each.dtype, each.shape, each.tobytes()) == (
            written[name].dtype,
            written[name].shape,
            written[name].tobytes(),
        )
    # What a trainer writes is read as it is.
    save_file(written, path)
    assert read_weights(path)["a.bytes"].tolist() == [0, 1, 2, 3]


def test_what_holds_no_weights_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"w\.safetensors holds no weights"):
        read_weights(path)
    write_weights(path, {"stem.0.weight": np.zeros(3, np.float32)})
    with pytest.raises(InputError, match="holds weights of another network"):
        load_weights(find_network("unet").build(), path)


@pytest.mark.parametrize("name", SHIPPED)
def test_each_weight_is_kept_once(name):
    """The graph declares all of them and holds none; filled, it is what ONNX Runtime opens."""
    card = load_card(name)
    weights = graphs.declared(read_weights(card.weights_path))
    bare = onnx.load(card.onnx_path, load_external_data=False)
    apart = {t.name for t in bare.graph.initializer if t.data_location == TensorProto.EXTERNAL}
    assert apart == set(weights)
    assert not any(t.raw_data for t in bare.graph.initializer if t.name in apart)
    filled = {
        t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(graph_of(card)).graph.initializer
    }
    for each, values in weights.items():
        np.testing.assert_array_equal(filled[each], values, strict=True)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    opened = ort.InferenceSession(graph_of(card), options, providers=["CPUExecutionProvider"])
    fed = example(card)
    for one, other in zip(open_session(card, options).run(None, fed), opened.run(None, fed), strict=True):
        assert one.tobytes() == other.tobytes()


def example(card):
    rng = np.random.default_rng(0)
    steps = card.network.steps
    if steps is None:
        return {"noisy": rng.standard_normal((2, card.spec.leads, card.spec.window)).astype(np.float32)}
    return {
        "noisy": rng.standard_normal((2, 1, 5 * steps.multiple)).astype(np.float32),
        "state": 0.1 * rng.standard_normal((2, steps.state)).astype(np.float32),
        "lookahead": np.array(steps.lookahead),
    }


def test_a_weight_that_the_graph_does_not_hold_is_refused():
    def model():
        node = helper.make_node("Add", ["noisy", "w"], ["cleaned"])
        port = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in ("noisy", "cleaned")]
        weight = numpy_helper.from_array(np.ones(2, np.float32), "w")
        return helper.make_model(helper.make_graph([node], "g", port[:1], port[1:], [weight]))

    counter = {"seen": np.array(3)}
    take_out(model(), {"w": np.ones(2, np.float32)} | counter, "w.safetensors")
    for wrong in ({"w": np.zeros(2, np.float32)}, {"w": np.ones(2, np.float32), "v": np.ones(1, np.float32)}):
        with pytest.raises(RuntimeError, match=r"the graph does not hold '[wv]' as it was trained"):
            take_out(model(), wrong, "w.safetensors")


def test_without_onnx_a_graph_is_not_filled_but_opened(monkeypatch):
    monkeypatch.setattr(graphs, "why_missing", lambda modules, extra: f"{modules[0]} not installed")
    with pytest.raises(InputError, match="cannot be filled with its weights: onnx not installed"):
        graph_of(load_card("unet"))
    assert open_session(load_card("unet"))


def test_files_that_are_missing_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    for ask in (graph_of, open_session):
        with pytest.raises(InputError, match=r"model 'unet' has no .*unet\.safetensors"):
            ask(ModelCard(NETWORKS["unet"]))


def test_the_graph_does_what_torch_does():
    card = load_card("acdae")
    network = card.network.build().eval()
    load_weights(network, card.weights_path)
    fed = example(card)["noisy"]
    with torch.inference_mode():
        expected = network(torch.from_numpy(fed)).numpy()
    np.testing.assert_allclose(open_session(card).run(None, {"noisy": fed})[0], expected, atol=PARITY_MV)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (3, 1), (1, 5, 1), (0, 2)])
def test_torch_takes_weights_of_any_shape(tmp_path, shape):
    write_weights(tmp_path / "w.safetensors", {"w": np.ones(shape, np.float32)})
    (values,) = read_weights(tmp_path / "w.safetensors").values()
    assert torch.from_numpy(values).shape == shape
