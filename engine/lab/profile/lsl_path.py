"""Measure delay and losses of the LSL path with real outlets in other processes."""

import multiprocessing
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.run.protocol import CleanSettings, Job
from engine.run.session import Session
from engine.run.summary import as_json
from streamer.broadcast.device_profiles import SMOOTH_PACKET_S
from streamer.broadcast.outlet import Broadcast, BroadcastSettings
from streamer.chunk import Chunk, StreamInfo
from streamer.health import StreamHealth
from streamer.lsl.network import Wanted, find_stream, load_pylsl
from streamer.lsl.settings import LslSettings
from streamer.lsl.source import LslSource
from streamer.noise import NoiseSettings
from streamer.settings import SourceSettings
from streamer.source import Source

NAME = "profile"
_COUNTER = "counter"
_LEAVE_S = 10.0
_SETTLE_S = 2.0
_LOOK_S = 0.05
_START_S = 60.0  # a device is a process, which starts slowly on a busy machine


def account(profile: str, seconds: float, model: str, *, seed: int = 0) -> dict[str, Any]:
    """Run the engine on a device and compare every sample's index with the device's own count.

    ``exact`` is true when every sample lay where its count says, and what was received and what
    was reported as gaps add up to what the device counted, before and after the engine.
    """
    source = SourceSettings(
        kind="lsl",
        leads=("II", _COUNTER),
        seconds=seconds,
        lsl=LslSettings(stream_name=NAME, scale=1.0, timeout=_START_S),
    )
    with _device(BroadcastSettings(NAME, profile=profile, counter=True), leads=("II",), seed=seed):
        session = Session(Job((source,), CleanSettings(model)))
        (stream,) = session.streams
        tap = stream.source = Tap(stream.source)
        (summary,) = session.run().summary.streams
    live = summary.stream
    if live is None:
        raise RuntimeError("a run of a live stream says nothing of the stream")
    in_gaps = live.counts.gap_samples
    span = tap.last - tap.first + 1
    engine_total = summary.samples_out + summary.gap_samples
    return {
        "profile": profile,
        "seconds": seconds,
        "counted_by_device": span,
        "received": tap.samples,
        "in_gaps": in_gaps,
        "misplaced": tap.misplaced,
        "engine_in": summary.samples_in,
        "engine_out": summary.samples_out,
        "engine_in_gaps": summary.gap_samples,
        "engine_expected": tap.stop,
        "exact": tap.misplaced == 0
        and span == tap.samples + in_gaps
        and summary.samples_lost == 0
        and engine_total == tap.stop,
        "stream": as_json(live),
    }


def compare_delay(seconds: float, model: str) -> dict[str, Any]:
    """Stamp → arrival of a packet's newest sample, in ms: the engine's path and a bare `pull_chunk` loop.

    Both listen to the same outlet at the same time, each in a process of its own; the engine cleans
    meanwhile. An outlet serves its listeners in the order in which they came, and the second gets a sample
    some tenths of a millisecond later: each is the first for half of the time.
    """
    turns = {first: _beside(seconds / 2, model, first) for first in ("ours", "bare")}
    delays = {name: np.concatenate([turn[name] for turn in turns.values()]) for name in ("ours", "bare")}
    figures = _percentiles(delays)
    return {
        "seconds": seconds,
        "ms": figures,
        "ms_by_who_came_first": {first: _percentiles(turn) for first, turn in turns.items()},
        "ratio": {p: figures["ours"][p] / figures["bare"][p] for p in ("p50", "p99")},
    }


def _percentiles(delays: Mapping[str, NDArray[np.float64]]) -> dict[str, dict[str, float]]:
    return {
        name: {f"p{p}": float(np.percentile(each, p)) for p in (50, 99)} | {"packets": len(each)}
        for name, each in delays.items()
    }


