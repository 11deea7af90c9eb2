"""Measure the GPU backends in one unattended run: the time of a call, and how many streams fit.

The network is the U-Net made narrower, to about the 460 000 parameters that the goals were set for.
Its weights are random: each backend's output is checked against ONNX Runtime, and its time does not
depend on them. The stateful network is measured as shipped. All times are from numpy
array to numpy array. What cannot run is listed with its reason.
"""

import gc
import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from engine.backends import entry_of, why_not
from engine.backends.adapters import adapt
from engine.backends.base import AnyBackend, Runtime, keeps_places, keeps_state
from engine.backends.gpu.find import dotted, find_gpu, why_no_gpu
from engine.backends.gpu.heartbeat import INTERVAL_S, Heartbeat, silence
from engine.backends.gpu.shapes import fixed_samples
from engine.backends.parity import probe
from engine.backends.tensorrt.flavours import FLAVOURS
from engine.lab.profile.gpu_check_card import make_card
from engine.lab.profile.gpu_check_eager import Eager
from engine.stateful import initial_state
from models.registry import ModelCard, load_card
from streamer.errors import InputError

KEEPS_STATE = "lowdelay"
EAGER = "eager"
SYSTEMS = (EAGER, "cuda", "cuda:fp16", "cuda:inductor", "cuda:fp16:inductor", "tensorrt", "tensorrt:fp16")
STATEFUL_SYSTEMS = (EAGER, "cuda", "tensorrt")
"""What is measured; all but the first are backends of ours."""
HOP_S = 0.04
BATCHES = (256, 1024, 4096, 8192)
GOALS = {"p50_us": 200.0, "p99_of_p50": 1.2, "paced_p99_of_p99": 2.0, "streams": 30_000}
"""p50 of a call and its p99 over that, back to back; p99 at the pace of a stream with a heartbeat
over that back to back; streams on one GPU."""
_CALLS, _PACED_CALLS, _BATCH_CALLS, _WARMUP_CALLS = 5000, 250, 50, 50
_IDLE_S = 2.0

Progress = Callable[[str, int, int], None]
"""Called with what is measured, how many parts are done, and of how many."""
Open = Callable[..., Runtime]
"""Opens a card with options, for the row counts ``rows``."""


def check_gpu(progress: Progress) -> dict[str, Any]:
    """Measure every GPU backend that runs here; ready for JSON.

    Raises
    ------
    InputError
        If there is no GPU, or no torch to make the network with.
    """
    gpu = find_gpu()
    if gpu is None:
        raise InputError(f"the GPU check needs one: {why_no_gpu()}")
    reason = why_not("cuda")
    if reason:
        raise InputError(f"the GPU check needs torch with CUDA: {reason}")
    import torch

    stateful = load_card(KEEPS_STATE)
    with TemporaryDirectory() as folder:
        card = make_card(Path(folder))
        measured = _measure_each(SYSTEMS, card, progress)
        measured_steps = _measure_each(STATEFUL_SYSTEMS, stateful, progress)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "gpu": gpu.name,
        "compute_capability": dotted(gpu.capability),
        "driver_cuda": dotted(gpu.cuda),
        "machine": platform.platform(),
        "torch": torch.__version__,
        "libraries": {flavour.package: flavour.version for flavour in FLAVOURS.values()},
        "parameters": card.spec.parameters,
        "window": card.spec.window,
        "hop_ms": 1000 * HOP_S,
        "heartbeat_ms": 1000 * INTERVAL_S,
        "backends": measured,
        "goals": judge(measured),
        "steps": {
            "network": KEEPS_STATE,
            "parameters": stateful.spec.parameters,
            "backends": measured_steps,
        },
    }


def _measure_each(systems: Sequence[str], card: ModelCard, progress: Progress) -> dict[str, Any]:
    measured: dict[str, Any] = {}
    for done, name in enumerate(systems):
        progress(f"{card.spec.name} {name}", done, len(systems))
        reason = None if name == EAGER else why_not(name)
        try:
            measured[name] = {"refused": reason} if reason else _measure(name, card)
        # A check goes on with what runs, and says what does not.
        except (InputError, RuntimeError, ImportError) as error:
            measured[name] = {"refused": f"{type(error).__name__}: {error}"}
    return measured


def _open(name: str, card: ModelCard, rows: int) -> Runtime:
    """A runtime for one number of rows, without a heartbeat."""
    name, *options = name.split(":")
    open_runtime: Open = Eager if name == EAGER else entry_of(name).open
    return open_runtime(card, options, rows=(rows,))


