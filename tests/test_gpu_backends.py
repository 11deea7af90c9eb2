"""What can be known of the GPU backends without a GPU: heartbeat, refusals, figures, command line."""

import gc
import json
import threading
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from engine_tools import Identity
from fake_gpu import FakeCudaGraph, fake_torch_cuda
from typer.testing import CliRunner

from ecg_stream import app
from engine.backends import choose_backend, open_backend, why_not
from engine.backends.base import keeps_state
from engine.backends.cuda import CudaBackend, CudaSteps, fold_batch_norms
from engine.backends.gpu.find import Gpu
from engine.backends.gpu.heartbeat import Heartbeat, StepHeartbeat
from engine.backends.parity import check_step_parity
from engine.lab.profile import gpu_check
from engine.lab.profile.gpu_check import GOALS, check_gpu, judge, make_card, percentiles, time_calls
from engine.stateful import initial_state
from models.networks.unet import UNet
from models.registry import find_network, load_card
from streamer.errors import InputError

torch.set_num_threads(1)


# Heartbeat, on a clock that only its own waiting and the calls move


class Clock:
    """Time that passes only where somebody waits; `wait` returns True when `ends` is reached."""

    def __init__(self, ends, meanwhile=lambda now: None):
        self.now, self.ends, self.meanwhile = 0.0, ends, meanwhile

    def __call__(self):
        return self.now

    def wait(self, seconds):
        assert seconds > 0
        target = self.now + seconds
        while self.now < min(target, self.ends) - 1e-9:
            self.now = min(self.now + 0.001, target)
            self.meanwhile(self.now)
        return self.now >= self.ends - 1e-9


class Gpuless(Identity):
    """Notes when it ran, and on what."""

    name = "fake"
    fixed_rows = (1, 4)
    transfers_ns = (1, 2)

    def __init__(self, clock=lambda: 0.0):
        self.clock, self.ran, self.closed = clock, [], False

    def infer(self, batch):
        self.ran.append((round(self.clock(), 3), float(batch.max())))
        return batch.copy()

    def close(self):
        self.closed = True


def beat(clock, backend, interval_s=0.015):
    heart = Heartbeat(backend, 1, 8, interval_s, clock, clock.wait)
    heart._thread.join(10)
    assert not heart._thread.is_alive()
    return heart


def test_an_idle_gpu_beats_at_its_interval():
    clock = Clock(ends=0.1)
    backend = Gpuless(clock)
    heart = beat(clock, backend)
    assert [moment for moment, _ in backend.ran] == [0.015, 0.03, 0.045, 0.06, 0.075, 0.09]
    assert {value for _, value in backend.ran} == {0.0}
    assert heart.beats == 6
    assert heart.transfers_ns == (0, 0)


def test_beats_lie_between_calls_that_come_every_40_ms():
    """None at the moment of a call, two between each two: as its comment promises."""
    hearts = []

    def call(now):
        if hearts and round(now * 1000) % 40 == 0:
            hearts[0].infer(np.ones((1, 1, 8), np.float32))

    clock = Clock(0.2, call)
    backend = Gpuless(clock)
    ready = threading.Event()
    heart = Heartbeat(backend, 1, 8, 0.015, clock, lambda s: ready.wait(10) and clock.wait(s))
    hearts.append(heart)
    ready.set()
    heart._thread.join(10)
    calls = [moment for moment, value in backend.ran if value == 1]
    beats = [moment for moment, value in backend.ran if value == 0]
    assert calls == [0.04, 0.08, 0.12, 0.16, 0.2]
    assert beats == [0.015, 0.03, 0.055, 0.07, 0.095, 0.11, 0.135, 0.15, 0.175, 0.19]
    assert heart.transfers_ns == (1, 2)


