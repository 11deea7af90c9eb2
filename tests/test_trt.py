"""TensorRT: plans of every network by the real builder, and the running of them on a GPU that is none."""

import importlib.metadata
import json
import re
import sys
import time
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from engine_tools import cut, indices, joined
from fake_gpu import FakeLibrary, fake_driver, fake_tensorrt
from onnx import TensorProto, helper
from safetensors.torch import save_file

from engine.backends import explain_auto, open_backend, prepare_backend, why_not
from engine.backends.adapters import adapt
from engine.backends.gpu import find as gpu
from engine.backends.gpu.find import Gpu
from engine.backends.gpu.shapes import FIXED_ROWS, check_rows, fixed_samples, pieces, stretches
from engine.backends.parity import PARITY_MV, probe
from engine.backends.ports import Ports, dtype_of
from engine.backends.tensorrt import build as builder
from engine.backends.tensorrt import capture
from engine.backends.tensorrt import runtime as trt
from engine.backends.tensorrt.build import PRECISIONS, build_plan
from engine.backends.tensorrt.export import export_plan
from engine.backends.tensorrt.flavours import CLASSIC, FLAVOURS, RTX, choose_flavour
from engine.backends.tensorrt.plan_graph import plan_graph
from engine.backends.tensorrt.plans import FOLDER_VARIABLE, read_plan
from engine.backends.tensorrt.runtime import open_tensorrt, plan_key
from engine.config import EngineConfig
from engine.messages import Gap
from engine.pipeline import clean
from engine.stateful import initial_state
from models import registry
from models.export import store
from models.graphs import graph_of
from models.half import to_half
from models.registry import NETWORKS, ModelCard, load_card
from streamer.errors import InputError

rtx = pytest.importorskip("tensorrt_rtx", reason="`pip install tensorrt-rtx`: no plan is built without it")
torch.set_num_threads(1)
ADA = (8, 9)


# Every network, the real builder


@pytest.fixture(scope="module")
def build_times():
    """Seconds of each build, left in out/plan-builds.json."""
    times = {}
    yield times
    out = Path(__file__).parents[1] / "out"
    out.mkdir(exist_ok=True)
    (out / "plan-builds.json").write_text(json.dumps(times, indent=2) + "\n")


@pytest.fixture(scope="module", params=list(NETWORKS))
def network(request, tmp_path_factory):
    """A network's card: as shipped, or where it has no weights yet with random ones."""
    spec = NETWORKS[request.param]
    card = ModelCard(spec)
    if card.onnx_path.is_file():
        yield card
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "WEIGHTS", tmp_path_factory.mktemp("weights"))
        torch.manual_seed(0)
        weights = tmp_path_factory.mktemp("run") / "weights.safetensors"
        save_file(spec.build().state_dict(), weights)
        store(card, weights)
        yield card


def run(graph, batch):
    return ort.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(None, {"noisy": batch})[0]


def samples_of(card):
    """Sizes of a step, where the network keeps state."""
    return fixed_samples(card.spec) if card.spec.steps else ()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_network_builds(network, precision, build_times, record_property):
    if network.spec.steps and precision == "fp16":
        pytest.skip("a network that keeps state runs in fp32 alone")
    begun = time.perf_counter()
    graph = plan_graph(network.network, graph_of(network))
    plan = build_plan(rtx, graph, precision, (1,), ADA, samples=samples_of(network))
    seconds = round(time.perf_counter() - begun, 2)
    record_property("build_s", seconds)
    build_times[f"{network.spec.name} {precision}"] = {"seconds": seconds, "bytes": len(plan)}
    # Two or four bytes a parameter, and the kernels.
    assert len(plan) > network.spec.parameters * (2 if precision == "fp16" else 4)


