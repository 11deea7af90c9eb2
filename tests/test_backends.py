"""Every backend of the registry keeps one contract."""

import numpy as np
import pytest
from step_tools import NAME, STEPS, ecg

from engine.backends import AUTO_ORDER, ON_GPU, open_backend, why_not
from engine.backends.base import keeps_state
from models.registry import find_network, load_card
from streamer.errors import InputError

HERE = [name for name in AUTO_ORDER if name not in ON_GPU and why_not(name) is None]


def test_the_backends_of_this_machine_are_not_none():
    assert "onnx" in HERE


WINDOWS = "unet"
"""A network that answers windows."""


@pytest.fixture(params=HERE)
def backend(request):
    loaded = open_backend(request.param, load_card(WINDOWS))
    yield loaded
    loaded.close()


@pytest.fixture
def windows():
    spec = load_card(WINDOWS).spec
    return np.random.default_rng(0).normal(size=(5, spec.leads, spec.window)).astype(np.float32)


def test_shape_type_and_name(backend, windows):
    cleaned = backend.infer(windows)
    assert cleaned.shape == windows.shape
    assert cleaned.dtype == np.float32
    assert np.isfinite(cleaned).all()
    assert backend.name in HERE
    assert backend.transfers_ns == (0, 0)


def test_rows_do_not_influence_each_other(backend, windows):
    together = backend.infer(windows)
    for row in range(len(windows)):
        alone = backend.infer(np.ascontiguousarray(windows[row : row + 1]))
        np.testing.assert_allclose(alone[0], together[row], atol=1e-5)


def test_the_input_is_left_alone_and_the_output_is_its_own(backend, windows):
    before = windows.copy()
    first = backend.infer(windows)
    kept = first.copy()
    backend.infer(-windows)
    np.testing.assert_array_equal(windows, before)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda x: x[:, :, :-1].copy(), r"shape \(rows, 1, 720\)"),
        (lambda x: x[0], "shape"),
        (lambda x: x.astype(np.float64), "float32, got float64"),
        (lambda x: np.repeat(x, 2, axis=2)[:, :, ::2], "contiguous"),
    ],
)
def test_a_wrong_batch_is_refused_with_what_was_expected(backend, windows, broken, words):
    with pytest.raises(ValueError, match=words):
        backend.infer(broken(windows))


def test_all_backends_agree(windows):
    outputs = []
    for name in HERE:
        loaded = open_backend(name, load_card(WINDOWS))
        outputs.append(loaded.infer(windows))
        loaded.close()
    for other in outputs[1:]:
        np.testing.assert_allclose(other, outputs[0], atol=1e-4)


@pytest.mark.parametrize("network", [WINDOWS, NAME])
@pytest.mark.parametrize("name", ["tensorrt", "warp"])
def test_a_backend_that_cannot_run_is_an_error_and_not_another_backend(name, network):
    with pytest.raises(InputError, match=f"'{name}' cannot be used"):
        open_backend(name, load_card(network))


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr("streamer.console.installed.find_spec", lambda module: None)
    assert "pip install" in (why_not("torch") or "")


# Networks that keep state


@pytest.fixture(params=HERE)
def stepwise(request):
    loaded = open_backend(request.param, load_card(NAME))
    yield loaded
    loaded.close()


def begun(stepwise, rows=3, count=16):
    """Samples and the state that those before them left, all of it other than zero."""
    noisy = ecg(rows, 720 + count)[:, None]
    first = np.repeat(noisy[:, :, :1], STEPS.led_by, axis=2)[:, 0]
    state = np.concatenate([first, np.zeros((rows, STEPS.state - STEPS.led_by), np.float32)], axis=1)
    _, state = stepwise.step(np.ascontiguousarray(noisy[:, :, :720]), state, 36)
    return np.ascontiguousarray(noisy[:, :, 720:]), state


