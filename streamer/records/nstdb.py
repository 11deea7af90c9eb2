"""The MIT-BIH Noise Stress Test records as endless tapes of noise."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError
from streamer.noise import NoisePart, join_blocks, noise_blocks
from streamer.records.find import find_record, is_at_hand
from streamer.records.record import read_record
from streamer.resample import ratio

KINDS = ("bw", "em", "ma")
"""Records of noise alone."""


def missing_noise(data_dir: Path | None = None) -> str:
    """Which records of noise are not at hand, and what to do about it; empty where all are.

    Parameters
    ----------
    data_dir
        As for `find_record`.
    """
    missing = [kind for kind in KINDS if not is_at_hand(kind, "nstdb", data_dir)]
    if not missing:
        return ""
    what = f"Noise records {', '.join(missing)} of nstdb are not at hand:"
    if data_dir:
        return f"{what} put the database into {data_dir} to add their noise."
    return f"{what} noise that is added is fetched from PhysioNet at its first use."


@lru_cache(maxsize=8)
def load_tape(kind: str, part: NoisePart, fs: float, data_dir: Path | None = None) -> NDArray[np.float32]:
    """Tape of one kind at a rate, shape (2, samples), in the record's nominal mV.

    It is kept for the next call: do not write to it.

    Parameters
    ----------
    kind
        ``bw`` (baseline wander), ``em`` (electrode motion) or ``ma`` (muscle).
    fs
        Rate of the stream that the noise is for; the records have 360 Hz.
    """
    record = read_record(find_record(kind, "nstdb", data_dir))
    data = record.data
    up, down = ratio(record.fs, fs)
    if up != down:
        from scipy import signal

        data = signal.resample_poly(data, up, down, axis=1).astype(np.float32)
    blocks = noise_blocks(kind, part, data.shape[1] / fs)
    if not blocks:
        raise InputError(
            f"noise record {kind!r} lasts {data.shape[1] / fs:g} s, too short to have a {part!r} part; "
            "use the whole of it with --noise-part all"
        )
    return join_blocks([data[:, round(a * fs) : round(b * fs)] for a, b in blocks], fs)
