"""Signals that the guard is set on: validation records, with noise or without, and noise alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.lab.safety.cases import both_ways, hiss, hum
from models.benches.track_f import FS, LEAD
from streamer.chunk import Samples
from streamer.noise import KINDS, join_blocks, take
from streamer.open_source import open_signal, play
from streamer.records.nstdb import load_tape
from streamer.settings import SourceSettings

_START_S = 600.0
_SEED = 5
_MADE_S = 90.0


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
    """Each noise without an ECG, by name, (1, samples) mV; first electrode motion, which is most like beats.

    Recorded noise is from the validation and training parts, never from the test part: both channels,
    upright and inverted. Synthetic noise is stationary, so that `_MADE_S` of it is enough.
    """
    for kind in sorted(KINDS, key=lambda kind: kind != "em"):
        tapes = [load_tape(kind, part, FS, data_dir) for part in ("validation", "train")]
        blocks = [block for tape in tapes for block in both_ways(tape)]
        yield kind, take(join_blocks(blocks, FS), 0, round(seconds * FS))
    count = round(min(seconds, _MADE_S) * FS)
    yield "mains", hum(count, _SEED)
    yield "white", hiss(count, _SEED)