def test_every_operator_is_in_the_parsers_list(network):
    logger = rtx.Logger()
    flags = 1 << int(rtx.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    parser = rtx.OnnxParser(rtx.Builder(logger).create_network(flags), logger)
    graphs = [plan_graph(network.network, graph_of(network))]
    if not network.spec.steps:
        graphs.append(to_half(graphs[0]))
    used = {node.op_type for graph in graphs for node in onnx.load_from_string(graph).graph.node}
    assert used
    assert [name for name in sorted(used) if not parser.supports_operator(name)] == []
    assert not parser.supports_operator("DFT")


def test_half_precision_cleans_as_single_does(network):
    """ONNX Runtime runs it on the CPU: weights and signals rounded to half."""
    if network.spec.steps:
        pytest.skip("a network that keeps state runs in fp32 alone")
    batch = probe(network)
    single = graph_of(network)
    difference = np.abs(run(to_half(single), batch) - run(single, batch)).max()
    assert 0 < difference <= PARITY_MV["fp16"]


# The builder


@pytest.fixture(scope="module")
def unet():
    return load_card("unet")


@pytest.fixture(scope="module")
def lowdelay():
    return load_card("lowdelay")


def made(nodes, weights=(), shape=("rows", 1, 64)):
    """A small graph from noisy to cleaned, both float32."""
    noisy = helper.make_tensor_value_info("noisy", TensorProto.FLOAT, shape)
    cleaned = helper.make_tensor_value_info("cleaned", TensorProto.FLOAT, shape)
    tensors = [onnx.numpy_helper.from_array(values, name) for name, values in weights]
    graph = helper.make_graph(nodes, "made", [noisy], [cleaned], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()


def test_a_network_with_a_fourier_transform_is_refused_in_words():
    graph = made([helper.make_node("DFT", ["noisy"], ["cleaned"], axis=2, name="spectrum")])
    with pytest.raises(InputError, match=r"tensorrt_rtx .* cannot take .*DFT \(spectrum\): .*Plugin not"):
        build_plan(rtx, graph, "fp32", (1,), ADA)


def test_what_is_no_graph_is_refused_in_words():
    with pytest.raises(InputError, match="Failed to parse the ONNX model"):
        build_plan(rtx, b"no graph", "fp32", (1,), ADA)


def test_a_second_free_axis_is_refused():
    graph = made([helper.make_node("Relu", ["noisy"], ["cleaned"])], shape=("rows", 1, "samples"))
    with pytest.raises(InputError, match=r"'noisy' has shape \(-1, 1, -1\)"):
        build_plan(rtx, graph, "fp32", (1,), ADA)


def test_a_step_has_a_profile_for_each_shape_and_no_value_decides_one(lowdelay):
    """What a GPU is told to read on the GPU must not be wanted on the host."""
    logger = rtx.Logger()
    flags = 1 << int(rtx.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = rtx.Builder(logger).create_network(flags)
    assert rtx.OnnxParser(network, logger).parse(plan_graph(lowdelay.network, graph_of(lowdelay)))
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    ports = Ports.planned(lowdelay.spec, -1, -1)
    for tensors, expected in ((inputs, ports.inputs), (outputs, ports.outputs)):
        assert {tensor.name: tuple(tensor.shape) for tensor in tensors} == expected
        for tensor in tensors:
            assert np.dtype(rtx.nptype(tensor.dtype)) == dtype_of(tensor.name)
    assert not any(tensor.is_shape_tensor for tensor in inputs)
    profiles = []

    class Builder:
        create_optimization_profile = staticmethod(lambda: Shapes(profiles))

    class Config:
        add_optimization_profile = staticmethod(lambda profile: 0)

    class Shapes(dict):
        def __init__(self, made):
            made.append(self)

        def set_shape(self, name, low, best, high):
            assert low == best == high
            self[name] = best

    builder._add_profiles(Builder, network, Config, (1, 8), (4, 16))
    made = [
        {"noisy": (rows, 1, n), "state": (rows, lowdelay.network.steps.state), "begin": (rows, 2)}
        for n in (4, 16)
        for rows in (1, 8)
    ]
    assert profiles == made


def test_a_free_axis_inside_is_refused_for_steps_too():
    graph = made([helper.make_node("Relu", ["noisy"], ["cleaned"])], shape=("rows", "leads", "samples"))
    with pytest.raises(InputError, match="its first axis and its last one alone must be free"):
        build_plan(rtx, graph, "fp32", (1,), ADA, samples=(4,))


def test_progress_rises_and_ends(unet):
    heard = []
    build_plan(rtx, graph_of(unet), "fp32", (1,), ADA, lambda *step: heard.append(step))
    assert {what for what, _, _ in heard} >= {"Building engine"}
    assert all(0 <= done <= total for _, done, total in heard)
    assert max(done / total for what, done, total in heard if what == "Building engine") == 1


def test_ctrl_c_stops_a_build(unet):
    def interrupt(what, done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_plan(rtx, graph_of(unet), "fp32", (1,), ADA, interrupt)


def test_all_that_we_say_exists_in_the_real_library():
    """What only a GPU would find out."""
    text = "".join(Path(module.__file__).read_text() for module in (trt, capture, builder))
    chains = set(re.findall(r"\btrt\.([A-Z][\w.]*)", text))
    assert {"Runtime", "OnnxParser", "BuilderFlag.TF32"} <= chains
    for chain in chains:
        thing = rtx
        for word in chain.split("."):
            thing = getattr(thing, word)
    classes = {
        "builder": rtx.Builder,
        "network": rtx.INetworkDefinition,
        "parser": rtx.OnnxParser,
        "error": rtx.ParserError,
        "config": rtx.IBuilderConfig,
        "profile": rtx.IOptimizationProfile,
        "_runtime": rtx.Runtime,
        "engine": rtx.ICudaEngine,
        "context": rtx.IExecutionContext,
    }
    for name, kind in classes.items():
        said = set(re.findall(rf"\b{name}\.(\w+)(\(?)", text)) - {("backends", "")}
        assert said, name
        for word, called in said:
            # This one is handed over as a function.
            is_method = bool(called) or word == "deserialize_cuda_engine"
            assert isinstance(getattr(kind, word), property) == (not is_method), f"{name}.{word}"
    assert rtx.TensorIOMode.INPUT.name == "INPUT"
    assert all(hasattr(rtx.ComputeCapability, f"SM{major}{minor}") for major, minor in RTX.capabilities)


# Half precision


def test_half_keeps_the_normalisation_single(unet):
    graph = onnx.load_from_string(to_half(graph_of(unet))).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    heavy = [node for node in graph.node if node.op_type in ("Conv", "ConvTranspose")]
    assert {types[name] for node in heavy for name in node.input[1:]} == {TensorProto.FLOAT16}
    casts = {node.output[0] for node in graph.node if node.op_type == "Cast"}
    assert len(casts) == 2
    means = [node for node in graph.node if node.op_type in ("ReduceMean", "Div", "Sqrt")]
    assert means
    assert not {name for node in means for name in node.input} & casts
    # A lead that rides on half a volt loses nothing.
    batch = probe(unet) + np.float32(450)
    single = graph_of(unet)
    assert np.abs(run(to_half(single), batch) - run(single, batch)).max() <= PARITY_MV["fp16"]


def test_a_weight_too_large_for_half_stays_single():
    weights = [("big", np.full((1, 1, 3), 1e6, np.float32)), ("small", np.ones((1, 1, 3), np.float32))]
    nodes = [
        helper.make_node("Conv", ["noisy", "big"], ["middle"], pads=[1, 1]),
        helper.make_node("Conv", ["middle", "small"], ["cleaned"], pads=[1, 1]),
    ]
    graph = made(nodes, weights)
    types = {
        tensor.name: tensor.data_type for tensor in onnx.load_from_string(to_half(graph)).graph.initializer
    }
    assert types == {"big": TensorProto.FLOAT, "small_half": TensorProto.FLOAT16}


# The GPU that is none


@pytest.fixture
def library(monkeypatch, tmp_path):
    """An 8.9 card, RTX as a fake, and a folder of plans of its own."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "plans"))
    return fake_driver(monkeypatch)


def opened(card, precision="fp32", rows=(1,)):
    """A plan as the stages call it."""
    options = ("fp16",) if precision == "fp16" else ()
    return adapt(open_tensorrt(card, options, rows=rows), card.spec)


@pytest.fixture
def fake(library, monkeypatch):
    """The RTX library as a fake module."""
    module = fake_tensorrt("tensorrt_rtx", library)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", module)
    return module


@pytest.fixture
def windows(unet):
    rng = np.random.default_rng(1)
    return rng.normal(size=(11, unet.spec.leads, unet.spec.window)).astype(np.float32)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_plan_cleans_any_number_of_rows(fake, unet, windows, precision):
    backend = opened(unet, precision, rows=(1, 4))
    expected = run(graph_of(unet), windows)
    for rows in (1, 2, 4, 5, 11, 0):
        before = windows.copy()
        np.testing.assert_allclose(backend.infer(windows[:rows]), expected[:rows], atol=PARITY_MV[precision])
        np.testing.assert_array_equal(before, windows)
        assert (min(backend.transfers_ns) > 0) == (rows > 0)
    first = backend.infer(windows[:3])
    kept = first.copy()
    backend.infer(-windows[:3])
    np.testing.assert_array_equal(first, kept)
    backend.close()


def test_a_call_is_one_launch_for_each_piece_and_makes_nothing_on_the_gpu(fake, library, unet, windows):
    backend = opened(unet, rows=(1, 4))
    said, things, launches = len(fake.calls), len(library.objects), library.launches
    for rows, pieces_of in ((1, 1), (3, 1), (11, 3)):
        backend.infer(windows[:rows])
        launches += pieces_of
        assert library.launches == launches
    assert (len(fake.calls), len(library.objects)) == (said, things)
    backend.close()
    assert library.objects == {}


def test_a_context_is_told_shape_then_addresses_then_runs(fake, unet):
    opened(unet, rows=(2,)).close()
    assert [call[0] for call in fake.calls] == [
        "set_optimization_profile_async",
        "set_input_shape",
        "set_tensor_address",
        "set_tensor_address",
        "execute_async_v3",
        "is_stream_capturable",
        "execute_async_v3",
    ]


def test_the_next_start_finds_the_plan_and_a_newer_library_builds_anew(fake, unet, caplog, monkeypatch):
    for _ in range(2):
        opened(unet, rows=(1,)).close()
    assert fake.builds == 1
    fake.refused = 1
    opened(unet, rows=(1,)).close()
    assert fake.builds == 2
    assert "refuses it" in caplog.text
    known = importlib.metadata.version
    newer = {"tensorrt-rtx": "1.8.0"}
    monkeypatch.setattr(importlib.metadata, "version", lambda package: newer.get(package) or known(package))
    opened(unet, rows=(1,)).close()
    assert fake.builds == 3
    assert "its version is" in caplog.text


@pytest.mark.parametrize(
    "method",
    [
        "set_optimization_profile_async",
        "set_input_shape",
        "set_tensor_address",
        "execute_async_v3",
        "is_stream_capturable",
    ],
)
def test_a_context_that_refuses_is_an_error_and_leaves_nothing(fake, library, unet, method):
    fake.deaf = method
    with pytest.raises(RuntimeError, match="TensorRT refuses"):
        opened(unet, rows=(1,))
    assert library.objects == {}


def test_the_builders_own_words_are_passed_on(fake, unet):
    fake.build_fails = True
    with pytest.raises(InputError, match=r"tensorrt_rtx 99.0 cannot build this network: no tactic fits$"):
        opened(unet, rows=(1,))
    fake.parse_errors = [("Foo", "node_7", "no importer"), ("Bar", "node_8", "no plugin")]
    with pytest.raises(InputError, match=r"Foo \(node_7\): no importer; Bar \(node_8\): no plugin$"):
        opened(unet, rows=(1,))


@pytest.mark.parametrize("gain", [1.5, np.nan])
def test_a_plan_that_cleans_otherwise_is_refused(fake, library, unet, gain):
    fake.gain = gain
    with pytest.raises(InputError, match=r"'unet' in fp32 differs from ONNX .* 0\.001 mV is allowed"):
        opened(unet, rows=(1,))
    assert library.objects == {}


# … and a network that keeps state on it


@pytest.fixture
def onnx_steps(lowdelay):
    backend = open_backend("onnx", lowdelay)
    yield backend
    backend.close()


@pytest.mark.parametrize(("rows", "samples", "launches"), [(1, 16, 1), (1, 4, 1), (3, 40, 4), (6, 28, 8)])
def test_a_plan_takes_a_hop_in_as_many_steps_as_it_needs(
    fake, library, lowdelay, onnx_steps, rows, samples, launches
):
    backend = opened(lowdelay, rows=(1, 4))
    rng = np.random.default_rng(rows)
    ours = theirs = initial_state(np.zeros((rows, 1, 4), np.float32), backend.steps)
    said, things = len(fake.calls), len(library.objects)
    for lookahead in (36, 0):
        hop = rng.normal(size=(rows, 1, samples)).astype(np.float32)
        given, before = ours.copy(), library.launches
        answer, after = backend.step(hop, ours, lookahead)
        expected, theirs = onnx_steps.step(hop, theirs, lookahead)
        assert library.launches == before + launches
        assert min(backend.transfers_ns) > 0
        np.testing.assert_allclose(answer, expected, atol=1e-4)
        np.testing.assert_allclose(after, theirs, atol=1e-4, rtol=1e-4)
        np.testing.assert_array_equal(given, ours)
        ours = after
    assert (len(fake.calls), len(library.objects)) == (said, things)
    backend.close()
    assert library.objects == {}


def test_a_context_of_a_step_is_told_every_shape_and_address(fake, lowdelay):
    opened(lowdelay, rows=(2,)).close()
    tensors = ("noisy", "state", "begin", "lookahead", "answer", "next_state", "told")
    for profile, samples in enumerate((4, 16)):
        shapes = {"noisy": (2, 1, samples), "state": (2, lowdelay.network.steps.state), "begin": (2, 2)}
        assert fake.calls[14 * profile : 14 * profile + 14] == [
            ("set_optimization_profile_async", profile),
            *(("set_input_shape", name, shape) for name, shape in shapes.items()),
            *(("set_tensor_address", name) for name in tensors),
            ("execute_async_v3",),
            ("is_stream_capturable",),
            ("execute_async_v3",),
        ]


def test_a_plan_of_steps_that_answers_or_remembers_otherwise_is_refused(fake, library, lowdelay):
    fake.gain = 1.5
    with pytest.raises(InputError, match=r"'lowdelay' in fp32 differs from ONNX"):
        opened(lowdelay)
    fake.gain, fake.rounding = 1.0, np.float16
    with pytest.raises(InputError, match=r"'lowdelay' .* ONNX Runtime in its state by 0\.000"):
        opened(lowdelay)
    assert library.objects == {}
    assert fake.builds == 1


@pytest.mark.parametrize("hop_ms", [40.0, 100.0])
def test_a_ward_hears_from_a_plan_what_it_hears_from_onnx_runtime(fake, lowdelay, onnx_steps, hop_ms):
    """Three streams, one of two leads, one with a gap: rows are filled up and states kept apart."""
    backend = opened(lowdelay, rows=(1, 4))
    config = EngineConfig.of(lowdelay.spec, 100.0, hop_ms)
    rng = np.random.default_rng(0)
    chunks = [
        list(cut(rng.normal(size=(leads, 900)).astype(np.float32), (90,), stream=name))
        for name, leads in (("a", 1), ("b", 2), ("c", 1))
    ]
    later = rng.normal(size=(1, 360)).astype(np.float32)
    chunks[2] += list(cut(later, (90,), stream="c", start=2000))
    rounds = [[each for each in together if each] for together in zip_longest(*chunks)]
    ours, theirs = (list(clean(rounds, config, each)) for each in (backend, onnx_steps))
    assert sum(isinstance(message, Gap) for message in ours) == 1
    for stream in "abc":
        np.testing.assert_array_equal(indices(ours, stream), indices(theirs, stream))
        np.testing.assert_allclose(
            joined(ours, "cleaned", stream), joined(theirs, "cleaned", stream), atol=1e-4
        )
    backend.close()


def test_auto_runs_a_network_that_keeps_state_on_a_plan(fake, lowdelay, onnx_steps, monkeypatch):
    heard = []
    prepare_backend("auto", lowdelay, lambda *step: heard.append(step))
    assert heard
    backend = open_backend("auto", lowdelay)
    assert (backend.name, backend.fixed_rows, fake.builds) == ("tensorrt", FIXED_ROWS, 1)
    samples = np.random.default_rng(0).normal(size=(1, 1, 16)).astype(np.float32)
    state = initial_state(samples, backend.steps)
    np.testing.assert_allclose(
        backend.step(samples, state, 36)[0], onnx_steps.step(samples, state, 36)[0], atol=1e-4
    )
    backend.close()


# … and when it fails


def test_a_failing_driver_is_an_error_that_names_the_function(fake, library, unet, windows):
    backend = opened(unet, rows=(1,))
    library.broken = "cuGraphLaunch"
    with pytest.raises(RuntimeError, match="cuGraphLaunch: CUDA_ERROR_NOT_SUPPORTED"):
        backend.infer(windows[:1])


def test_auto_takes_tensorrt_and_says_so(fake, unet, windows, caplog):
    backend = open_backend("auto", unet)
    assert backend.name == "tensorrt"
    assert backend.fixed_rows == FIXED_ROWS
    np.testing.assert_allclose(backend.infer(windows), run(graph_of(unet), windows), atol=PARITY_MV["fp32"])
    backend.close()
    assert "auto chose tensorrt" in explain_auto("tensorrt")


def test_auto_passes_over_a_gpu_that_fails_and_says_so(fake, unet, caplog):
    fake.gain = 2.0
    backend = open_backend("auto", unet)
    assert backend.name == "onnx"
    backend.close()
    assert "auto passes over tensorrt: 'unet' in fp32 differs" in caplog.text
    with pytest.raises(InputError, match="differs"):
        open_backend("tensorrt", unet)


def test_a_plan_is_prepared_where_somebody_watches(fake, unet):
    heard = []
    prepare_backend("tensorrt", unet, lambda *step: heard.append(step))
    assert heard == [("Building", 0, 2), ("Building", 1, 2), ("Building", 2, 2)]
    prepare_backend("tensorrt", unet, lambda *step: heard.append(step))
    prepare_backend("onnx", unet, lambda *step: heard.append(step))
    assert len(heard) == 3
    assert fake.builds == 1
    fake.parse_errors = [("Foo", "node", "no")]
    prepare_backend("auto", unet, lambda *step: None)


# Which GPU, which library


HOPPER = Gpu("NVIDIA H200", (9, 0), (14, 0))


def test_a_capability_is_served_by_list_or_by_being_newer():
    served = [
        RTX.serves(each) for each in ((7, 5), (8, 0), (8, 7), (8, 9), (9, 0), (10, 0), (12, 1), (13, 0))
    ]
    assert served == [False, True, False, True, False, False, True, True]
    assert [CLASSIC.serves(each) for each in ((7, 0), (7, 5), (9, 0), (12, 0))] == [False, True, True, True]


def test_a_hopper_is_refused_by_rtx_with_what_it_serves(monkeypatch):
    fake_driver(monkeypatch, FakeLibrary(capability=(9, 0)))
    reason = why_not("tensorrt") or ""
    assert re.fullmatch(
        r"Fake 4090 \(compute capability 9\.0\); tensorrt is not installed; run "
        r"`pip install -e '.*\[tensorrt\]'`; tensorrt-rtx \S+ serves compute capability 8\.0 8\.6 8\.9 12\.0 "
        r"12\.1 and newer; use cuda, onnx or torch",
        reason,
    )


def test_without_a_gpu_the_line_says_all(monkeypatch):
    def missing():
        raise OSError("libcuda.so.1 cannot be loaded")

    fake_driver(monkeypatch)
    monkeypatch.setattr(gpu, "load_driver", missing)
    reason = why_not("tensorrt") or ""
    assert "\n" not in reason
    for words in ("no NVIDIA GPU here", "libcuda", "tensorrt not installed", "tensorrt-rtx 1.", "use onnx"):
        assert words in reason
    assert "there is no NVIDIA GPU" in explain_auto("onnx")


def test_no_device_and_a_broken_driver_are_reasons(monkeypatch):
    for fake, words in ((FakeLibrary(devices=0), "the driver shows none"), (FakeLibrary(), "cuInit")):
        fake.broken = "cuInit" if fake.devices else None
        fake_driver(monkeypatch, fake)
        assert words in gpu.why_no_gpu()
        assert gpu.find_gpu() is None


def test_an_old_driver_is_refused_before_it_crashes():
    old = Gpu("card", ADA, (12, 4))
    assert "needs a driver for CUDA 13, and this one serves CUDA 12.4" in (RTX.why_not(old) or "")
    assert choose_flavour(old) is None
    assert choose_flavour(Gpu("card", ADA, (13, 0))) is RTX


def test_classic_comes_first_where_it_is_installed(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda package: "11.4.0")
    assert choose_flavour(HOPPER) is CLASSIC
    assert list(FLAVOURS) == ["classic", "rtx"]
    key = plan_key(NETWORKS["unet"], b"graph", CLASSIC, HOPPER, "fp32", (8, 1))
    assert key.gpu == "9.0 NVIDIA H200 CUDA 14.0"
    assert key.rows == (1, 8)
    assert " " not in key.file_name


# Plans ahead


export = partial(
    export_plan, name="unet", flavour="rtx", capability=ADA, precision="fp32", rows=(1,), progress=print
)


def test_an_exported_plan_is_what_a_run_looks_for(unet, tmp_path, library, monkeypatch):
    graph = graph_of(unet)
    path = export(graph=graph, output=tmp_path)
    key = plan_key(NETWORKS["unet"], graph, RTX, Gpu("Fake 4090", ADA, (13, 0)), "fp32", (1,))
    assert path == tmp_path / key.file_name
    assert len(read_plan(path, key)) > 1e6
    assert export(graph=graph, output=tmp_path / "mine.plan") == tmp_path / "mine.plan"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"flavour": "fast"}, "allowed: classic, rtx"),
        ({"capability": (9, 0)}, "builds for compute capability 8.0 8.6 8.9 12.0 12.1, and not for 9.0"),
        ({"flavour": "classic"}, r"tensorrt is not installed; run `pip install -e '.*\[tensorrt\]'`"),
        ({"rows": ()}, "give one or more"),
        ({"rows": (0, 4)}, "give one or more"),
        ({"name": "lowdelay", "precision": "fp16"}, "keeps state and is exported in fp32 alone"),
    ],
)
def test_what_cannot_be_exported_is_said(unet, tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        export(graph=graph_of(unet), output=tmp_path, **change)
    assert not list(tmp_path.iterdir())


def test_an_exported_plan_of_steps_is_what_a_run_looks_for(lowdelay, tmp_path, library):
    graph = graph_of(lowdelay)
    path = export(name="lowdelay", graph=graph, output=tmp_path)
    key = plan_key(
        lowdelay.network,
        plan_graph(lowdelay.network, graph),
        RTX,
        Gpu("Fake 4090", ADA, (13, 0)),
        "fp32",
        (1,),
    )
    assert key.samples == (4, 16)
    assert path == tmp_path / key.file_name
    assert path.name.endswith("fp32-rows1-samples4-16.plan")
    assert len(read_plan(path, key)) > 4 * lowdelay.spec.parameters


def test_a_hop_is_cut_to_the_steps_there_are_and_never_filled_up():
    for samples in range(4, 724, 4):
        parts = list(stretches(samples, (4, 16)))
        assert [index for part, _ in parts for index in range(part.start, part.stop)] == list(range(samples))
        assert all(part.stop - part.start == length for part, length in parts)
    assert [length for _, length in stretches(40, (4, 16))] == [16, 16, 4, 4]


def test_a_batch_is_cut_to_the_sizes_there_are():
    assert check_rows((8, 1, 8, 4)) == (1, 4, 8)
    for rows in range(20):
        parts = list(pieces(rows, (1, 4, 8)))
        assert [index for part, _ in parts for index in range(part.start, part.stop)] == list(range(rows))
        assert all(count >= part.stop - part.start for part, count in parts)
    assert [count for _, count in pieces(19, (1, 4, 8))] == [8, 8, 4]
