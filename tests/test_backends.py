"""Every backend of the registry keeps one contract."""

import numpy as np
import pytest

from engine.backends import AUTO_ORDER, ON_GPU, open_backend, why_not
from models.registry import DEFAULT_NETWORK, load_card
from streamer.errors import InputError

HERE = [name for name in AUTO_ORDER if name not in ON_GPU and why_not(name) is None]


def test_the_backends_of_this_machine_are_not_none():
    assert "onnx" in HERE


@pytest.fixture(params=HERE)
def backend(request):
    loaded = open_backend(request.param, load_card(DEFAULT_NETWORK))
    yield loaded
    loaded.close()


@pytest.fixture
def windows():
    spec = load_card(DEFAULT_NETWORK).spec
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
        loaded = open_backend(name, load_card(DEFAULT_NETWORK))
        outputs.append(loaded.infer(windows))
        loaded.close()
    for other in outputs[1:]:
        np.testing.assert_allclose(other, outputs[0], atol=1e-4)


@pytest.mark.parametrize("name", ["tensorrt", "warp"])
def test_a_backend_that_cannot_run_is_an_error_and_not_another_backend(name):
    with pytest.raises(InputError, match=f"'{name}' cannot be used"):
        open_backend(name, load_card(DEFAULT_NETWORK))


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr("engine.backends.find_spec", lambda module: None)
    assert "pip install" in (why_not("torch") or "")