def _measure(name: str, card: ModelCard) -> dict[str, Any]:
    """Calls of one row in every way, then large batches; µs."""
    begun = time.perf_counter()
    runtime = _open(name, card, 1)
    figures: dict[str, Any] = {"open_s": time.perf_counter() - begun}
    call = make_call(adapt(runtime, card.spec), card, 1)
    time_calls(call, _WARMUP_CALLS)
    figures["back_to_back_us"] = percentiles(time_calls(call, _CALLS))
    figures["transfers_us"] = [ns / 1000 for ns in runtime.transfers_ns]
    time.sleep(_IDLE_S)
    figures["after_idle_us"] = float(time_calls(call, 1)[0]) / 1000
    figures["paced_us"] = percentiles(time_calls(call, _PACED_CALLS, HOP_S))
    beating = Heartbeat(runtime, silence(card.spec, placed=runtime.places is not None))
    call = make_call(adapt(beating, card.spec), card, 1)
    figures["paced_heartbeat_us"] = percentiles(time_calls(call, _PACED_CALLS, HOP_S))
    figures["beats"] = beating.beats
    beating.close()
    figures["batches"] = {rows: _measure_batch(name, card, rows) for rows in BATCHES}
    return figures


def _measure_batch(name: str, card: ModelCard, rows: int) -> dict[str, Any]:
    """Time of a large batch in ms, and how many streams of one lead it means at `HOP_S`."""
    try:
        runtime = _open(name, card, rows)
    except (InputError, RuntimeError) as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    call = make_call(adapt(runtime, card.spec), card, rows)
    time_calls(call, 5)
    p50, p99 = np.percentile(time_calls(call, _BATCH_CALLS) / 1e6, (50, 99))
    runtime.close()
    return {"p50_ms": float(p50), "p99_ms": float(p99), "streams": int(rows * 1000 * HOP_S / p99)}


def make_call(backend: AnyBackend, card: ModelCard, rows: int) -> Callable[[], object]:
    """A call as a stream makes it every hop: windows, or one step of those that a hop of 40 ms needs.

    States stay on the device where the backend keeps them there.
    """
    windows = probe(card)[np.arange(rows) % 2]
    if not keeps_state(backend):
        return partial(backend.infer, windows)
    steps = backend.steps
    samples = windows[:, :, : fixed_samples(card.spec)[-1]].copy()
    lookahead = round(card.spec.lookahead_ms / 1000 * card.spec.fs)
    if keeps_places(backend) and backend.places and (places := backend.places.claim(rows)) is not None:
        begin = np.zeros((rows, 2), np.float32)
        begin[:, 0] = 1
        backend.step_placed(samples, places, begin, lookahead)
        return partial(backend.step_placed, samples, places, np.zeros_like(begin), lookahead)
    return partial(backend.step, samples, initial_state(samples, steps), lookahead)


def time_calls(call: Callable[[], object], calls: int, every_s: float = 0.0) -> np.ndarray:
    """Nanoseconds of each call, back to back or at absolute moments that lie `every_s` apart."""
    taken = np.empty(calls, np.int64)
    gc.disable()
    try:
        first = time.perf_counter()
        for index in range(calls):
            ahead = first + index * every_s - time.perf_counter()
            if ahead > 0:
                time.sleep(ahead)
            begun = time.perf_counter_ns()
            call()
            taken[index] = time.perf_counter_ns() - begun
    finally:
        gc.enable()
    return taken


def percentiles(taken_ns: np.ndarray) -> dict[str, float]:
    """Percentiles and the longest, µs; only percentiles that the number of calls supports."""
    shown = [p for p in (50.0, 95.0, 99.0, 99.9) if round(len(taken_ns) * (100 - p)) >= 100]
    figures = {f"p{p:g}": float(np.percentile(taken_ns, p)) / 1000 for p in shown}
    return figures | {"max": float(taken_ns.max()) / 1000}


def judge(measured: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each goal beside the best figure of our backends."""
    ours = {name: each for name, each in measured.items() if name != EAGER and "refused" not in each}
    if not ours:
        return {
            name: {"goal": goal, "reached": None, "by": None, "met": False} for name, goal in GOALS.items()
        }
    fastest = min(ours, key=lambda name: ours[name]["back_to_back_us"]["p50"])
    call, paced = ours[fastest]["back_to_back_us"], ours[fastest]["paced_heartbeat_us"]
    streams = {name: most_streams(each) for name, each in ours.items()}
    most = max(streams, key=lambda name: streams[name])
    reached = {
        "p50_us": (call["p50"], fastest),
        "p99_of_p50": (call["p99"] / call["p50"], fastest),
        "paced_p99_of_p99": (paced["p99"] / call["p99"], fastest),
        "streams": (streams[most], most),
    }
    return {
        name: {
            "goal": goal,
            "reached": reached[name][0],
            "by": reached[name][1],
            "met": reached[name][0] >= goal if name == "streams" else reached[name][0] <= goal,
        }
        for name, goal in GOALS.items()
    }


def most_streams(figures: dict[str, Any]) -> int:
    """Streams on one GPU with the batch size that holds the most; 0 where every size was refused."""
    streams: int = max(batch.get("streams", 0) for batch in figures["batches"].values())
    return streams
