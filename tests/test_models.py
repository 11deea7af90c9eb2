import json
import shutil
import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from safetensors.torch import load_file, save_file
from step_tools import step, stirred

import models
from models import registry
from models.benches import track_f
from models.classical import CLASSICAL
from models.export import PARITY_MV, export_onnx
from models.graphs import graph_of, open_session
from models.install import install_run
from models.metrics import Moments
from models.registry import DEFAULT_NETWORK, NETWORKS, find_network, load_card
from models.storage import load_weights, read_weights
from models.trace import Signature, check_free
from streamer.errors import InputError
from streamer.synthetic import SyntheticPatient
from streamer.synthetic_noise import synthetic_tape

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine

every_network = pytest.mark.parametrize("spec", NETWORKS.values(), ids=list(NETWORKS))
STEPWISE = [spec for spec in NETWORKS.values() if spec.steps]
every_stepwise = pytest.mark.parametrize("spec", STEPWISE, ids=[spec.name for spec in STEPWISE])
SHIPPED = [name for name in NETWORKS if (registry.WEIGHTS / f"{name}.json").is_file()]
SLOW = [pytest.mark.slow, pytest.mark.timeout(1800)]
every_shipped = pytest.mark.parametrize("name", SHIPPED)

# What ONNX has and TensorRT 11.1 cannot run (onnx-tensorrt, docs/operators.md).
UNSUPPORTED = set(
    "AffineGrid Bernoulli BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Col2Im CenterCropPad Compress "
    "ConcatFromSequence ConvInteger DFT Det DynamicQuantizeLinear ImageDecoder MatMulInteger MaxRoiPool "
    "MaxUnpool MelWeightMatrix Multinomial NegativeLogLikelihoodLoss Optional OptionalGetElement "
    "OptionalHasElement QLinearConv QLinearMatMul RegexFullMatch SequenceAt SequenceConstruct SequenceEmpty "
    "SequenceErase SequenceInsert SequenceLength SequenceMap SoftmaxCrossEntropyLoss SplitToSequence "
    "StringConcat StringNormalizer StringSplit TfIdfVectorizer Unique".split()
)
DTYPES = {
    onnx.TensorProto.DataType.Value(n) for n in ("FLOAT", "FLOAT16", "BFLOAT16", "INT32", "INT64", "BOOL")
}


def windows(spec, rows=3, seed=0):
    """Rough ECG: spikes on wander, no two rows alike."""
    rng = np.random.default_rng(seed)
    time = np.arange(spec.window) / spec.fs
    phase, level = rng.uniform(0, 1, (2, rows, spec.leads, 1))
    spikes = np.exp(-0.5 * (((time + phase) % 0.8 - 0.4) / 0.02) ** 2)
    noise = 0.1 * rng.standard_normal((rows, spec.leads, spec.window))
    return torch.from_numpy((0.5 + level) * spikes + 0.2 * np.sin(5 * time + phase) + noise).float()


def trained_numbers(network):
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


REPORT = {
    "command": "ecg-stream train",
    "settings": {"rate": 0.001},
    "steps_planned": 9,
    "steps_run": 7,
    "rows_per_step": 4,
    "best_validation_loss": 0.5,
    "minutes": 1,
    "machine": "cpu",
    "torch": "2",
}
"""What a trainer leaves in ``training.json``."""
LOUDEST_SILENCE_MV = {False: 0.1, True: 0.5}
"""By whether a network keeps state: those that do not, scale by the window. Both are untrained."""


@cache
def untrained(spec):
    """A network whose batch norms have statistics of their own, as after training."""
    if spec.steps:
        return stirred(spec)
    torch.manual_seed(0)
    network = spec.build()
    with torch.no_grad():
        for seed in range(3):
            network(windows(spec, seed=seed))
    return network.eval()


def clean_all(network, batch):
    """Cleaned windows; of a network that keeps state as a stream that begins with each of them."""
    if not hasattr(network, "initial_state"):
        return network(batch)
    return step(network, batch)[0][:, :1]


@pytest.fixture(scope="module", params=["unet", pytest.param("lowdelay", marks=SLOW)])
def run(request, tmp_path_factory):
    """A finished training run: (spec, folder). One network of each contract: exports take seconds.

    That of a network that keeps state takes many; its shipped graph goes through the same tests.
    """
    spec, folder = NETWORKS[request.param], tmp_path_factory.mktemp("run")
    save_file(untrained(spec).state_dict(), folder / "weights.safetensors")
    (folder / "training.json").write_text(json.dumps(REPORT))
    return spec, folder


