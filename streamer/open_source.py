"""From what the user asked for to a source that is ready to play."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from streamer.beats import find_beats
from streamer.errors import InputError
from streamer.faults.schedule import parse_faults
from streamer.faults.source import FaultySource
from streamer.lsl.source import LslSettings, LslSource
from streamer.noise import (
    NoiseMixer,
    NoisePart,
    NoiseSettings,
    SnrDefinition,
    noise_power_nst,
    parse_noise,
    power_ac,
    signal_power_nst,
)
from streamer.records.find import find_record
from streamer.records.nstdb import load_tape
from streamer.records.record import BEAT_SYMBOLS, read_record
from streamer.records.replay import RecordSignal
from streamer.source import Player, Signal, Source
from streamer.synthetic import SyntheticPatient, synthetic_tape

SourceKind = Literal["synthetic", "replay", "lsl"]
ENDLESS_SPAN_S = 300.0
"""Seconds of an endless signal over which its noise is calibrated, where no fewer are played."""


@dataclass(frozen=True)
class SourceSettings:
    """What to listen to. Fields carry the names of the command's options.

    Parameters
    ----------
    start, seconds
        Where in the record to begin, and how long to play; None plays to the end.
    own_drift
        ``keep`` plays the record as it is, ``remove`` plays its clean reference.
    lsl
        Which stream, for kind ``lsl``.
    faults
        What goes wrong with it, as `streamer.faults.schedule.parse_faults` understands it.
    """

    kind: SourceKind = "synthetic"
    record: str = "100"
    database: str = "mitdb"
    data_dir: Path | None = None
    leads: tuple[str, ...] | None = None
    start: float = 0.0
    seconds: float | None = None
    speed: float = 1.0
    loop: bool = False
    own_drift: Literal["keep", "remove"] = "keep"
    rhythm: str = "sinus"
    heart_rate: float = 70.0
    noise: str = "none"
    snr: float = 0.0
    snr_definition: SnrDefinition = "ac"
    noise_part: NoisePart = "test"
    seed: int = 0
    lsl: LslSettings = field(default_factory=LslSettings)
    faults: str = "none"

    def __post_init__(self) -> None:
        if self.kind not in get_args(SourceKind):
            raise InputError(f"source {self.kind!r} is unknown; allowed: {', '.join(get_args(SourceKind))}")
        if self.seconds is not None and not (np.isfinite(self.seconds) and self.seconds > 0):
            raise InputError(f"seconds must be a positive number, got {self.seconds}")
        if not (np.isfinite(self.start) and self.start >= 0):
            raise InputError(f"start must be a number of seconds ≥ 0, got {self.start}")
        if self.own_drift not in ("keep", "remove"):
            raise InputError(f"own drift {self.own_drift!r} is unknown; allowed: keep, remove")
        parse_faults(self.faults)
        if self.kind == "lsl" and (self.noise != "none" or self.speed != 1 or self.loop or self.start > 0):
            raise InputError(
                "a live stream takes no --noise, --speed, --loop or --start; `ecg-stream broadcast` "
                "publishes a record with all of them"
            )

    @property
    def noise_settings(self) -> NoiseSettings:
        """The noise part of these settings."""
        return NoiseSettings(
            parse_noise(self.noise), self.snr, self.snr_definition, self.noise_part, self.seed
        )


def is_played(settings: SourceSettings) -> bool:
    """Whether it is a signal that is played, with noise and pauses, and not a live one."""
    return settings.kind in ("synthetic", "replay")


def open_source(settings: SourceSettings, stopped: Callable[[], bool] = lambda: False) -> Source:
    """Find, load and calibrate; raises `InputError` where what was asked for cannot be played.

    Finding a live stream may take as long as its sender does to appear; `stopped` is asked
    meanwhile, and ends it with KeyboardInterrupt.
    """
    source: Source
    if settings.kind == "lsl":
        source = LslSource(settings.lsl, settings.leads, settings.seconds, stopped)
    else:
        source = play(open_signal(settings), settings)
    faults = replace(parse_faults(settings.faults), stream=source.info.source_id)
    return FaultySource(source, faults) if faults.kinds else source


def open_signal(settings: SourceSettings) -> Signal:
    """The record or the patient, without noise."""
    if settings.kind == "synthetic":
        return SyntheticPatient(
            rhythm=settings.rhythm,
            heart_rate=settings.heart_rate,
            leads=settings.leads or ("II",),
            seed=settings.seed,
        )
    path = find_record(settings.record, settings.database, settings.data_dir)
    record = read_record(path, settings.leads)
    return RecordSignal(
        record,
        f"{settings.database}/{settings.record}",
        first=round(settings.start * record.fs),
        loop=settings.loop,
        keep_drift=settings.own_drift == "keep",
        # The Noise Stress Test records are noise, or have it mixed in.
        noisy=settings.database == "nstdb",
    )


def play(signal: Signal, settings: SourceSettings) -> Player:
    """A signal with noise whose SNR holds over the stretch that is played.

    Records get NSTDB noise, the synthetic patient gets noise that is as synthetic as itself.
    """
    noise = settings.noise_settings
    fs = signal.info.fs
    stop = None if settings.seconds is None else max(1, round(settings.seconds * fs))
    endless = round(ENDLESS_SPAN_S * fs)
    span = min(filter(None, (stop, signal.length or endless)))
    if settings.kind == "synthetic":
        tape = partial(synthetic_tape, fs=fs, seed=settings.seed)
    else:
        tape = partial(load_tape, part=noise.part, fs=fs, data_dir=settings.data_dir)
    noise_power = power_ac if noise.definition == "ac" else partial(noise_power_nst, fs=fs)
    signal_power = _signal_power(signal, span, noise.definition)
    mixer = NoiseMixer(noise, signal_power, noise_power, tape, span)
    return Player(signal, mixer, settings.speed, stop)


def _signal_power(signal: Signal, span: int, definition: SnrDefinition) -> NDArray[np.float64]:
    block = signal.read(0, span)
    if definition == "ac":
        return power_ac(block.reference)
    beats = [mark.sample for mark in block.annotations if mark.symbol in BEAT_SYMBOLS]
    if not beats:
        beats = [int(beat) for beat in find_beats(block.reference[0], signal.info.fs)]
    return signal_power_nst(block.reference, np.array(beats, dtype=np.int64), signal.info.fs)
