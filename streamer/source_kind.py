"""How a kind of source is checked and opened: played by this program, or live."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from streamer.beats import find_beats
from streamer.errors import InputError
from streamer.noise import NoiseMixer, SnrDefinition, noise_power_nst, power_ac, signal_power_nst
from streamer.records.nstdb import load_tape
from streamer.records.record import BEAT_SYMBOLS
from streamer.settings import SourceSettings
from streamer.source import Player, Signal, Source

ENDLESS_SPAN_S = 300.0
"""Seconds of an endless signal over which its noise is calibrated, where no fewer are played."""

Stopped = Callable[[], bool]
"""Asked while a source is waited for: whether to give up."""
Tape = NDArray[np.float32]
"""An endless tape of noise in mV, shape (channels, samples)."""


def _nothing_missing() -> None:
    """Nothing more is needed."""


def _works() -> str:
    return "works"


def _nstdb_tape(kind: str, settings: SourceSettings, fs: float) -> Tape:
    return load_tape(kind, settings.noise_part, fs, settings.data_dir)


@dataclass(frozen=True)
class PlayedKind:
    """Signals that this program plays itself: they take noise, pauses and any speed.

    Parameters
    ----------
    what
        A few words for a list.
    open_signal
        Reads the signal, without noise; raises `InputError` where it cannot be had.
    options
        Names that may follow the kind: ``text:file=ecg.txt`` has the option ``file``.
    why_not
        What is missing on this machine, in words; None where nothing is.
    there
        What of it is there on this machine, in a few words, for ``doctor``.
    usual_noise
        The noise that is added where the user names none.
    tape
        The noise of a kind (``bw``, ``em``, ``ma``) at a rate; that of the Noise Stress Test by default.
    """

    what: str
    open_signal: Callable[[SourceSettings], Signal]
    options: tuple[str, ...] = ()
    why_not: Callable[[], str | None] = _nothing_missing
    there: Callable[[], str] = _works
    usual_noise: str = "none"
    tape: Callable[[str, SourceSettings, float], Tape] = _nstdb_tape
    played: ClassVar[bool] = True

    @property
    def recorded_noise(self) -> bool:
        """Whether its noise is that of the Noise Stress Test, of which one part is played."""
        return self.tape is _nstdb_tape

    def check(self, settings: SourceSettings) -> None:
        """Refuse settings that make no sense for it: here there are none."""

    def open(self, settings: SourceSettings, stopped: Stopped) -> Source:
        """Read the signal and calibrate its noise."""
        return self.play(self.open_signal(settings), settings)

    def play(self, signal: Signal, settings: SourceSettings) -> Player:
        """A signal with noise whose SNR holds over the stretch that is played."""
        noise = settings.noise_settings
        fs = signal.info.fs
        stop = None if settings.seconds is None else max(1, round(settings.seconds * fs))
        endless = round(ENDLESS_SPAN_S * fs)
        span = min(filter(None, (stop, signal.length or endless)))
        noise_power = power_ac if noise.definition == "ac" else partial(noise_power_nst, fs=fs)
        signal_power = _signal_power(signal, span, noise.definition)
        mixer = NoiseMixer(noise, signal_power, noise_power, lambda kind: self.tape(kind, settings, fs), span)
        return Player(signal, mixer, settings.speed, stop)


@dataclass(frozen=True)
class LiveKind:
    """Streams that come at their own pace, with the noise that they have.

    Parameters
    ----------
    open
        Finds the stream, which may take as long as its sender does to appear; asks ``stopped``
        meanwhile, and ends with KeyboardInterrupt where it says so.
    what, options, why_not, there
        As for `PlayedKind`.
    """

    what: str
    open: Callable[[SourceSettings, Stopped], Source]
    options: tuple[str, ...] = ()
    why_not: Callable[[], str | None] = _nothing_missing
    there: Callable[[], str] = _works
    usual_noise: ClassVar[str] = "none"
    played: ClassVar[bool] = False
    recorded_noise: ClassVar[bool] = False

    def check(self, settings: SourceSettings) -> None:
        """Refuse what only a signal that is played can do."""
        if settings.noise != "none" or settings.speed != 1 or settings.loop or settings.start > 0:
            raise InputError(
                "a live stream takes no --noise, --speed, --loop or --start; `ecg-stream broadcast` "
                "publishes a record with all of them"
            )


SourceKind = PlayedKind | LiveKind


def _signal_power(signal: Signal, span: int, definition: SnrDefinition) -> NDArray[np.float64]:
    block = signal.read(0, span)
    if definition == "ac":
        return power_ac(block.reference)
    beats = [mark.sample for mark in block.annotations if mark.symbol in BEAT_SYMBOLS]
    if not beats:
        beats = [int(beat) for beat in find_beats(block.reference[0], signal.info.fs)]
    return signal_power_nst(block.reference, np.array(beats, dtype=np.int64), signal.info.fs)