@pytest.fixture(scope="module")
def exported(run):
    """Its graph: (spec, path, parity)."""
    spec, folder = run
    return (
        spec,
        folder / "first.onnx",
        export_onnx(spec, folder / "weights.safetensors", folder / "first.onnx"),
    )


@pytest.fixture(scope="module")
def graphs(exported):
    """That graph, and those in the package: (spec, bytes) of each."""
    spec, path, _ = exported
    shipped = [load_card(name) for name in SHIPPED]
    return [(spec, path.read_bytes()), *((card.spec, graph_of(card)) for card in shipped)]


def run_graph(session, network, batch):
    """What ONNX Runtime and torch make of a batch, all that comes out of a graph: pairs of arrays.

    A network that keeps state is given one that it had left, so that nothing in it is zero.
    """
    fed = {"noisy": batch}
    with torch.inference_mode():
        if hasattr(network, "initial_state"):
            _, state = step(network, batch.flip(-1))
            fed |= {"state": state, "lookahead": torch.tensor(25)}
        expected = network(*fed.values())
    expected = expected if isinstance(expected, tuple) else (expected,)
    found = session.run(None, {name: value.numpy() for name, value in fed.items()})
    return list(zip(found, [each.numpy() for each in expected], strict=True))


# Networks


@every_network
def test_parameters_are_as_many_as_the_registry_says(spec):
    assert trained_numbers(spec.build()) == spec.parameters


@pytest.mark.parametrize("spec", [s for s in NETWORKS.values() if s.replica], ids=lambda spec: spec.name)
def test_replicas_have_as_many_parameters_as_published(spec):
    assert trained_numbers(spec.replica()) == spec.replica_parameters


@pytest.mark.parametrize("name", ["unet", DEFAULT_NETWORK])
def test_our_networks_are_small_and_see_one_or_two_seconds(name):
    spec = find_network(name)
    assert spec.parameters <= 1_000_000
    assert 1.0 <= spec.window / spec.fs <= 2.0
    assert spec.leads == 1
    assert spec.fs == track_f.FS


@every_network
@pytest.mark.parametrize("rows", [1, 5])
def test_the_shape_stays(spec, rows):
    with torch.inference_mode():
        output = clean_all(untrained(spec), windows(spec, rows))
    assert output.shape == (rows, spec.leads, spec.window)
    assert output.dtype == torch.float32
    assert torch.isfinite(output).all()


@every_network
def test_rows_do_not_see_each_other(spec):
    network, batch = untrained(spec), windows(spec, 4)
    other = batch.clone()
    other[1:] = 50 * torch.randn_like(other[1:])
    with torch.inference_mode():
        alone, together = clean_all(network, batch)[0], clean_all(network, other)[0]
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


# One that keeps state takes millivolts as they are: it has no window to measure a gain by.
@pytest.mark.parametrize(
    "spec", [s for s in NETWORKS.values() if not s.steps], ids=[n for n, s in NETWORKS.items() if not s.steps]
)
@pytest.mark.parametrize("gain", [0.5, 3.0, 20.0])
def test_the_gain_of_a_lead_does_not_matter(spec, gain):
    network, batch = untrained(spec), windows(spec)
    with torch.inference_mode():
        torch.testing.assert_close(network(gain * batch) / gain, network(batch), atol=5e-3, rtol=0)


@every_network
@pytest.mark.parametrize("offset", [-5.0, 0.3, 100.0])
def test_the_offset_of_a_lead_does_not_matter(spec, offset):
    network, batch = untrained(spec), windows(spec)
    with torch.inference_mode():
        moved, still = clean_all(network, batch + offset), clean_all(network, batch)
    torch.testing.assert_close(moved, still, atol=2e-3, rtol=0)


@every_network
@pytest.mark.parametrize("level", [0.0, -7.0])
@pytest.mark.parametrize("rest", [0.0, 1e-5])
def test_silence_is_not_blown_up(spec, level, rest):
    quiet = level + rest * windows(spec, 1)
    with torch.inference_mode():
        assert clean_all(untrained(spec), quiet).abs().max() < LOUDEST_SILENCE_MV[bool(spec.steps)]


