"""Every backend of the table keeps one contract, with every kind of system that it runs.

What needs a GPU runs on a stand-in where there is none; the name of each test then says why.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fake_gpu import STAND_INS
from step_tools import NAME, STEPS, backend, ecg

from engine.backends import NUMPY, TABLE, auto_order, entry_of, open_backend, why_not
from engine.backends.adapters import Windows
from engine.backends.base import keeps_state
from models.registry import load_card
from streamer.errors import InputError

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine

WINDOWS, CLASSICAL = "unet", "butterworth-zero-phase"
LOOKAHEAD = 36
TOLERANCE_MV = 1e-4
HERE = [name for name in auto_order() if why_not(name) is None]


def cases():
    for name in TABLE:
        reason = why_not(name)
        where = f" on a stand-in, {reason.split(' (')[0]}" if reason else ""
        for system in (CLASSICAL,) if name == NUMPY else (WINDOWS, NAME):
            yield pytest.param((name, system), id=f"{system} by {name}{where}")


def inputs(system, rows, seed=0):
    """Arguments of a call: windows, or a hop with the state that two seconds before it left."""
    spec = load_card(system).spec
    if system != NAME:
        return [np.random.default_rng(seed).normal(size=(rows, spec.leads, spec.window)).astype(np.float32)]
    noisy = ecg(rows, 720 + 28, seed)[:, None]
    state = np.zeros((rows, STEPS.state), np.float32)
    state[:, : STEPS.led_by] = noisy[:, 0, :1]
    _, state = backend().step(np.ascontiguousarray(noisy[:, :, :720]), state, LOOKAHEAD)
    return [np.ascontiguousarray(noisy[:, :, 720:]), state]


def call(loaded, given):
    """What a backend gives, one array or two."""
    if not keeps_state(loaded):
        return (loaded.infer(*given),)
    samples, state = given
    return loaded.step(samples, state, LOOKAHEAD)


def row(arrays, index):
    return [np.ascontiguousarray(each[index : index + 1]) for each in arrays]


@pytest.fixture(scope="class", params=cases())
def case(request, tmp_path_factory):
    name, system = request.param
    reason = why_not(name)
    if reason and name not in STAND_INS:
        pytest.skip(f"{name} has no stand-in, and {reason}")
    with pytest.MonkeyPatch.context() as patch:
        if reason:
            STAND_INS[name](patch, tmp_path_factory.mktemp("plans"))
        loaded = open_backend(name, load_card(system))
        yield SimpleNamespace(name=name, system=system, loaded=loaded)
        loaded.close()
        loaded.close()


class TestEveryBackend:
    def test_it_says_what_it_is(self, case):
        spec = load_card(case.system).spec
        assert case.loaded.name == case.name
        assert case.loaded.leads == spec.leads
        assert keeps_state(case.loaded) == (case.system == NAME)
        if keeps_state(case.loaded):
            assert case.loaded.steps is STEPS
        fixed = case.loaded.fixed_rows
        assert list(fixed) == sorted(set(fixed))
        assert bool(fixed) == entry_of(case.name).on_gpu

    @pytest.mark.parametrize("rows", [1, 2, 4, 5, 11])
    def test_any_number_of_rows_is_answered_as_onnx_runtime_does(self, case, rows):
        given = inputs(case.system, rows)
        found = call(case.loaded, given)
        if case.system == CLASSICAL:
            expected = [load_card(CLASSICAL).spec.filter(*given)]
        else:
            expected = call(backend("onnx", case.system), given)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.dtype == np.float32
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, atol=TOLERANCE_MV, rtol=TOLERANCE_MV)
        copied = case.loaded.transfers_ns
        assert min(copied) > 0 if case.loaded.fixed_rows else copied == (0, 0)

    def test_no_row_depends_on_another(self, case):
        given = inputs(case.system, 5)
        together = call(case.loaded, given)
        for index in range(5):
            alone = call(case.loaded, row(given, index))
            for mine, of_all in zip(alone, together, strict=True):
                np.testing.assert_allclose(mine[0], of_all[index], atol=1e-5, rtol=1e-5)
        broken = [each.copy() for each in given]
        for each in broken:
            each[1:] = np.nan
        for one, of_all in zip(call(case.loaded, broken), together, strict=True):
            np.testing.assert_allclose(one[0], of_all[0], atol=1e-5, rtol=1e-5)

    def test_what_goes_in_is_left_alone_and_what_comes_out_is_new_memory(self, case):
        given = inputs(case.system, 3)
        before = [each.copy() for each in given]
        first = call(case.loaded, given)
        kept = [each.copy() for each in first]
        call(case.loaded, [-each for each in given])
        for each, was in zip([*given, *first], [*before, *kept], strict=True):
            np.testing.assert_array_equal(each, was)

    @pytest.mark.parametrize(
        ("broken", "words"),
        [
            (lambda x: x[:, :, :-1].copy(), r"must have shape \(rows, 1, .*, got \(3, 1, \d+\)"),
            (lambda x: np.zeros((3, 1, 724), np.float32), r"got \(3, 1, 724\)"),
            (lambda x: x[:, :, :0].copy(), r"got \(3, 1, 0\)"),
            (lambda x: x[:, 0], r"got \(3, \d+\)"),
            (lambda x: np.repeat(x, 2, axis=1), r"got \(3, 2, \d+\)"),
            (lambda x: x.astype(np.float64), "must be contiguous float32, got float64"),
            (lambda x: np.repeat(x, 2, axis=2)[:, :, ::2], "must be contiguous float32"),
        ],
        ids=["short", "long", "empty", "flat", "two leads", "double", "scattered"],
    )
    def test_a_wrong_signal_is_refused_with_what_was_expected(self, case, broken, words):
        signal, *state = inputs(case.system, 3)
        with pytest.raises(ValueError, match=words):
            call(case.loaded, [broken(signal), *state])

    @pytest.mark.parametrize(
        ("broken", "lookahead", "words"),
        [
            (lambda x: x[:2].copy(), 36, rf"state must have shape \(3, {STEPS.state}\), got \(2, "),
            (lambda x: x[:, 1:].copy(), 36, "state must have shape"),
            (lambda x: x.astype(np.float64), 36, "state must be contiguous float32, got float64"),
            (lambda x: x, -1, "look-ahead must be 0 to 108 samples, got -1"),
            (lambda x: x, 109, "look-ahead must be 0 to 108 samples, got 109"),
        ],
        ids=["rows", "numbers", "double", "negative", "too far"],
    )
    def test_a_wrong_state_or_look_ahead_is_refused(self, case, broken, lookahead, words):
        if not keeps_state(case.loaded):
            assert not hasattr(case.loaded, "step")
            return
        samples, state = inputs(NAME, 3)
        with pytest.raises(ValueError, match=words):
            case.loaded.step(samples, broken(state), lookahead)


def test_the_backends_of_this_machine_are_not_none():
    assert "onnx" in HERE


def test_a_runtime_is_closed_once():
    closed = []
    runtime = SimpleNamespace(close=lambda: closed.append(True))
    adapter = Windows(runtime, load_card(WINDOWS).spec)
    adapter.close()
    adapter.close()
    assert closed == [True]


@pytest.mark.parametrize("network", [WINDOWS, NAME])
@pytest.mark.parametrize("name", ["tensorrt", "warp"])
def test_a_backend_that_cannot_run_is_an_error_and_not_another_backend(name, network):
    with pytest.raises(InputError, match=f"'{name}' cannot be used"):
        open_backend(name, load_card(network))


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr("streamer.console.installed.find_spec", lambda module: None)
    assert "pip install" in (why_not("torch") or "")


def test_all_backends_agree_step_after_step():
    """The difference of one step is the state of the next: it must not grow over a minute."""
    data = ecg(2, 60 * 360)[:, None]
    opened = [open_backend(name, load_card(NAME)) for name in HERE]
    states = [inputs(NAME, 2)[1] for _ in opened]
    for at in range(0, data.shape[2], 720):
        samples = np.ascontiguousarray(data[:, :, at : at + 720])
        results = [
            loaded.step(samples, state, LOOKAHEAD) for loaded, state in zip(opened, states, strict=True)
        ]
        states = [state for _, state in results]
        for answer, _ in results[1:]:
            np.testing.assert_allclose(answer, results[0][0], atol=TOLERANCE_MV)
    for loaded in opened:
        loaded.close()
