"""Signals that the guard is set on: validation records, with validation noise or without, and noise alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.safety_cases import hiss, hum
from models.track_f import FS, LEAD
from streamer.chunk import Samples
from streamer.noise import KINDS, take
from streamer.nstdb import load_tape
from streamer.open_source import SourceSettings, open_signal, play

_START_S = 600.0
_SEED = 5


def record_with_noise(record: str, kind: str, snr: float, seconds: float, data_dir: Path | None) -> Samples:
    """A stretch of a record, (1, samples) mV, with noise of that kind at `snr` dB or ``none``."""
    source = SourceSettings(
        kind="replay",
        record=record,
        data_dir=data_dir,
        leads=(LEAD,),
        start=_START_S,
        seconds=seconds,
        speed=0,
        noise=kind,
        snr=snr,
        noise_part="validation",
        seed=int(record),
    )
    return np.concatenate([chunk.data for chunk in play(open_signal(source), source).chunks()], axis=1)


def noise_alone(seconds: float, data_dir: Path | None) -> Iterator[tuple[str, Samples]]:
    """Each noise without a heart, by name, (1, samples) mV; both channels of what was recorded."""
    count = round(seconds * FS)
    for kind in KINDS:
        tape = take(load_tape(kind, "validation", FS, data_dir), 0, count)
        yield from ((kind, tape[channel : channel + 1]) for channel in range(len(tape)))
    yield "mains", hum(count, _SEED)
    yield "white", hiss(count, _SEED)