def test_the_unet_takes_multiples_of_sixteen():
    network = untrained(NETWORKS["unet"])
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, 736)).shape == (1, 1, 736)
        with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
            network(torch.zeros(1, 1, 729))
    assert NETWORKS["unet"].window % 16 == 0


def test_the_newest_sample_of_the_unet_sees_the_oldest():
    """Its docstring says that every output sees the whole window, at 0.8 s at least."""
    spec = NETWORKS["unet"]
    network, batch = untrained(spec), windows(spec, 1)
    with torch.inference_mode():
        stem = network.stem(batch)
        changed = batch.clone()
        changed[..., :100] += 1.0
        assert network.stem(changed)[..., 200:].equal(stem[..., 200:])
        assert (network(changed) - network(batch))[..., -1].abs().max() > 0


# The graph


def test_the_graph_does_what_the_network_does(exported):
    spec, path, parity = exported
    assert parity <= PARITY_MV
    network = untrained(spec)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for rows, seed in ((1, 5), (3, 6), (16, 7)):
        for found, expected in run_graph(session, network, windows(spec, rows, seed)):
            np.testing.assert_allclose(found, expected, atol=PARITY_MV)


@every_stepwise
@pytest.mark.parametrize("samples", [1, 2, 9, 180])
def test_a_graph_that_keeps_state_takes_every_step(spec, samples):
    """Of one lead or many, as short and as long as the registry says, at every look-ahead."""
    network, steps = spec.build().eval(), spec.steps
    load_weights(network, load_card(spec.name).weights_path)
    session = open_session(load_card(spec.name))
    assert 180 * steps.multiple == steps.longest
    for lookahead in (0, 1, 9, 36, steps.lookahead):
        noisy = windows(spec, 3, seed=lookahead)[..., : samples * steps.multiple]
        with torch.inference_mode():
            _, state = step(network, windows(spec, 3, seed=99), lookahead=lookahead)
            expected = network(noisy, state, torch.tensor(lookahead))
        fed = {"noisy": noisy.numpy(), "state": state.numpy(), "lookahead": np.array(lookahead)}
        for found, right in zip(session.run(None, fed), expected, strict=True):
            assert found.shape == right.shape
            np.testing.assert_allclose(found, right.numpy(), atol=PARITY_MV)


@every_stepwise
def test_the_state_is_as_large_as_the_registry_says(spec):
    network, steps = untrained(spec), spec.steps
    first = torch.tensor([[0.3], [-50.0]])
    state = network.initial_state(first)
    assert network.state_size == steps.state == state.shape[1]
    torch.testing.assert_close(state[:, : steps.led_by], first.expand(-1, steps.led_by), rtol=0, atol=0)
    assert not state[:, steps.led_by :].any()
    with torch.inference_mode():
        answer, after = step(network, windows(spec, 2), state)
    assert answer.shape == (2, 2, spec.window)
    assert after.shape == (2, steps.state)
    assert torch.isfinite(after).all()
    assert answer[:, 1].min() > 0


def test_the_graphs_are_plain(graphs):
    for spec, content in graphs:
        model = onnx.load_from_string(content)
        onnx.checker.check_model(model, full_check=True)
        assert {node.op_type for node in model.graph.node} & UNSUPPORTED == set()
        assert {node.domain for node in model.graph.node} == {""}
        assert [opset.domain for opset in model.opset_import] == [""]
        assert 9 <= model.opset_import[0].version <= 24
        assert {tensor.data_type for tensor in model.graph.initializer} <= DTYPES
        assert all(t.data_location == onnx.TensorProto.DEFAULT for t in model.graph.initializer)
        assert not model.functions
        shapes = {}
        for value in (*model.graph.input, *model.graph.output):
            kind = onnx.TensorProto.INT64 if value.name == "lookahead" else onnx.TensorProto.FLOAT
            assert value.type.tensor_type.elem_type == kind
            # A size that is free has a name, or is computed from one that has.
            shapes[value.name] = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if spec.steps:
            state = [0, spec.steps.state]
            expected = {"noisy": [0, 1, 0], "state": state, "lookahead": []}
            assert shapes == expected | {"answer": [0, 2, 0], "next_state": state}
        else:
            window = [0, spec.leads, spec.window]
            assert shapes == {"noisy": window, "cleaned": window}


