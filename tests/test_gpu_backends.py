"""What can be known of the GPU backends without a GPU: heartbeat, refusals, figures, command line."""

import gc
import json
import threading
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from engine_tools import Identity
from fake_gpu import FakeCudaGraph, fake_torch_cuda
from typer.testing import CliRunner

from ecg_stream import command_line
from engine.backends import choose_backend, cuda, open_backend, why_not
from engine.backends.adapters import adapt
from engine.backends.base import Runtime
from engine.backends.cuda import fold_batch_norms, open_cuda
from engine.backends.gpu.find import Gpu
from engine.backends.gpu.heartbeat import Heartbeat, silence
from engine.backends.parity import check_parity
from engine.backends.ports import Ports, zeros
from engine.backends.tensorrt.flavours import RTX
from engine.lab.profile import gpu_check
from engine.lab.profile.gpu_check import GOALS, check_gpu, judge, make_card, percentiles, time_calls
from engine.stateful import initial_state
from models.networks.unet import UNet
from models.registry import find_network, load_card
from streamer.console.installed import how_to_install
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


class Noting(Runtime):
    """Returns its input, and notes when it ran, and on what."""

    name = "fake"
    fixed_rows = (1, 4)
    transfers_ns = (1, 2)

    def __init__(self, clock=lambda: 0.0):
        self.clock, self.ran, self.closed = clock, [], False

    def run(self, inputs):
        self.ran.append((round(self.clock(), 3), float(inputs["noisy"].max())))
        return (inputs["noisy"].copy(),)

    def close(self):
        self.closed = True


IDLE = {"noisy": np.zeros((1, 1, 8), np.float32)}
ONES = {"noisy": np.ones((1, 1, 8), np.float32)}


def beat(clock, runtime):
    heart = Heartbeat(runtime, IDLE, 0.015, clock, clock.wait)
    heart._thread.join(10)
    assert not heart._thread.is_alive()
    return heart


def test_an_idle_gpu_beats_at_its_interval():
    clock = Clock(ends=0.1)
    backend = Noting(clock)
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
            hearts[0].run(ONES)

    clock = Clock(0.2, call)
    backend = Noting(clock)
    ready = threading.Event()
    heart = Heartbeat(backend, IDLE, 0.015, clock, lambda s: ready.wait(10) and clock.wait(s))
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

    class Held(Noting):
        def run(self, inputs):
            inside.set()
            assert go_on.wait(10)
            return super().run(inputs)

    backend = Held()
    turns = iter([False, False, False, True])
    gate, tried = threading.Semaphore(0), threading.Semaphore(0)

    def wait(seconds):
        tried.release()
        gate.acquire()
        return next(turns)

    moments = iter(range(100))
    heart = Heartbeat(backend, IDLE, 0.015, lambda: float(next(moments)), wait)
    tried.acquire()
    caller = threading.Thread(target=lambda: heart.run(ONES))
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
    caller = threading.Thread(target=lambda: heart.run(ONES))
    caller.start()
    go_on.set()
    caller.join(10)
    assert [value for _, value in backend.ran] == [1.0, 0.0, 1.0]
    gate.release()
    heart.close()
    assert backend.closed


def test_a_gpu_that_fails_between_calls_is_an_error_of_the_next_call():
    class Failing(Noting):
        def run(self, inputs):
            raise RuntimeError("cuGraphLaunch: CUDA_ERROR_UNKNOWN")

    heart = beat(Clock(1.0), Failing())
    with pytest.raises(RuntimeError, match="between two calls: cuGraphLaunch: CUDA_ERROR_UNKNOWN"):
        heart.run(ONES)


def test_a_real_heart_beats_and_stops():
    backend = Noting()
    heart = Heartbeat(backend, IDLE, 0.001)
    assert heart.name == "fake"
    assert heart.fixed_rows == (1, 4)
    while len(backend.ran) < 3:
        threading.Event().wait(0.001)
    heart.close()
    assert backend.closed
    assert not heart._thread.is_alive()


def test_idle_calls_are_the_smallest_that_a_network_takes():
    steps = load_card("lowdelay").network.steps
    assert {name: each.shape for name, each in silence(find_network("lowdelay")).items()} == {
        "noisy": (1, 1, 4),
        "state": (1, steps.state),
        "lookahead": (),
    }
    (window,) = silence(find_network("unet")).values()
    assert window.shape == (1, 1, 720)
    assert not any(each.any() for each in silence(find_network("lowdelay")).values())


# Refusals


@pytest.fixture
def card_here(monkeypatch):
    """Pretend that there is a GPU, as far as looking goes."""
    monkeypatch.setattr("engine.backends.gpu.find._look", lambda: Gpu("NVIDIA H200", (9, 0), (13, 0)))


def test_cuda_without_a_gpu_is_refused_in_one_line():
    with pytest.raises(InputError, match=r"'cuda' cannot be used: no NVIDIA GPU here \(.*\); use onnx or"):
        open_backend("cuda", load_card("unet"))