def test_a_beat_never_waits_for_a_call_and_a_call_for_one_beat_at_most():
    """A call that is held inside the backend keeps beats out; a beat that is held delays one call."""
    inside, go_on = threading.Event(), threading.Event()

    class Held(Gpuless):
        def infer(self, batch):
            inside.set()
            assert go_on.wait(10)
            return super().infer(batch)

    backend = Held()
    turns = iter([False, False, False, True])
    gate, tried = threading.Semaphore(0), threading.Semaphore(0)

    def wait(seconds):
        tried.release()
        gate.acquire()
        return next(turns)

    moments = iter(range(100))
    heart = Heartbeat(backend, 1, 8, 0.015, lambda: float(next(moments)), wait)
    tried.acquire()
    caller = threading.Thread(target=lambda: heart.infer(np.ones((1, 1, 8), np.float32)))
    caller.start()
    assert inside.wait(10)
    # The call is inside: the heart comes by twice, and goes on without a beat.
    for _ in range(2):
        gate.release()
        assert tried.acquire(timeout=10)
    assert heart.beats == 0
    go_on.set()
    caller.join(10)
    assert [value for _, value in backend.ran] == [1.0]
    # A beat is inside: a call that comes now runs right after this one beat.
    inside.clear()
    go_on.clear()
    gate.release()
    assert inside.wait(10)
    caller = threading.Thread(target=lambda: heart.infer(np.ones((1, 1, 8), np.float32)))
    caller.start()
    go_on.set()
    caller.join(10)
    assert [value for _, value in backend.ran] == [1.0, 0.0, 1.0]
    gate.release()
    heart.close()
    assert backend.closed


def test_a_gpu_that_fails_between_calls_is_an_error_of_the_next_call():
    class Failing(Gpuless):
        def infer(self, batch):
            raise RuntimeError("cuGraphLaunch: CUDA_ERROR_UNKNOWN")

    heart = beat(Clock(1.0), Failing())
    with pytest.raises(RuntimeError, match="between two calls: cuGraphLaunch: CUDA_ERROR_UNKNOWN"):
        heart.infer(np.ones((1, 1, 8), np.float32))


def test_a_real_heart_beats_and_stops():
    backend = Gpuless()
    heart = Heartbeat(backend, 1, 8, 0.001)
    assert heart.name == "fake"
    assert heart.fixed_rows == (1, 4)
    while len(backend.ran) < 3:
        threading.Event().wait(0.001)
    heart.close()
    assert backend.closed
    assert not heart._thread.is_alive()


class Stepping:
    """Notes the steps that it was asked for; its state counts them."""

    name, leads, fixed_rows, transfers_ns = "fake", 1, (1,), (1, 2)

    def __init__(self, steps):
        self.steps, self.asked, self.closed = steps, [], False

    def step(self, samples, state, lookahead):
        self.asked.append((samples.shape, state.shape, lookahead))
        return np.zeros((len(samples), 2, samples.shape[2]), np.float32), state + 1

    def close(self):
        self.closed = True


def test_a_heart_of_steps_beats_and_leaves_the_state_alone():
    steps = load_card("lowdelay").network.steps
    backend = Stepping(steps)
    clock = Clock(ends=0.1)
    heart = StepHeartbeat(backend, 0.015, clock, clock.wait)
    heart._thread.join(10)
    assert backend.asked == 6 * [((1, 1, 4), (1, steps.state), 0)]
    assert (heart.beats, heart.transfers_ns, heart.steps) == (6, (0, 0), steps)
    assert keeps_state(heart)
    assert heart.may_hang
    state = np.zeros((1, steps.state), np.float32)
    _, after = heart.step(np.zeros((1, 1, 16), np.float32), state, 36)
    assert backend.asked[-1] == ((1, 1, 16), (1, steps.state), 36)
    assert after.max() == 1
    assert heart.transfers_ns == (1, 2)
    heart.close()
    assert backend.closed


# Refusals


@pytest.fixture
def card_here(monkeypatch):
    """Pretend that there is a GPU, as far as looking goes."""
    monkeypatch.setattr("engine.backends.find_gpu", lambda: Gpu("NVIDIA H200", (9, 0), (13, 0)))


def test_cuda_without_a_gpu_is_refused_in_one_line():
    with pytest.raises(InputError, match=r"'cuda' cannot be used: no NVIDIA GPU here \(.*\); use onnx or"):
        open_backend("cuda", load_card("unet"))