def test_the_graphs_say_nothing_of_the_machine(graphs):
    folders = {Path(models.__file__).parents[1], Path(torch.__file__).parent, Path(sys.prefix), Path.home()}
    for _, content in graphs:
        for trace in [*(f"{folder}/" for folder in folders), "/home/", "site-packages", ".py"]:
            assert trace.encode() not in content
        model = onnx.load_model_from_string(content)
        inside = model.graph
        for holder in (model, inside, *inside.node, *inside.input, *inside.output, *inside.value_info):
            assert not holder.metadata_props
            assert not holder.doc_string
        assert not any(tensor.metadata_props or tensor.doc_string for tensor in inside.initializer)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@every_network
def test_every_network_can_be_exported(spec, tmp_path):
    """Shipped graphs have been; that it still works with this torch takes minutes."""
    save_file(untrained(spec).state_dict(), tmp_path / "w.safetensors")
    assert export_onnx(spec, tmp_path / "w.safetensors", tmp_path / "g.onnx") <= PARITY_MV


def test_a_run_is_installed_with_its_card(run, exported, tmp_path, monkeypatch):
    spec, folder = run
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path / "weights")
    with pytest.raises(InputError, match=rf"has no weights in .*ecg-stream train {spec.name}"):
        load_card(spec.name)
    parity = install_run(spec, folder)
    card = load_card(spec.name)
    assert card.spec is spec
    assert card.trained.training.budget == "7 × 4"
    assert card.trained.parity_mv == parity <= PARITY_MV
    assert card.trained.guard is card.trained.track_f is None
    card.check_files()
    weights = load_file(folder / "weights.safetensors")
    kept = read_weights(card.weights_path)
    assert set(kept) == set(weights)
    for each, values in weights.items():
        np.testing.assert_array_equal(kept[each], values.numpy(), strict=True)
    # The graph holds none of them: three hundred nodes of a network that keeps state are 4 % of its weights.
    assert card.onnx_path.stat().st_size < 0.05 * card.weights_path.stat().st_size
    assert sorted(path.name for path in (tmp_path / "weights").iterdir()) == [
        f"{spec.name}.{ending}" for ending in ("json", "onnx", "safetensors")
    ]


def test_a_graph_that_differs_is_not_written(run, exported, tmp_path, monkeypatch):
    spec, folder = run
    output = tmp_path / "graph.onnx"
    output.write_text("the old one")
    monkeypatch.setattr(models.export, "trace", lambda *given: onnx.load(exported[1]))
    right = ort.InferenceSession

    class Differs(right):
        def run(self, outputs, fed):
            first, *others = super().run(outputs, fed)
            # The graph was traced with fewer rows than these: what it froze shows now.
            if len(fed["noisy"]) < 5:
                return [first, *others]
            # In one number of all, and of what comes out last where that is more than one thing.
            changed = others[-1] if others else first
            changed.flat[5] += 3 * PARITY_MV
            return [first, *others]

    monkeypatch.setattr(ort, "InferenceSession", Differs)
    with pytest.raises(RuntimeError, match=r"the graph differs from the network by 0\.000[23]"):
        export_onnx(spec, folder / "weights.safetensors", output)
    assert output.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [output]


def test_an_axis_that_the_exporter_froze_is_refused():
    signature = Signature.of(find_network("lowdelay"))
    shapes = {"noisy": ["rows", 1, 52], "state": [3, 10_251], "lookahead": []}
    kinds = {"lookahead": onnx.TensorProto.INT64}
    inputs = [
        onnx.helper.make_tensor_value_info(name, kinds.get(name, onnx.TensorProto.FLOAT), shape)
        for name, shape in shapes.items()
    ]
    frozen = onnx.helper.make_model(onnx.helper.make_graph([], "frozen", inputs, []))
    with pytest.raises(RuntimeError, match="froze axis 2 of 'noisy' at 52, axis 0 of 'state' at 3"):
        check_free(frozen, signature)


def test_a_network_that_keeps_state_is_not_exported_in_half_precision(tmp_path):
    with pytest.raises(InputError, match=r"lowdelay keeps state .* leave out --precision fp16"):
        export_onnx(find_network("lowdelay"), tmp_path / "w", tmp_path / "g.onnx", "fp16")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["unet", DEFAULT_NETWORK])
