"""How the constants of `models.filters` were found: on Track F's training and validation parts.

``python -m models.tune_filters`` prints them; nothing else uses this file.
"""

from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from rich.progress import track
from scipy import signal

from models.benches.track_f import LEAD, TRAIN_RECORDS, VALIDATION_RECORDS
from models.classical import CLASSICAL
from models.filters import FS, SPECTRUM_HZ, wavelet_threshold
from models.metrics import Moments
from streamer.console.output import err, out
from streamer.noise import KINDS
from streamer.open_source import open_signal, play
from streamer.records.find import find_record
from streamer.records.nstdb import load_tape
from streamer.records.record import bridge_missing, clean_reference, read_record
from streamer.settings import SourceSettings

_WINDOW = CLASSICAL["dwt"].window
_EMITTED = 108
"""Samples that each window gives, 300 ms before its end, as the engine takes them."""


def measure_spectra(data_dir: Path | None = None) -> tuple[list[float], list[float]]:
    """Mean spectra of ECG and noise round `SPECTRUM_HZ`, dB of the largest: `ECG_DB`, `NOISE_DB`."""
    ecg = [
        _spectrum(clean_reference(bridge_missing(read_record(find_record(name, "mitdb", data_dir)).data), FS))
        for name in TRAIN_RECORDS
    ]
    noise = [_spectrum(load_tape(kind, "train", FS, data_dir)) for kind in KINDS]
    return _round(np.mean(ecg, axis=0)), _round(np.mean(noise, axis=0))


def _spectrum(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    _, power = signal.welch(rows, FS, nperseg=4096, axis=-1)
    share: NDArray[np.float64] = (power / power.sum(axis=-1, keepdims=True)).mean(axis=0)
    return share


def _round(power: NDArray[np.float64]) -> list[float]:
    hz = np.linspace(0, FS / 2, len(power))
    points = np.array(SPECTRUM_HZ)
    edges = np.concatenate([[0], (points[1:] + points[:-1]) / 2, [FS]])
    bands = [10 * np.log10(power[(hz >= low) & (hz < high)].mean()) for low, high in pairwise(edges)]
    return [round(float(band - max(bands)), 1) for band in bands]


def tune_wavelet(data_dir: Path | None = None) -> list[tuple[float, dict[str, Any]]]:
    """Settings of `wavelet_threshold` by mean output SNR on the validation part, best first."""
    heard = [
        _heard(record, noise, snr, data_dir)
        for record in VALIDATION_RECORDS
        for noise in (*KINDS, "emb")
        for snr in (0.0, 6.0)
    ]
    settings = [
        {"wavelet": wavelet, "levels": levels, "factor": factor, "spared": spared}
        for wavelet, levels, factor, spared in product(
            ("db4", "db8", "sym8"), (7, 8), (0.5, 1.0, 2.0, 3.0), (1, 2, 3, 4)
        )
    ]
    scored = [
        (float(np.mean([_snr_db(windows, reference, each) for windows, reference in heard])), each)
        for each in track(settings, "wavelets", console=err)
    ]
    return sorted(scored, key=lambda entry: -entry[0])


def _heard(
    record: str, noise: str, snr: float, data_dir: Path | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Windows of a noisy minute, (windows, 1, samples), and the reference of the samples that each emits."""
    source = SourceSettings(
        kind="replay", record=record, data_dir=data_dir, leads=(LEAD,), start=300.0, seconds=60.0, speed=0,
        own_drift="remove", noise=noise, snr=snr, noise_part="validation",
    )  # fmt: skip
    chunks = list(play(open_signal(source), source).chunks())
    noisy = np.concatenate([chunk.data for chunk in chunks], axis=1)[0]
    reference = np.concatenate([chunk.reference for chunk in chunks if chunk.reference is not None], axis=1)[
        0
    ]
    windows = sliding_window_view(noisy, _WINDOW)[::_EMITTED]
    emitted = sliding_window_view(reference, _WINDOW)[::_EMITTED, -2 * _EMITTED : -_EMITTED]
    return np.ascontiguousarray(windows[:, None]), emitted.reshape(1, -1)


def _snr_db(windows: NDArray[np.float32], reference: NDArray[np.float32], settings: dict[str, Any]) -> float:
    output = wavelet_threshold(windows, **settings)[:, 0, -2 * _EMITTED : -_EMITTED]
    return float(Moments.of(reference, output.reshape(1, -1)).snr_db[0])


if __name__ == "__main__":
    out.print("ECG_DB, NOISE_DB:", *measure_spectra())
    for snr_db, chosen in tune_wavelet()[:8]:
        out.print(f"{snr_db:.3f} dB", chosen)
