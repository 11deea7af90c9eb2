"""What only a GPU can show; `make gpu-check` runs it. Each test is skipped with the reason elsewhere."""

import threading

import numpy as np
import pytest

from engine.backends import OPTIONS, open_backend, why_not
from engine.backends.base import keeps_places
from engine.backends.gpu.driver import Stream
from engine.backends.gpu.find import find_gpu, why_no_gpu
from engine.backends.parity import PARITY_MV, STATE_PARITY
from engine.backends.tensorrt.plans import FOLDER_VARIABLE
from engine.stateful import initial_state
from models.registry import load_card

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(find_gpu() is None, reason=why_no_gpu() or "there is a GPU"),
]
ON_GPU = [name for backend, options in OPTIONS.items() for name in (backend, f"{backend}:{options[0]}")]


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    """Plans of these tests stay among themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(tmp_path_factory.mktemp("plans")))
        yield


@pytest.fixture(scope="module", params=ON_GPU)
def backend(request, plans):
    reason = why_not(request.param)
    if reason:
        pytest.skip(f"{request.param}: {reason}")
    loaded = open_backend(request.param, load_card("unet"))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def windows():
    spec = load_card("unet").spec
    return np.random.default_rng(0).normal(size=(150, spec.leads, spec.window)).astype(np.float32)


@pytest.fixture(scope="module")
def expected(windows):
    onnx = open_backend("onnx", load_card("unet"))
    cleaned = onnx.infer(windows)
    onnx.close()
    return cleaned


def allowed(backend):
    return PARITY_MV["fp16" if "fp16" in backend.name else "fp32"]


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 5, 17, 63, 64, 65, 150])
def test_every_batch_size_cleans_as_onnx_runtime_does(backend, windows, expected, rows):
    before = windows.copy()
    cleaned = backend.infer(windows[:rows])
    assert cleaned.dtype == np.float32
    np.testing.assert_allclose(cleaned, expected[:rows], atol=allowed(backend))
    np.testing.assert_array_equal(windows, before)


def test_copies_are_timed_within_the_call(backend, windows):
    there, back = (backend.infer(windows[:64]), backend.transfers_ns)[1]
    assert 0 < there < 100_000_000
    assert 0 < back < 100_000_000


def test_the_output_stays_when_the_next_call_comes(backend, windows):
    first = backend.infer(windows[:3])
    kept = first.copy()
    backend.infer(-windows[:3])
    np.testing.assert_array_equal(first, kept)


def test_a_wrong_batch_is_refused_with_what_was_expected(backend, windows):
    with pytest.raises(ValueError, match="must have shape"):
        backend.infer(windows[:, :, 1:].copy())
    with pytest.raises(ValueError, match="float64"):
        backend.infer(windows.astype(np.float64))


def test_any_thread_may_call(backend, windows, expected):
    """The engine opens a backend in one thread, runs it in another, and its heart beats in a third."""
    results = {}

    def call(number):
        for turn in range(50):
            row = (7 * number + turn) % 100
            results[number, turn] = np.abs(backend.infer(windows[row : row + 1]) - expected[row]).max()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 150
    assert max(results.values()) <= allowed(backend)


def test_the_heart_beats_while_nobody_calls(backend):
    before = backend.runtime.beats
    threading.Event().wait(0.5)
    assert backend.runtime.beats > before


def test_two_networks_live_side_by_side_and_one_may_go(backend, windows, expected):
    """As when the engine changes its network while it plays."""
    second = open_backend(backend.name, load_card("unet"))
    second.infer(windows[:2])
    second.close()
    np.testing.assert_allclose(backend.infer(windows[:2]), expected[:2], atol=allowed(backend))


# A network that keeps state


@pytest.fixture(scope="module", params=list(OPTIONS))
def stepping(request, plans):
    reason = why_not(request.param)
    if reason:
        pytest.skip(f"{request.param}: {reason}")
    loaded = open_backend(request.param, load_card("lowdelay"))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def onnx_steps():
    loaded = open_backend("onnx", load_card("lowdelay"))
    yield loaded
    loaded.close()


def assert_same_step(found, expected):
    for what, ours, theirs in zip(("answer", "state"), found, expected, strict=True):
        assert ours.dtype == np.float32
        allowed = PARITY_MV["fp32"] if what == "answer" else STATE_PARITY
        difference = np.abs(ours - theirs) / (1 if what == "answer" else np.maximum(1, np.abs(theirs)))
        assert difference.max() <= allowed, what


@pytest.mark.parametrize("samples", [4, 16, 40, 720])
@pytest.mark.parametrize("rows", [1, 3, 64, 65])
def test_every_batch_and_hop_steps_as_onnx_runtime_does(stepping, onnx_steps, rows, samples):
    rng = np.random.default_rng(rows)
    hop = rng.normal(size=(rows, 1, samples)).astype(np.float32)
    state = initial_state(hop, stepping.steps) + rng.normal(size=(rows, stepping.steps.state)) / 10
    state = state.astype(np.float32)
    for lookahead in (0, 36, 108):
        given = state.copy()
        assert_same_step(stepping.step(hop, state, lookahead), onnx_steps.step(hop, state, lookahead))
        np.testing.assert_array_equal(given, state)
    there, back = stepping.transfers_ns
    assert 0 < there < 100_000_000
    assert 0 < back < 100_000_000


def test_a_minute_of_steps_does_not_drift_away_from_onnx_runtime(stepping, onnx_steps):
    """Each goes on from its own state: errors that come back would add up."""
    signal = np.random.default_rng(5).normal(size=(2, 1, 1344 * 16)).astype(np.float32)
    ours = theirs = initial_state(signal, stepping.steps)
    for at in range(0, signal.shape[2], 16):
        hop = signal[:, :, at : at + 16].copy()
        answer, ours = stepping.step(hop, ours, 36)
        expected, theirs = onnx_steps.step(hop, theirs, 36)
        assert np.abs(answer - expected).max() <= PARITY_MV["fp32"]


def test_threads_and_beats_do_not_mix_their_states(stepping, onnx_steps):
    hops = np.random.default_rng(6).normal(size=(3, 50, 1, 1, 16)).astype(np.float32)
    wrong = []

    def call(number):
        state = initial_state(hops[number, 0], stepping.steps)
        for hop in hops[number]:
            expected = onnx_steps.step(hop, state, 36)
            answer, after = stepping.step(hop, state, 36)
            if np.abs(answer - expected[0]).max() > PARITY_MV["fp32"]:
                wrong.append(number)
            state = after

    beats = stepping.runtime.beats
    threads = [threading.Thread(target=call, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    threading.Event().wait(0.5)
    assert stepping.runtime.beats > beats


def test_states_in_places_step_as_given_ones_do(stepping, onnx_steps):
    """Two rows beside their neighbours; one of them begins afresh on the way."""
    assert keeps_places(stepping)
    signal = np.random.default_rng(7).normal(size=(2, 1, 40 * 16)).astype(np.float32)
    places = stepping.places.claim(2)
    state = initial_state(signal, stepping.steps)
    stepping.write(places, state)
    for at in range(0, signal.shape[2], 16):
        hop, begin = signal[:, :, at : at + 16].copy(), np.zeros((2, 2), np.float32)
        if at == 160:
            begin[1] = 1, hop[1, 0, 0]
            state[1] = initial_state(hop[1:], stepping.steps)
        answer, told = stepping.step_placed(hop, places, begin, 36)
        expected, state = onnx_steps.step(hop, state, 36)
        assert np.abs(answer - expected).max() <= PARITY_MV["fp32"]
        np.testing.assert_allclose(told[:, 0], state[:, 0], atol=PARITY_MV["fp32"])
    found = stepping.read(places)
    assert (np.abs(found - state) / np.maximum(1, np.abs(state))).max() <= STATE_PARITY
    stepping.places.release(places)


def test_the_driver_runs_a_captured_graph_of_copies():
    stream = Stream()
    there, back = stream.pinned((4, 1, 720)), stream.pinned((4, 1, 720))
    address, other = stream.memory(there.nbytes), stream.memory(there.nbytes)
    begun, ended = stream.event(), stream.event()
    with stream.capture() as graph:
        begun.record()
        stream.to_device(address, there)
        stream.within(other, address, there.nbytes // 2)
        stream.to_host(back[:2], other)
        ended.record()
    for seed in range(3):
        there[:] = np.random.default_rng(seed).normal(size=there.shape)
        stream.use()
        graph.launch()
        stream.synchronize()
        np.testing.assert_array_equal(back[:2], there[:2])
        assert not back[2:].any()
        assert 0 < ended.since(begun) < 100_000_000
    stream.close()


def test_a_refusal_of_the_driver_names_the_function():
    stream = Stream()
    with pytest.raises(RuntimeError, match="cuMemAlloc_v2: CUDA_ERROR_"):
        stream.memory(0)
    stream.close()