def test_weights_that_do_not_fit_are_refused(tmp_path, name):
    spec = find_network(name)
    weights, output = tmp_path / "w.safetensors", tmp_path / "g.onnx"
    with pytest.raises(InputError, match=r"no weights at .*; give --run, or train with `ecg-stream train"):
        export_onnx(spec, weights, output)
    save_file({"stem.0.weight": torch.zeros(3)}, weights)
    with pytest.raises(InputError, match=f"does not hold weights of '{name}'"):
        export_onnx(spec, weights, output)
    weights.write_bytes(b"no weights at all")
    with pytest.raises(InputError, match=f"does not hold weights of '{name}'"):
        export_onnx(spec, weights, output)
    assert not output.exists()


def test_an_unfinished_run_is_refused(run, tmp_path):
    spec, folder = run
    shutil.copy(folder / "weights.safetensors", tmp_path)
    with pytest.raises(InputError, match=r"is no finished training run: it has no training\.json"):
        install_run(spec, tmp_path)


# What is shipped


def test_the_default_network_is_shipped():
    assert DEFAULT_NETWORK in SHIPPED


@every_shipped
def test_shipped_networks_are_whole(name):
    card = load_card(name)
    card.check_files()
    assert card.trained.parity_mv <= PARITY_MV
    for fact in ("training", "training_command", "protocol", "data", "data_licence", "attribution"):
        assert getattr(card.trained, fact)


@every_shipped
def test_shipped_cards_say_nothing_of_the_machine(name):
    card = load_card(name).card_path.read_text(encoding="utf-8")
    assert "/home" not in card
    assert "/work" not in card
    assert str(Path.home()) not in card


def test_all_weights_together_are_small():
    assert sum(load_card(name).weights_path.stat().st_size for name in SHIPPED) <= 30e6


@every_shipped
def test_shipped_graphs_hold_the_shipped_weights(name):
    card = load_card(name)
    network = card.spec.build().eval()
    load_weights(network, card.weights_path)
    for found, expected in run_graph(open_session(card), network, windows(card.spec, 5, seed=9)):
        np.testing.assert_allclose(found, expected, atol=PARITY_MV)


@pytest.mark.parametrize("name", ["unet", DEFAULT_NETWORK])
@pytest.mark.parametrize(("kind", "gain_db"), [("bw", 3), ("em", 1)])
def test_the_shipped_network_makes_a_noisy_ecg_cleaner(name, kind, gain_db):
    spec = load_card(name).network
    reference = SyntheticPatient(fs=spec.fs).read(0, 40 * spec.window).reference
    noise = synthetic_tape(kind, spec.fs, 0)[:1, : reference.shape[1]]
    noise = noise * (reference.std() / noise.std())  # 0 dB
    network = spec.build().eval()
    load_weights(network, load_card(name).weights_path)
    rows = torch.from_numpy(reference + noise)
    with torch.inference_mode():
        if spec.steps:
            # The answer is of a look-ahead ago.
            output = step(network, rows[None], lookahead=36)[0][0, :1].roll(-36)
        else:
            output = network(rows.reshape(40, 1, spec.window)).reshape(1, -1)
    assert Moments.of(reference[:, :-36], output.numpy()[:, :-36]).snr_db > gain_db


def test_an_unknown_network_is_refused():
    with pytest.raises(InputError, match="model 'vnet' is unknown; there are: lowdelay, unet"):
        find_network("vnet")
    with pytest.raises(InputError, match="model 'vnet' is unknown"):
        load_card("vnet")


# Track F


def test_no_patient_is_in_two_parts():
    parts = (track_f.TRAIN_RECORDS, track_f.VALIDATION_RECORDS, track_f.TEST_RECORDS)
    everyone = [name for part in parts for name in part]
    assert [len(part) for part in parts] == [15, 4, 22]
    assert len(set(everyone)) == len(everyone)
    # Paced; the stress records' patients; and 201, who is also 202.
    assert not set(everyone) & set("102 104 107 217 118 119 201".split())
    assert "202" in track_f.TEST_RECORDS


# Filters that need no training


def classical_windows(name, rows=2, seed=0):
    shape = (rows, 1, CLASSICAL[name].window)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_filters_keep_the_shape(name):
    noisy = classical_windows(name)
    before = noisy.copy()
    output = CLASSICAL[name].filter(noisy)
    assert output.shape == noisy.shape
    assert output.dtype == np.float32
    assert not np.shares_memory(output, noisy)
    np.testing.assert_array_equal(noisy, before)


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_filters_treat_every_row_alone(name):
    noisy = classical_windows(name)
    both = CLASSICAL[name].filter(noisy)
    np.testing.assert_allclose(CLASSICAL[name].filter(noisy[1:].copy())[0], both[1], atol=1e-5)