def test_cuda_with_a_torch_without_cuda_is_refused(card_here, monkeypatch):
    monkeypatch.setattr("engine.backends.version", lambda package: "2.13.0+cpu")
    assert why_not("cuda") == "torch 2.13.0+cpu is the build without CUDA; install the one with it"
    monkeypatch.setattr("engine.backends.version", lambda package: "2.13.0+cu130")
    assert why_not("cuda") is None
    monkeypatch.setattr("engine.backends.version", lambda package: "2.8.1")
    assert "install 2.9 or newer" in (why_not("cuda") or "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="finds no GPU that it can use"):
        CudaBackend(load_card("unet"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("onnx:fp16", "no option 'fp16'; there are: cuda:fp16, cuda:inductor, tensorrt:fp16"),
        ("tensorrt:int8", "no option 'int8'"),
        ("cuda:", "no option ''"),
        ("warp:fp16", "no option"),
        ("warp", "there is no such backend"),
    ],
)
def test_a_wrong_option_is_named(name, words):
    with pytest.raises(InputError, match=words):
        open_backend(name, load_card("unet"))


def test_half_precision_needs_onnx(card_here, monkeypatch):
    monkeypatch.setattr("engine.backends.choose_flavour", lambda gpu: object())
    assert why_not("tensorrt:fp16") is None
    monkeypatch.setattr("streamer.console.installed.find_spec", lambda module: None)
    assert why_not("tensorrt") is None
    assert "onnx not installed" in (why_not("tensorrt:fp16") or "")


# The CUDA backends, on a torch that only pretends to have a GPU


def test_cuda_fills_up_and_cuts_batches(monkeypatch):
    fake_torch_cuda(monkeypatch)
    card = load_card("unet")
    backend = CudaBackend(card, rows=(1, 4))
    assert not torch.backends.cudnn.allow_tf32
    gc.collect()
    windows = np.random.default_rng(0).normal(size=(11, 1, 720)).astype(np.float32)
    onnx = open_backend("onnx", card)
    expected = onnx.infer(windows)
    for rows, launched in ((1, 1), (3, 1), (5, 2), (11, 3), (0, 0)):
        before = FakeCudaGraph.launches
        np.testing.assert_allclose(backend.infer(windows[:rows]), expected[:rows], atol=1e-4)
        assert FakeCudaGraph.launches == before + launched
        assert backend.transfers_ns == (250_000 * launched, 250_000 * launched)
    with pytest.raises(ValueError, match=r"shape \(rows, 1, 720\)"):
        backend.infer(windows[:, :, 1:].copy())
    onnx.close()
    backend.close()


@pytest.fixture(scope="module")
def lowdelay():
    return load_card("lowdelay")


@pytest.fixture(scope="module")
def captured(lowdelay):
    with pytest.MonkeyPatch.context() as patch:
        fake_torch_cuda(patch)
        backend = CudaSteps(lowdelay, lowdelay.network.steps, rows=(1, 4))
    # What the graphs read must not depend on anybody else's keeping it.
    gc.collect()
    yield backend
    backend.close()


@pytest.fixture
def cuda_steps(captured, monkeypatch):
    """Captured once; the fake does not stay beyond a test, for others would take it for a GPU."""
    fake_torch_cuda(monkeypatch)
    return captured


@pytest.fixture(scope="module")
def onnx_steps(lowdelay):
    backend = open_backend("onnx", lowdelay)
    yield backend
    backend.close()


@pytest.mark.parametrize(("rows", "samples", "launches"), [(1, 16, 1), (1, 4, 1), (3, 40, 4), (6, 28, 8)])
def test_cuda_takes_a_hop_in_as_many_steps_as_it_needs(cuda_steps, onnx_steps, rows, samples, launches):
    """Two hops on, each with a look-ahead of its own: 40 samples are 16 + 16 + 4 + 4."""
    rng = np.random.default_rng(rows)
    ours = theirs = initial_state(np.zeros((rows, 1, 4), np.float32), onnx_steps.steps)
    for lookahead in (36, 0):
        hop = rng.normal(size=(rows, 1, samples)).astype(np.float32)
        given, before = ours.copy(), FakeCudaGraph.launches
        answer, after = cuda_steps.step(hop, ours, lookahead)
        expected, theirs = onnx_steps.step(hop, theirs, lookahead)
        assert FakeCudaGraph.launches == before + launches
        assert cuda_steps.transfers_ns == (250_000 * launches, 250_000 * launches)
        np.testing.assert_allclose(answer, expected, atol=1e-4)
        np.testing.assert_allclose(after, theirs, atol=1e-4, rtol=1e-4)
        np.testing.assert_array_equal(given, ours)
        ours = after


def test_answer_and_state_stay_when_the_next_step_comes(cuda_steps):
    steps = cuda_steps.steps
    samples = np.random.default_rng(2).normal(size=(1, 1, 16)).astype(np.float32)
    first = cuda_steps.step(samples, initial_state(samples, steps), 36)
    kept = [each.copy() for each in first]
    cuda_steps.step(-samples, first[1], 36)
    for each, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(each, before)


def test_a_wrong_step_is_refused_with_what_was_expected(cuda_steps):
    state = np.zeros((1, cuda_steps.steps.state), np.float32)
    with pytest.raises(ValueError, match=r"a multiple of 4 up to 720\), got \(1, 1, 6\)"):
        cuda_steps.step(np.zeros((1, 1, 6), np.float32), state, 0)
    with pytest.raises(ValueError, match=r"look-ahead must be 0 to 108 samples, got 109"):
        cuda_steps.step(np.zeros((1, 1, 4), np.float32), state, 109)


@pytest.mark.parametrize("broken", ["answer", "next_state", "lookahead", "nan"])
def test_steps_that_differ_from_onnx_runtimes_are_refused(lowdelay, onnx_steps, broken):
    """One wrong number among ten thousand of the state, or a look-ahead that is not heard, is enough."""
    steps = onnx_steps.steps

    def step(samples, state, lookahead):
        answer, after = onnx_steps.step(samples, state, 0 if broken == "lookahead" else lookahead)
        if broken == "next_state":
            after[-1, 5000] += 1e-3 * max(1, abs(after[-1, 5000]))
        elif broken != "lookahead":
            answer[0, 1, 3] += np.nan if broken == "nan" else 0.01
        return answer, after

    check_step_parity(lowdelay, steps, (1, 2), onnx_steps.step)
    with pytest.raises(InputError, match=r"'lowdelay' .*differs .* use --backend onnx"):
        check_step_parity(lowdelay, steps, (1, 2), step)


@pytest.mark.parametrize("name", ["cuda:fp16", "cuda:inductor", "tensorrt:fp16"])
def test_a_network_that_keeps_state_takes_no_options(card_here, monkeypatch, lowdelay, name):
    monkeypatch.setattr("engine.backends.why_not", lambda name: None)
    backend, option = name.split(":")
    words = f"lowdelay keeps state and runs in fp32, as it stands; use {backend} without {option}"
    with pytest.raises(InputError, match=words):
        open_backend(name, lowdelay)
    assert choose_backend(backend, lowdelay.spec) == backend
    assert choose_backend(name, load_card("unet").spec) == name


def test_auto_opens_cuda_for_a_network_that_keeps_state(monkeypatch, lowdelay):
    fake_torch_cuda(monkeypatch)
    monkeypatch.setattr("engine.backends.why_not", lambda name: "no" if name == "tensorrt" else None)
    monkeypatch.setattr(CudaSteps.__init__, "__defaults__", ((1,),))
    backend = open_backend("auto", lowdelay)
    assert (backend.name, backend.fixed_rows) == ("cuda", (1,))
    samples = np.ones((1, 1, 16), np.float32)
    answer, _ = backend.step(samples, initial_state(samples, backend.steps), 36)
    assert answer.shape == (1, 2, 16)
    backend.close()


def test_folded_batch_norms_change_nothing_but_their_number():
    torch.manual_seed(0)
    network = UNet()
    window = torch.randn(3, 1, 720)
    network(window)
    network.eval()
    with torch.inference_mode():
        before = network(window)
        count = sum(isinstance(module, torch.nn.BatchNorm1d) for module in network.modules())
        fold_batch_norms(network)
        assert count > 10
        assert not any(isinstance(module, torch.nn.BatchNorm1d) for module in network.modules())
        torch.testing.assert_close(network(window), before, atol=1e-5, rtol=1e-5)


# The check


def test_percentiles_are_shown_only_where_there_is_something_beyond():
    taken = np.arange(1, 1001) * 1000
    assert percentiles(taken) == pytest.approx(
        {"p50": 500.5, "p95": 950.05, "p99": 990.01, "p99.9": 999.001, "max": 1000}
    )
    assert set(percentiles(taken[:50])) == {"p50", "p95", "max"}


def test_calls_are_paced_by_absolute_moments(monkeypatch):
    """A call that is late does not move those that follow."""
    now, slept = [0.0], []

    def sleep(seconds):
        slept.append(round(seconds, 3))
        now[0] += seconds

    clock = SimpleNamespace(
        perf_counter=lambda: now[0], perf_counter_ns=lambda: round(1e9 * now[0]), sleep=sleep
    )
    monkeypatch.setattr(gpu_check, "time", clock)
    lengths = iter([0.01, 0.05, 0.01, 0.01])

    class Slow(Identity):
        def infer(self, batch):
            now[0] += next(lengths)

    taken = time_calls(partial(Slow().infer, np.zeros((1, 1, 8), np.float32)), 4, 0.04)
    assert [round(ns / 1e6) for ns in taken] == [10, 50, 10, 10]
    assert slept == [0.03, 0.02]


def figures(p50, p99, paced, streams):
    return {
        "back_to_back_us": {"p50": p50, "p99": p99},
        "paced_heartbeat_us": {"p99": paced},
        "batches": {256: {"streams": streams}, 8192: {"refused": "out of memory"}},
    }


def test_goals_are_judged_by_the_fastest_of_ours():
    measured = {
        "eager": figures(1.0, 1.0, 1.0, 10**6),
        "cuda": figures(180.0, 200.0, 500.0, 20_000),
        "cuda:fp16": figures(250.0, 251.0, 252.0, 31_000),
        "tensorrt": {"refused": "no"},
    }
    judged = judge(measured)
    assert {name: goal["by"] for name, goal in judged.items()} == {
        "p50_us": "cuda",
        "p99_of_p50": "cuda",
        "paced_p99_of_p99": "cuda",
        "streams": "cuda:fp16",
    }
    assert {name: goal["met"] for name, goal in judged.items()} == {
        "p50_us": True,
        "p99_of_p50": True,
        "paced_p99_of_p99": False,
        "streams": True,
    }
    assert judged["paced_p99_of_p99"]["reached"] == 2.5
    nothing = judge({"eager": measured["eager"], "cuda": {"refused": "no"}})
    assert not any(goal["met"] for goal in nothing.values())
    assert set(nothing) == set(GOALS)


def test_the_checks_network_has_the_size_that_the_goals_are_for(tmp_path):
    card = make_card(tmp_path)
    assert 440_000 <= card.spec.parameters <= 480_000
    assert card.spec.window == find_network("unet").window
    backend = open_backend("onnx", card)
    assert backend.infer(np.zeros((2, 1, 720), np.float32)).shape == (2, 1, 720)
    backend.close()


def test_a_check_lists_what_was_refused_and_measures_the_rest(monkeypatch, card_here):
    monkeypatch.setattr(gpu_check, "find_gpu", lambda: Gpu("NVIDIA H200", (9, 0), (13, 0)))
    monkeypatch.setattr(gpu_check, "why_not", lambda name: "not this one" if "tensorrt" in name else None)
    monkeypatch.setattr(gpu_check, "make_card", lambda folder: load_card("unet"))
    for name, value in (("_CALLS", 100), ("_PACED_CALLS", 100), ("HOP_S", 1e-4), ("_IDLE_S", 0.0)):
        monkeypatch.setattr(gpu_check, name, value)
    monkeypatch.setattr(gpu_check, "BATCHES", (2,))

    class Fast(Gpuless):
        def __init__(self, card, rows, precision="fp32", inductor=False):
            super().__init__()
            if inductor:
                raise RuntimeError("no compiler")

    class FastSteps(Stepping):
        def __init__(self, card, steps, rows):
            super().__init__(steps)
            stepped.append(self)

    stepped = []
    monkeypatch.setattr(gpu_check, "Eager", Fast)
    monkeypatch.setattr(gpu_check, "CudaBackend", Fast)
    monkeypatch.setattr(gpu_check, "EagerSteps", FastSteps)
    monkeypatch.setattr(gpu_check, "CudaSteps", FastSteps)
    heard = []
    result = json.loads(json.dumps(check_gpu(lambda *step: heard.append(step))))
    refused = {name: each["refused"] for name, each in result["backends"].items() if "refused" in each}
    assert refused == {
        "cuda:inductor": "RuntimeError: no compiler",
        "cuda:fp16:inductor": "RuntimeError: no compiler",
        "tensorrt": "not this one",
        "tensorrt:fp16": "not this one",
    }
    steps = result["steps"]["backends"]
    named = [f"unet {name}" for name in result["backends"]] + [f"lowdelay {name}" for name in steps]
    assert [name for name, _, _ in heard] == named
    assert result["backends"]["cuda"]["batches"]["2"]["p99_ms"] > 0
    assert result["gpu"] == "NVIDIA H200"
    assert steps["tensorrt"] == {"refused": "not this one"}
    assert steps["cuda"]["batches"]["2"]["streams"] > 0
    assert result["steps"]["network"] == "lowdelay"
    # One hop of 40 ms, at the look-ahead that it runs with; two rows where it is told so.
    asked = {each for backend in stepped for each in backend.asked if each[2]}
    assert asked == {((rows, 1, 16), (rows, stepped[0].steps.state), 36) for rows in (1, 2)}


def test_a_check_is_printed_with_its_refusals_and_goals(monkeypatch, tmp_path):
    measured = {"cuda": figures(180.0, 200.0, 500.0, 31_000), "tensorrt": {"refused": "serves [8.9]"}}
    measured["cuda"] |= {"paced_us": {"p99": 900.0}, "after_idle_us": 12_345.0}
    report = {
        "date": "2026-11-20T20:00:00+00:00",
        "gpu": "NVIDIA H200",
        "compute_capability": "9.0",
        "torch": "2.13.0",
        "libraries": {"tensorrt": None, "tensorrt-rtx": "1.7.1"},
        "parameters": 455_007,
        "window": 720,
        "backends": measured,
        "goals": judge(measured),
        "steps": {
            "network": "lowdelay",
            "parameters": 530_755,
            "backends": {"cuda": measured["cuda"], "tensorrt": {"refused": "no such profile"}},
        },
    }
    monkeypatch.setattr(gpu_check, "check_gpu", lambda progress: report)
    result = command("profile", "--gpu-check", "--json", str(tmp_path / "check.json"))
    text = " ".join(result.output.split())
    for words in (
        "NVIDIA H200 (compute capability 9.0), torch 2.13.0",
        "tensorrt not installed, tensorrt-rtx 1.7.1; U-Net",
        "12345",
        "not run: tensorrt: serves [8.9]",
        "lowdelay of 530,755 parameters, which keeps state",
        "not run: tensorrt: no such profile",
        "met: p50_us 200: 180 by cuda",
        "MISSED: paced_p99_of_p99 2: 2.5 by cuda",
    ):
        assert words in text, result.output
    assert json.loads((tmp_path / "check.json").read_text())["goals"] == report["goals"]


# The command line


def command(*arguments):
    """Outcome of a command: what it printed, or the InputError that `main` turns into exit status 2."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit | InputError):
        raise result.exception
    return result


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["profile", "--gpu-check"], "the GPU check needs one: no NVIDIA GPU here"),
        (["--backend", "tensorrt", "--headless"], "backend 'tensorrt' cannot be used: no NVIDIA GPU here"),
        (["export", "lowdelay", "--format", "tensorrt"], "name the ward's with --compute-capability"),
        (["export", "unet", "--format", "tensorrt"], "name the ward's with --compute-capability"),
        (["export", "unet", "--format", "tensorrt", "--compute-capability", "ada"], "give it as in 8.9"),
        (["export", "unet", "--format", "tensorrt", "--rows", "1,two"], "'1,two' is no list of batch sizes"),
        (["export", "unet", "--format", "tensorrt", "--output", "/nowhere/x.plan"], "cannot write"),
    ],
)
def test_what_cannot_be_done_here_is_one_line(arguments, words):
    result = command(*arguments)
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception)
    assert "\n" not in str(result.exception)


def test_export_writes_a_plan_and_half_a_graph(tmp_path):
    pytest.importorskip("tensorrt_rtx")
    plan, graph = tmp_path / "unet.plan", tmp_path / "half.onnx"
    shared = ["export", "unet", "--precision", "fp16", "--output"]
    result = command(*shared, str(plan), "--format", "tensorrt", "--compute-capability", "8.9", "--rows", "1")
    assert "MB, built in" in result.output
    assert json.loads(plan.read_bytes().split(b"\n")[1])["precision"] == "fp16"
    command(*shared, str(graph))
    assert graph.stat().st_size < 0.6 * load_card("unet").onnx_path.stat().st_size


def test_doctor_says_which_gpu_and_why_not_each_backend():
    text = " ".join(command("doctor").output.replace("│", " ").split())
    for words in ("GPU", "backend tensorrt", "backend cuda", "auto chose", "plans"):
        assert words in text