def test_a_step_has_its_shapes_types_and_name(stepwise):
    samples, state = begun(stepwise)
    answer, after = stepwise.step(samples, state, 36)
    assert answer.shape == (3, 2, 16)
    assert after.shape == state.shape == (3, STEPS.state)
    assert answer.dtype == after.dtype == np.float32
    assert np.isfinite(answer).all()
    assert np.isfinite(after).all()
    assert stepwise.name in HERE
    assert stepwise.transfers_ns == (0, 0)
    assert stepwise.steps is find_network(NAME).steps
    assert keeps_state(stepwise)


def test_rows_of_a_step_do_not_influence_each_other(stepwise):
    samples, state = begun(stepwise)
    together = stepwise.step(samples, state, 36)
    for row in range(3):
        one = slice(row, row + 1)
        alone = stepwise.step(samples[one].copy(), state[one].copy(), 36)
        for mine, of_all in zip(alone, together, strict=True):
            np.testing.assert_allclose(mine[0], of_all[row], atol=1e-5)
    others = state.copy()
    others[1:] = np.nan
    np.testing.assert_allclose(stepwise.step(samples, others, 36)[1][0], together[1][0], atol=1e-5)


def test_a_step_leaves_what_it_is_given_alone_and_its_results_are_its_own(stepwise):
    samples, state = begun(stepwise)
    before = samples.copy(), state.copy()
    answer, after = stepwise.step(samples, state, 36)
    kept = answer.copy(), after.copy()
    stepwise.step(-samples, -state, 0)
    np.testing.assert_array_equal(samples, before[0])
    np.testing.assert_array_equal(state, before[1])
    np.testing.assert_array_equal(answer, kept[0])
    np.testing.assert_array_equal(after, kept[1])


@pytest.mark.parametrize(
    ("samples", "state", "lookahead", "words"),
    [
        (lambda x: x[:, :, :-1].copy(), None, 36, r"a multiple of 4 up to 720\), got \(3, 1, 15\)"),
        (lambda x: np.zeros((3, 1, 724), np.float32), None, 36, r"up to 720\), got \(3, 1, 724\)"),
        (lambda x: x[:, :, :0].copy(), None, 36, r"got \(3, 1, 0\)"),
        (lambda x: x[:, 0], None, 36, r"got \(3, 16\)"),
        (lambda x: np.repeat(x, 2, axis=1), None, 36, r"got \(3, 2, 16\)"),
        (lambda x: x.astype(np.float64), None, 36, "samples must be contiguous float32, got float64"),
        (lambda x: np.repeat(x, 2, axis=2)[:, :, ::2], None, 36, "samples must be contiguous"),
        (None, lambda x: x[:2].copy(), 36, rf"state must have shape \(3, {STEPS.state}\), got \(2, "),
        (None, lambda x: x[:, 1:].copy(), 36, "state must have shape"),
        (None, lambda x: x.astype(np.float64), 36, "state must be contiguous float32, got float64"),
        (None, None, -1, "look-ahead must be 0 to 108 samples, got -1"),
        (None, None, 109, "look-ahead must be 0 to 108 samples, got 109"),
    ],
)
def test_a_wrong_step_is_refused_with_what_was_expected(stepwise, samples, state, lookahead, words):
    right_samples, right_state = begun(stepwise)
    given = samples(right_samples) if samples else right_samples
    before = state(right_state) if state else right_state
    with pytest.raises(ValueError, match=words):
        stepwise.step(given, before, lookahead)


def test_all_backends_agree_step_after_step():
    """The difference of one step is the state of the next: it must not grow over a minute."""
    data = ecg(2, 60 * 360)[:, None]
    opened = [open_backend(name, load_card(NAME)) for name in HERE]
    states = [begun(loaded, rows=2)[1] for loaded in opened]
    for at in range(0, data.shape[2], 720):
        samples = np.ascontiguousarray(data[:, :, at : at + 720])
        results = [loaded.step(samples, state, 36) for loaded, state in zip(opened, states, strict=True)]
        states = [state for _, state in results]
        for answer, _ in results[1:]:
            np.testing.assert_allclose(answer, results[0][0], atol=1e-4)
    for loaded in opened:
        loaded.close()
