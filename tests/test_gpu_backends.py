"""What can be known of the GPU backends without a GPU: heartbeat, refusals, figures, command line."""

import json
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from engine_tools import Identity
from typer.testing import CliRunner

from ecg_stream import app
from engine import gpu_check
from engine.backends import open_backend, why_not
from engine.backends.cuda import CudaBackend, fold_batch_norms
from engine.backends.gpu import Gpu
from engine.backends.heartbeat import Heartbeat
from engine.gpu_check import GOALS, check_gpu, judge, make_card, percentiles, time_calls
from models.networks.unet import UNet
from models.registry import find_network, load_card
from streamer.errors import InputError

WINDOWS = "unet"
"""A network that answers windows; those that keep state do not run on a device yet."""

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


# Refusals


@pytest.fixture
def card_here(monkeypatch):
    """Pretend that there is a GPU, as far as looking goes."""
    monkeypatch.setattr("engine.backends.find_gpu", lambda: Gpu("NVIDIA H200", (9, 0), (13, 0)))


def test_cuda_without_a_gpu_is_refused_in_one_line():
    with pytest.raises(InputError, match=r"'cuda' cannot be used: no NVIDIA GPU here \(.*\); use onnx or"):
        open_backend("cuda", load_card(WINDOWS))


def test_cuda_with_a_torch_without_cuda_is_refused(card_here, monkeypatch):
    monkeypatch.setattr("engine.backends.version", lambda package: "2.13.0+cpu")
    assert why_not("cuda") == "torch 2.13.0+cpu is the build without CUDA; install the one with it"
    monkeypatch.setattr("engine.backends.version", lambda package: "2.13.0+cu130")
    assert why_not("cuda") is None
    monkeypatch.setattr("engine.backends.version", lambda package: "2.8.1")
    assert "install 2.9 or newer" in (why_not("cuda") or "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="finds no GPU that it can use"):
        CudaBackend(load_card(WINDOWS))


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
        open_backend(name, load_card(WINDOWS))


def test_half_precision_needs_onnx(card_here, monkeypatch):
    monkeypatch.setattr("engine.backends.choose_flavour", lambda gpu: object())
    assert why_not("tensorrt:fp16") is None
    monkeypatch.setattr("engine.backends.find_spec", lambda module: None)
    assert why_not("tensorrt") is None
    assert "onnx not installed" in (why_not("tensorrt:fp16") or "")


# The CUDA backend, on a torch that only pretends to have a GPU


class Pretended:
    """torch.cuda's graphs and streams on the CPU: a replay runs what was captured, here always all."""

    def __init__(self, backend):
        self.backend, self.replays = backend, 0

    def lane(self, count):
        def replay():
            self.replays += 1
            noisy = self.backend._noisy[:count]
            with torch.inference_mode():
                self.backend._cleaned[:count].copy_(self.backend._network(noisy))

        events = [SimpleNamespace(elapsed_time=lambda other: 0.25) for _ in range(4)]
        return SimpleNamespace(replay=replay), events, None


def test_cuda_fills_up_and_cuts_batches(monkeypatch):
    """The call itself; capturing needs a GPU and has its test in test_gpu.py."""
    card = load_card(WINDOWS)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: SimpleNamespace(synchronize=lambda: None))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: torch.inference_mode())
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda module: module)
    zeros = torch.zeros
    monkeypatch.setattr(torch, "zeros", lambda shape, **where: zeros(shape))
    pretended = []
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark

    def capture(backend, count):
        if not pretended:
            pretended.append(Pretended(backend))
        return pretended[0].lane(count)

    monkeypatch.setattr(CudaBackend, "_capture", capture)
    backend = CudaBackend(card, rows=(1, 4))
    assert not torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = before
    windows = np.random.default_rng(0).normal(size=(11, 1, 720)).astype(np.float32)
    onnx = open_backend("onnx", card)
    expected = onnx.infer(windows)
    replays = pretended[0].replays
    for rows, launched in ((1, 1), (3, 1), (5, 2), (11, 3), (0, 0)):
        np.testing.assert_allclose(backend.infer(windows[:rows]), expected[:rows], atol=1e-4)
        assert pretended[0].replays == replays + launched
        assert backend.transfers_ns == (250_000 * launched, 250_000 * launched)
        replays += launched
    with pytest.raises(ValueError, match=r"shape \(rows, 1, 720\)"):
        backend.infer(windows[:, :, 1:].copy())
    onnx.close()


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

    taken = time_calls(Slow(), np.zeros((1, 1, 8), np.float32), 4, 0.04)
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
    assert card.spec.window == find_network(WINDOWS).window
    backend = open_backend("onnx", card)
    assert backend.infer(np.zeros((2, 1, 720), np.float32)).shape == (2, 1, 720)
    backend.close()


def test_a_check_lists_what_was_refused_and_measures_the_rest(monkeypatch, card_here):
    monkeypatch.setattr(gpu_check, "find_gpu", lambda: Gpu("NVIDIA H200", (9, 0), (13, 0)))
    monkeypatch.setattr(gpu_check, "why_not", lambda name: "not this one" if "tensorrt" in name else None)
    monkeypatch.setattr(gpu_check, "make_card", lambda folder: load_card(WINDOWS))
    for name, value in (("_CALLS", 100), ("_PACED_CALLS", 100), ("HOP_S", 1e-4), ("_IDLE_S", 0.0)):
        monkeypatch.setattr(gpu_check, name, value)
    monkeypatch.setattr(gpu_check, "BATCHES", (2,))

    class Fast(Gpuless):
        def __init__(self, card, rows, precision="fp32", inductor=False):
            super().__init__()
            if inductor:
                raise RuntimeError("no compiler")

    monkeypatch.setattr(gpu_check, "Eager", Fast)
    monkeypatch.setattr(gpu_check, "CudaBackend", Fast)
    heard = []
    result = json.loads(json.dumps(check_gpu(lambda *step: heard.append(step))))
    refused = {name: each["refused"] for name, each in result["backends"].items() if "refused" in each}
    assert refused == {
        "cuda:inductor": "RuntimeError: no compiler",
        "cuda:fp16:inductor": "RuntimeError: no compiler",
        "tensorrt": "not this one",
        "tensorrt:fp16": "not this one",
    }
    assert [name for name, _, _ in heard] == list(result["backends"])
    assert result["backends"]["cuda"]["batches"]["2"]["p99_ms"] > 0
    assert result["gpu"] == "NVIDIA H200"


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
    }
    monkeypatch.setattr(gpu_check, "check_gpu", lambda progress: report)
    result = command("profile", "--gpu-check", "--json", str(tmp_path / "check.json"))
    text = " ".join(result.output.split())
    for words in (
        "NVIDIA H200 (compute capability 9.0), torch 2.13.0",
        "tensorrt not installed, tensorrt-rtx 1.7.1; U-Net",
        "12345",
        "not run: tensorrt: serves [8.9]",
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
        (["export", "lowdelay", "--format", "tensorrt"], "keeps state, which no plan carries yet"),
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
