"""What `Denoiser.push` adds to the bare call of the runtime, for chunks of one hop."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engine.in_process.denoiser import Denoiser
from engine.in_process.stages import System
from engine.lab.profile.lane import Nanoseconds, tapped
from engine.lab.profile.machine import describe_machine
from engine.lab.profile.report import distribution, ratio
from engine.ready_windows import Clock
from streamer.chunk import Samples
from streamer.errors import InputError
from streamer.synthetic import SyntheticPatient

_SIGNAL_S = 60.0
_LEADS = ("II", "V1", "I", "III", "aVR", "aVL", "aVF", "V2", "V3", "V4", "V5", "V6")
MOST_LEADS = len(_LEADS)
_WARMUP = 60
_TURN = 100
Show = Callable[[str, int, int], None]


def profile_push(
    model: str, rates: Sequence[float], leads: Sequence[int], pushes: int, show: Show, clock: Clock
) -> dict[str, Any]:
    """Push chunks of one hop to a `Denoiser`, then repeat its calls of the runtime without it, by turns.

    Parameters
    ----------
    rates, leads
        Of the signal that is pushed, Hz, and how many there are: each rate with each number.
    pushes
        How many to time, after a warm-up.
    clock
        For durations, ns.

    Returns
    -------
    dict
        Of each signal µs of a push, of the calls of the runtime inside it, and of the same calls without
        it, bare; and how many times as long as these a push took, at p50 and at p90. At a rate that is not
        the network's a hop may be no whole number of samples, and a push may make no call; then it is not
        counted.

    Raises
    ------
    InputError
        If something of that cannot be had.
    """
    if not leads or any(not 1 <= count <= MOST_LEADS for count in leads):
        raise InputError(f"--leads {leads}: allowed: 1 to {MOST_LEADS} each")
    signals = []
    for fs in rates:
        for count in leads:
            name = f"{count} x {fs:g} Hz"
            pushed = _Pushed(model, fs, count, clock)
            gc.collect()
            for done in range(0, pushes, _TURN):
                show(name, done, pushes)
                pushed.turn(min(_TURN, pushes - done))
            signals.append({"fs": fs, "leads": count, **pushed.figures()})
    return {"model": model, "machine": describe_machine(), "signals": signals}


class _Tapped(Denoiser):
    """A `Denoiser` whose calls of the runtime are told."""

    def __init__(self, fs: float, leads: int, model: str, clock: Clock) -> None:
        self._clock = clock
        super().__init__(fs, leads, model=model)

    def _open(self, model: str, lookahead_ms: float | None, hop_ms: float) -> System:
        system = super()._open(model, lookahead_ms, hop_ms)
        self.tap = tapped(system.backend, self._clock)
        self.hop_s = system.config.hop / system.config.fs
        return replace(system, backend=self.tap)


class _Pushed:
    """One signal, pushed again and again, with every push timed."""

    def __init__(self, model: str, fs: float, leads: int, clock: Clock) -> None:
        self._denoiser = _Tapped(fs, leads, model, clock)
        self._clock, self._next = clock, 0
        patient = SyntheticPatient(fs=fs, leads=_LEADS[:leads])
        self._samples: Samples = patient.read(0, round(_SIGNAL_S * fs)).data
        self._chunk = round(self._denoiser.hop_s * fs)
        self._took: dict[str, list[int]] = {"push": [], "call": [], "bare": []}
        for _ in range(_WARMUP):
            self._push()

    def _push(self) -> int:
        """Push the next chunk; how long that took."""
        stop = self._next + self._chunk
        if stop > self._samples.shape[1]:
            self._next, stop = 0, self._chunk
        chunk, self._next = self._samples[:, self._next : stop], stop
        self._denoiser.tap.calls, self._denoiser.tap.call_ns = [], 0
        begun = self._clock()
        self._denoiser.push(chunk)
        return self._clock() - begun

    def turn(self, pushes: int) -> None:
        """Time some pushes, then their calls alone."""
        clock, tap = self._clock, self._denoiser.tap
        calls = []
        for _ in range(pushes):
            took = self._push()
            if tap.calls:
                self._took["push"].append(took)
                self._took["call"].append(tap.call_ns)
                calls.append(tap.calls)
        for each in calls:
            begun = clock()
            for call in each:
                call()
            self._took["bare"].append(clock() - begun)

    def figures(self) -> dict[str, Any]:
        """µs of each, and their ratio."""
        took: dict[str, Nanoseconds] = {what: np.array(of, np.int64) for what, of in self._took.items()}
        us = {what: distribution(of) for what, of in took.items()}
        times = {p: ratio(us["push"][p], us["bare"][p]) for p in ("p50", "p90")}
        return {"chunk": self._chunk, "us": us, "times": times}
