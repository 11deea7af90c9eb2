"""One segment of a signal through all stages of the engine, at the rate of whoever pushes it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import lcm

import numpy as np
from numpy.typing import NDArray

from engine.backends import open_backend
from engine.backends.base import AnyBackend
from engine.config import EngineConfig
from engine.guard.limits import Limits, limits_of
from engine.guard.rows import any_of
from engine.guard.stage import guard
from engine.in_process.pieces import in_pieces
from engine.in_process.pushed import Pushed
from engine.marks import Mark, Reason
from engine.messages import Emitted, Gap, Hop
from engine.pipeline import rehearse, unguarded
from engine.way_back import WayBack
from models.registry import load_card, sha256
from models.spec import ClassicalSpec
from streamer.chunk import Chunk, Samples
from streamer.errors import InputError
from streamer.records.record import LOWEST_HZ
from streamer.resample import Resampler, StreamResampler, ratio

_NAME = "pushed"
_ROUND_ENDS = Gap("", 0, 0)
"""Follows what a round made ready; no stream has this name."""


@dataclass(frozen=True)
class System:
    """A network or classical system that is open, and how it is run.

    Parameters
    ----------
    config
        By which the guard judges, and by which samples leave.
    called
        By which the network is called: a longer hop makes the same of a signal that is there already.
    about
        What its answers depend on, in words: the network, the hash of its weights, look-ahead and hop.
    """

    backend: AnyBackend
    config: EngineConfig
    called: EngineConfig
    limits: Limits
    about: dict[str, str]


def open_system(model: str, lookahead_ms: float | None, hop_ms: float, *, waits: bool) -> System:
    """Load a network for ONNX Runtime on one CPU thread, or a classical system for numpy.

    Parameters
    ----------
    lookahead_ms
        None is the one that suits: the longest where nobody waits, else the network's own.
    waits
        Somebody waits for each sample, so the network is called for every hop.

    Raises
    ------
    InputError
        If there is no such system, or it cannot have these settings.
    """
    card = load_card(model)
    spec = card.spec
    classical = isinstance(spec, ClassicalSpec)
    steps = None if isinstance(spec, ClassicalSpec) else spec.steps
    if lookahead_ms is None:
        lookahead_ms = 1000 * steps.lookahead / spec.fs if steps and not waits else spec.lookahead_ms
    config = called = EngineConfig.of(spec, lookahead_ms, hop_ms)
    if steps and not waits:
        longest = min(steps.longest, config.window - config.lookahead)
        whole = lcm(config.hop, steps.multiple)
        called = replace(config, hop=max(config.hop, longest - longest % whole))
    backend = open_backend("auto" if classical else "onnx", card)
    rehearse(backend, called)
    about = {
        "network": model,
        "weights": "none" if classical else sha256(card.weights_path),
        "graph": "none" if classical else sha256(card.onnx_path),  # the same weights may have another state
        "look-ahead": f"{config.lookahead} samples",
        "hop": f"{called.hop} samples",
    }
    return System(backend, config, called, limits_of(card), about)


def check_rate(fs: float) -> None:
    """Refuse a rate, Hz, at which nothing can be cleaned."""
    if not (np.isfinite(fs) and fs >= LOWEST_HZ):
        raise InputError(f"fs is {fs:g} Hz; allowed: {LOWEST_HZ:g} Hz and more")


@dataclass(frozen=True, eq=False)
class Part:
    """Consecutive samples that leave: mV, `Mark` and `Reason`, all of shape (leads, samples)."""

    data: Samples
    marks: NDArray[np.uint8]
    reasons: NDArray[np.uint8]


class Stages:
    """Cleans one segment: what went in comes out, once, in order, at the same rate and of the same length.

    Parameters
    ----------
    fs
        Rate of the samples, Hz.
    leads
        How many there are.
    """

    def __init__(self, fs: float, leads: int, system: System) -> None:
        check_rate(fs)
        self._leads, self._system = leads, system
        there = system.config.fs
        up, down = ratio(fs, there)
        self._back: WayBack | None = None
        self.delay_s = system.config.delay_s
        """How long a sample waits: look-ahead + hop + the delays of both resamplers."""
        if up != down:
            self._in = StreamResampler(fs, there, without_spikes=True)
            self._back = WayBack(fs, there)
            self.delay_s += Resampler(fs, there).delay_s + self._back.delay_s
        self._engine = Pushed(self._clean, lambda message: message is _ROUND_ENDS)
        self._taken = self._given = 0
        self._no_words = np.empty((2, leads, 0), np.uint8)
        self._no_data = self._raw = np.empty((leads, 0), np.float32)

    def _clean(self, chunks: Iterator[Chunk]) -> Iterator[Emitted | Gap]:
        system = self._system
        rounds = ([chunk] for chunk in chunks)
        messages = unguarded(rounds, system.called, system.backend, _no_time, _RoundEnds())
        if system.called != system.config:
            messages = in_pieces(messages, system.called, system.config)
        return guard(messages, system.config, system.limits)

    def push(self, data: Samples) -> Part:
        """Take samples, (leads, samples) mV with NaN where one is missing; give what can leave by now."""
        if not data.shape[1]:
            return self._left([])
        chunk = _chunk(self._taken, data)
        self._taken = chunk.stop
        if self._back:
            self._raw = np.concatenate([self._raw, data], axis=1)
        chunks = self._in.take(chunk) if self._back else [chunk]
        return self._left([message for chunk in chunks for message in self._engine.push([chunk])])

    def end(self) -> Part:
        """Give what is still inside; nothing can be pushed afterwards."""
        chunks = self._in.flush() if self._back else ()
        messages = [message for chunk in chunks for message in self._engine.push([chunk])]
        return self._left([*messages, *self._engine.end()], last=True)

    def _left(self, messages: list[Emitted | Gap], *, last: bool = False) -> Part:
        """Messages at the rate of the samples that were pushed."""
        emitted = [message for message in messages if isinstance(message, Emitted)]
        count = sum(message.raw.shape[1] for message in emitted)
        data = np.empty((self._leads, count), np.float32)
        said = np.zeros((2, self._leads, count), np.uint8)
        stop = 0
        for message in emitted:
            start, stop = stop, stop + message.raw.shape[1]
            data[:, start:stop] = message.cleaned
            said[0, :, start:stop] = message.marks
            if message.reasons is not None:
                said[1, :, start:stop] = message.reasons
        if self._back:
            raw = [message.raw for message in emitted]
            data, said = self._at_own_rate(self._back, data, raw, said, last=last)
        self._given += data.shape[1]
        return Part(data, *said)

    def _at_own_rate(
        self, back: WayBack, cleaned: Samples, raw: list[Samples], said: NDArray[np.uint8], *, last: bool
    ) -> tuple[Samples, NDArray[np.uint8]]:
        """The samples that can leave by now, and what is said of them.

        Where raw is passed on, it is what came, and not what two resamplers have made of it: they spread
        the spike of a pacemaker into what looks like a beat.
        """
        if raw:
            apart = cleaned - (raw[0] if len(raw) == 1 else np.concatenate(raw, axis=1))
            back.push(back.next or 0, np.concatenate([cleaned, apart]), said)
        if last:
            back.end()
        stop = min(back.known, self._taken)
        if stop <= self._given:
            return self._no_data, self._no_words
        data, (words,) = back.read(self._given, stop, slice(self._leads))
        said = words.astype(np.uint8, copy=False)
        count = stop - self._given
        bypassed = said[0] == Mark.BYPASSED
        if any_of(bypassed):
            apart, _ = back.read(self._given, stop, slice(self._leads, None))
            data = np.where(bypassed, self._raw[:, :count] + apart, data)
        self._raw = self._raw[:, count:]
        back.forget(stop)
        missing = np.isnan(data)
        if any_of(missing):
            said[:, missing] = np.array([Mark.MISSING, Reason.NO_INPUT], np.uint8)[:, None]
        return data, said


class _RoundEnds:
    """Says after each round that it is over."""

    def gather(self, rounds: Iterable[list[Hop | Gap]]) -> Iterator[list[Hop | Gap]]:
        for ready in rounds:
            yield [*ready, _ROUND_ENDS]


def _no_time() -> int:
    """Nobody measures, and no answer is late: the same samples always get the same marks."""
    return 0


def _chunk(start: int, data: Samples) -> Chunk:
    return Chunk(_NAME, start, data, np.zeros(data.shape[1]), 0)