def test_cuda_with_a_torch_without_cuda_is_refused(card_here, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda package: "2.13.0+cpu")
    assert why_not("cuda") == "torch 2.13.0+cpu is the build without CUDA; install the one with it"
    monkeypatch.setattr("importlib.metadata.version", lambda package: "2.13.0+cu130")
    assert why_not("cuda") is None
    monkeypatch.setattr("importlib.metadata.version", lambda package: "2.8.1")
    assert "install 2.9 or newer" in (why_not("cuda") or "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="finds no GPU that it can use"):
        open_cuda(load_card("unet"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("onnx:fp16", "no option 'fp16'; there are: tensorrt:fp16, cuda:fp16, cuda:inductor"),
        ("tensorrt:int8", "no option 'int8'"),
        ("cuda:", "no option ''"),
        ("warp:fp16", "no option"),
        ("warp", "there is no such backend"),
    ],
)
def test_a_wrong_option_is_named(name, words):
    with pytest.raises(InputError, match=words):
        open_backend(name, load_card("unet"))


def test_a_plan_needs_onnx_and_half_precision_its_optimiser(card_here, monkeypatch):
    monkeypatch.setattr("engine.backends.tensorrt.runtime.choose_flavour", lambda gpu: RTX)
    assert why_not("tensorrt") is why_not("tensorrt:fp16") is None
    monkeypatch.setattr("streamer.console.installed.find_spec", lambda module: None)
    asked = f"not installed; run `{how_to_install('rtx')}`"
    assert why_not("tensorrt") == f"onnx {asked}"
    assert why_not("tensorrt:fp16") == f"onnx and onnxscript {asked}"


# The CUDA backends, on a torch that only pretends to have a GPU


def test_cuda_fills_up_and_cuts_batches(monkeypatch):
    fake_torch_cuda(monkeypatch)
    card = load_card("unet")
    backend = adapt(open_cuda(card, rows=(1, 4)), card.spec)
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
        backend = adapt(open_cuda(lowdelay, rows=(1, 4)), lowdelay.spec)
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


@pytest.mark.parametrize("broken", [None, "answer", "next_state", "lookahead", "nan"])
def test_steps_that_differ_from_onnx_runtimes_are_refused(lowdelay, onnx_steps, broken):
    """One wrong number among ten thousand of the state, or a look-ahead that is not heard, is enough."""

    class Differs(Runtime):
        fixed_rows = (1, 2)

        def run(self, inputs):
            if broken == "lookahead":
                inputs = inputs | {"lookahead": np.zeros_like(inputs["lookahead"])}
            answer, after = onnx_steps.runtime.run(inputs)
            if broken == "next_state":
                after[-1, 5000] += 1e-3 * max(1, abs(after[-1, 5000]))
            elif broken == "answer":
                answer[0, 1, 3] += 0.01
            elif broken == "nan":
                answer[0, 1, 3] = np.nan
            return answer, after

    if broken is None:
        check_parity(lowdelay, Differs())
        return
    with pytest.raises(InputError, match=r"'lowdelay' .*differs .* use --backend onnx"):
        check_parity(lowdelay, Differs())


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
    monkeypatch.setattr(cuda, "BACKEND", replace(cuda.BACKEND, open=partial(open_cuda, rows=(1,))))
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

    asked = []

    class Fast(Runtime):
        def __init__(self, card, options=(), threads=1, rows=()):
            if "inductor" in options:
                raise RuntimeError("no compiler")
            self.name, self._spec = "fast", card.spec

        def run(self, inputs):
            rows, _, samples = inputs["noisy"].shape
            if inputs.get("lookahead"):
                asked.append((inputs["noisy"].shape, inputs["state"].shape, int(inputs["lookahead"])))
            return list(zeros(Ports.of(self._spec, rows, samples).outputs).values())

    monkeypatch.setattr(gpu_check, "Eager", Fast)
    monkeypatch.setattr(cuda, "BACKEND", replace(cuda.BACKEND, open=Fast))
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
    batch = steps["cuda"]["batches"]["2"]
    assert batch["streams"] == int(2 * 1000 * gpu_check.HOP_S / batch["p99_ms"])
    assert result["steps"]["network"] == "lowdelay"
    # One hop of 40 ms, at the look-ahead that it runs with; two rows where it is told so.
    state = find_network("lowdelay").steps.state
    assert set(asked) == {((rows, 1, 16), (rows, state), 36) for rows in (1, 2)}


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
    result = command("profile", "gpu", "--json", str(tmp_path / "check.json"))
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
    front = command_line.app if arguments[0].startswith("-") else command_line.commands
    result = CliRunner().invoke(front, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit | InputError):
        raise result.exception
    return result


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["profile", "gpu"], "the GPU check needs one: no NVIDIA GPU here"),
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
    assert graph.stat().st_size < 0.6 * load_card("unet").weights_path.stat().st_size


def test_doctor_says_which_gpu_and_why_not_each_backend():
    text = " ".join(command("doctor").output.replace("│", " ").split())
    for words in ("GPU", "backend tensorrt", "backend cuda", "auto chose", "plans"):
        assert words in text