def _beside(seconds: float, model: str, first: str) -> dict[str, NDArray[np.float64]]:
    """Delays of both while both listen; `first` is connected before the other."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    source = SourceSettings(kind="lsl", lsl=LslSettings(stream_name=NAME, timeout=_START_S))
    stopped = threading.Event()
    with _device(BroadcastSettings(NAME), leads=("II",)):
        session = Session(Job((source,), CleanSettings(model)))
        (stream,) = session.streams
        tap = stream.source = Tap(stream.source)
        engine = threading.Thread(target=session.run, args=(stopped.is_set,))
        bare = context.Process(target=_bare_loop, args=(there,), daemon=True)
        try:
            for name in sorted(("ours", "bare"), key=lambda name: name != first):
                if name == "bare":
                    bare.start()
                    here.recv()
                else:
                    engine.start()
                    while engine.is_alive() and not tap.samples:
                        time.sleep(_LOOK_S)
            time.sleep(seconds)
            here.send("enough")
            bare_pulls: list[Pull] = here.recv()
        finally:
            stopped.set()
            if engine.ident:
                engine.join()
        bare.join()
    begin = max(pulls[0][1] for pulls in (tap.pulls, bare_pulls))
    both = {
        name: [pull for pull in pulls if begin <= pull[1] <= begin + seconds]
        for name, pulls in (("ours", tap.pulls), ("bare", bare_pulls))
    }
    return {name: _delays_ms(pulls, tap.info.fs) for name, pulls in both.items()}


def many_streams(streams: int, seconds: float, *, leads: int = 3, fs: float = 500.0) -> dict[str, Any]:
    """Listen to many streams at once in one process, without the engine: loss, and share of a core."""
    names = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")[:leads]
    settings = BroadcastSettings(NAME, rate=fs, counter=True, copies=streams)
    with _device(settings, leads=names):
        taps = [
            Tap(LslSource(LslSettings(f"{NAME}-{number}", scale=1.0), (*names, _COUNTER), seconds))
            for number in range(1, streams + 1)
        ]
        listeners = [threading.Thread(target=tap.drain) for tap in taps]
        begun, used = time.perf_counter(), time.process_time()
        for listener in listeners:
            listener.start()
        for listener in listeners:
            listener.join()
        wall, used = time.perf_counter() - begun, time.process_time() - used
    return {
        "streams": streams,
        "leads": leads,
        "fs_hz": fs,
        "seconds": wall,
        "received": sum(tap.samples for tap in taps),
        "lost": sum(tap.health.counts.gap_samples for tap in taps),
        "misplaced": sum(tap.misplaced for tap in taps),
        "core_percent": 100 * used / wall,
    }


Pull = tuple[NDArray[np.float64], float]
"""Stamps of samples that came together, and when they came, in seconds of one clock."""


def _delays_ms(pulls: list[Pull], fs: float) -> NDArray[np.float64]:
    """Stamp → arrival of the last sample of each packet: the others waited in the device for it.

    A pull may hold several packets, or end within one; the last of a packet is the one that is least late.
    """
    stamps = np.concatenate([stamps for stamps, _ in pulls])
    arrivals = np.concatenate([np.full(len(stamps), arrival) for stamps, arrival in pulls])
    packet = max(1, round(SMOOTH_PACKET_S * fs))
    place = np.rint((stamps - stamps[0]) * fs).astype(np.int64) % packet
    delays = [1e3 * (arrivals - stamps)[place == phase] for phase in range(packet)]
    return min(delays, key=lambda of_phase: float(np.median(of_phase)))


@dataclass
class Tap:
    """A `Source` that passes on another one, and notes index and arrival of its samples.

    The last lead must be the count that the device gives its samples.
    """

    source: Source
    samples: int = 0
    misplaced: int = 0
    stop: int = 0
    first: int = 0
    last: int = 0
    pulls: list[Pull] = field(default_factory=list)

    @property
    def info(self) -> StreamInfo:
        """Of the source."""
        return self.source.info

    @property
    def speed(self) -> float:
        """Of the source."""
        return self.source.speed

    @property
    def health(self) -> StreamHealth:
        """Of the source."""
        return self.source.health

    def set_noise(self, settings: NoiseSettings) -> None:
        """Hand on."""
        self.source.set_noise(settings)

    def chunks(self) -> Iterator[Chunk]:
        """Hand on, and note."""
        for chunk in self.source.chunks():
            if chunk.data.shape[1]:
                self._note(chunk)
            yield chunk

    def drain(self) -> None:
        """Listen to the end."""
        for _ in self.chunks():
            pass

    def _note(self, chunk: Chunk) -> None:
        counter = chunk.data[-1]
        if not self.samples:
            self.first = int(counter[0]) - chunk.start
        places = np.arange(chunk.start, chunk.stop) + self.first
        self.misplaced += int((counter != places).sum())
        self.samples += len(counter)
        self.last, self.stop = int(counter[-1]), chunk.stop
        self.pulls.append((chunk.source_time, chunk.arrived_ns / 1e9))


@contextmanager
def _device(settings: BroadcastSettings, leads: tuple[str, ...], seed: int = 0) -> Iterator[None]:
    """Publish the synthetic patient from another process."""
    context = multiprocessing.get_context("spawn")
    source = SourceSettings(leads=leads, seed=seed)
    process = context.Process(target=_publish, args=(source, settings), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(_LEAVE_S)


def _publish(source: SourceSettings, settings: BroadcastSettings) -> None:
    Broadcast(source, settings).run()


def _bare_loop(parent: Connection) -> None:
    """Pull as pylsl's documentation does, and nothing else, until told that it is enough."""
    pylsl = load_pylsl()
    stream = find_stream(Wanted(name=NAME), timeout_s=30.0)
    inlet = pylsl.StreamInlet(stream.handle, max_buflen=5, as_numpy=True)
    inlet.open_stream()
    parent.send("ready")
    pulls: list[Pull] = []
    while not parent.poll():
        _, stamps = inlet.pull_chunk(timeout=1.0, max_samples=4096, min_samples=1)
        now = pylsl.local_clock()
        if len(stamps):
            pulls.append((stamps, now))
    parent.send(pulls)