def test_doing_nothing_does_nothing():
    noisy = classical_windows("identity")
    np.testing.assert_array_equal(CLASSICAL["identity"].filter(noisy), noisy)


def sine(frequency, samples, offset=3.0):
    wave = offset + np.sin(2 * np.pi * frequency * np.arange(samples) / 360)
    return wave[None, None].astype(np.float32)


@pytest.mark.parametrize("name", ["butterworth", "butterworth-zero-phase"])
@pytest.mark.parametrize(("frequency", "kept"), [(0.05, 0.0), (8.0, 1.0), (150.0, 0.0)])
def test_the_band_of_a_monitor(name, frequency, kept):
    output = CLASSICAL[name].filter(sine(frequency, 60 * 360))[0, 0, 10 * 360 : -10 * 360]
    assert np.abs(output).max() == pytest.approx(kept, abs=0.06)


def test_only_the_offline_filter_sees_the_future():
    noisy = classical_windows("butterworth")
    changed = noisy.copy()
    changed[..., 2000:] += 1
    causal, offline = CLASSICAL["butterworth"].filter, CLASSICAL["butterworth-zero-phase"].filter
    np.testing.assert_array_equal(causal(changed)[..., :2000], causal(noisy)[..., :2000])
    assert (offline(changed)[..., 1990:2000] != offline(noisy)[..., 1990:2000]).all()


def test_the_causal_filter_starts_without_a_jolt():
    """A lead that lies at 5 mV from its first sample on is silent, not a step."""
    np.testing.assert_allclose(
        CLASSICAL["butterworth"].filter(np.full((1, 1, 500), 5, np.float32)), 0, atol=1e-4
    )


def test_a_window_is_long_enough_for_the_causal_filter_to_forget_where_it_began():
    """What leaves a stream is what a filter that never stops would say, to 10 µV."""
    wave = sine(1.2, 7200) + np.cumsum(np.random.default_rng(0).normal(0, 0.02, 7200)).astype(np.float32)
    endless = CLASSICAL["butterworth"].filter(wave)
    window = CLASSICAL["butterworth"].window
    for end in (3000, 5000, 7200):
        begun_late = CLASSICAL["butterworth"].filter(wave[..., end - window : end])
        tail = slice(-123, None)
        np.testing.assert_allclose(begun_late[..., tail], endless[..., :end][..., tail], atol=0.01)


def test_the_fft_threshold_drops_small_lines_and_keeps_large_ones():
    bins = np.arange(256)
    large, small = np.sin(2 * np.pi * 8 * bins / 256), 1e-3 * np.sin(2 * np.pi * 40 * bins / 256)
    output = CLASSICAL["fft"].filter((large + small)[None, None].astype(np.float32))
    np.testing.assert_allclose(output[0, 0], large, atol=1e-5)


@pytest.mark.parametrize("name", ["dwt", "lmmse"])
def test_wander_and_hiss_go_and_a_beat_stays(name):
    time = np.arange(CLASSICAL[name].window) / 360
    beats = np.exp(-0.5 * (((time % 0.8) - 0.4) / 0.02) ** 2)
    beats -= beats.mean()
    rng = np.random.default_rng(0)
    noise = 2 + np.sin(2 * np.pi * 0.2 * time) + 0.1 * rng.standard_normal(len(time))
    output = CLASSICAL[name].filter((beats + noise)[None, None].astype(np.float32))[0, 0]
    middle = slice(len(time) // 4, -len(time) // 4)
    assert np.std((output - beats)[middle]) < np.std(noise) / 4
    assert np.corrcoef(output[middle], beats[middle])[0, 1] > 0.9


def test_the_linear_smoother_is_the_best_one_for_the_spectra_it_names():
    """Its error is orthogonal to what it heard: no other linear filter does better."""
    from scipy.linalg import toeplitz

    from models import filters

    window = 200
    ecg = toeplitz(filters._autocovariance(filters.ECG_DB, window))
    noise = toeplitz(filters._autocovariance(filters.NOISE_DB, window)) + filters.OFFSET_MV**2
    weights = filters._wiener(window).astype(float)
    left_over = ecg - weights @ (ecg + noise)
    assert np.abs(left_over).max() < 1e-3


def test_classical_systems_take_no_training():
    with pytest.raises(InputError, match="nothing to train"):
        find_network("dwt")
    assert load_card("dwt").trained is None
