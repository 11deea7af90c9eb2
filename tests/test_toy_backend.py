"""A backend that is added as the documentation says: one file, tests/toys/toy_backend.py, and one line."""

import numpy as np
import pytest
from job_tools import job_of

from engine.backends import TABLE, auto_order, choose_backend, open_backend, why_not
from engine.messages import Cleaned
from engine.run.session import Session
from models.registry import load_card
from streamer.errors import InputError


@pytest.fixture(autouse=True)
def the_line(monkeypatch):
    monkeypatch.setitem(TABLE, "toy", "toys.toy_backend")


def cleaned(backend):
    """What a run of two seconds gives, (1, 720) mV, and its outcome."""
    messages = []
    session = Session(job_of(noise="em", snr=0.0, seconds=2.0, speed=0.0, backend=backend))
    outcome = session.run(show=messages.append)
    return np.concatenate([each.cleaned for each in messages if isinstance(each, Cleaned)], axis=1), outcome


def test_a_run_cleans_with_it_as_onnx_runtime_does():
    (toy, outcome), (onnx, _) = cleaned("toy"), cleaned("onnx")
    assert outcome.summary.backend == "toy"
    assert toy.shape == (1, 720)
    np.testing.assert_allclose(toy, onnx, atol=1e-5)


def test_it_takes_networks_that_answer_windows_too():
    card = load_card("unet")
    windows = np.random.default_rng(0).normal(size=(1, 1, 720)).astype(np.float32)
    toy, onnx = (open_backend(name, card) for name in ("toy", "onnx"))
    np.testing.assert_allclose(toy.infer(windows), onnx.infer(windows), atol=1e-5)
    with pytest.raises(ValueError, match=r"must have shape \(rows, 1, 720\)"):
        toy.infer(windows[:, :, 1:].copy())
    toy.close()
    onnx.close()


def test_it_is_asked_last_and_named_where_a_name_is_wrong(monkeypatch):
    assert auto_order()[-1] == "toy"
    assert choose_backend("auto") == "onnx"
    with pytest.raises(InputError, match="allowed: auto, tensorrt, cuda, onnx, torch, toy"):
        choose_backend("warp")
    with pytest.raises(InputError, match="'toy:fp16' cannot be used: it has no option 'fp16'"):
        choose_backend("toy:fp16")
    monkeypatch.setattr("streamer.console.installed.find_spec", lambda module: None)
    assert "onnx not installed; run `pip install" in (why_not("toy") or "")
