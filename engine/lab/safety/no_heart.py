"""Signals without a heart beat, which have no heart rate: asystole, noise, pacing, electrosurgery."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.lab.safety.cases import MAINS_MV, both_ways
from models.benches.track_f import FS
from streamer.chunk import Samples
from streamer.noise import join_blocks, take
from streamer.records.nstdb import load_tape

Floats = NDArray[np.float64]
Maker = Callable[[np.random.Generator, int], Floats]
"""Makes so many samples of a lead, mV."""

_FINE = 16
"""Pulses are made at so many times the rate, and averaged over a sample, as an amplifier does."""


def no_heart(kind: str, leads: int, count: int, data_dir: Path | None) -> Samples:
    """Leads of a kind of `KINDS`, each another one, (leads, count) mV; the same in every run.

    Raises
    ------
    InputError
        If the noise records are needed, and are not there.
    """
    if kind in _RECORDED:
        # 12 to 15 minutes of each channel are for tests: with both signs about an hour, which then repeats.
        tape = join_blocks(both_ways(load_tape(_RECORDED[kind], "test", FS, data_dir)), FS)
        return np.concatenate([take(tape, lead * count, count) for lead in range(leads)])
    random = [np.random.default_rng([list(_MADE).index(kind), lead]) for lead in range(leads)]
    return np.stack([_MADE[kind](each, count) for each in random]).astype(np.float32)


def _flat(level_mv: float) -> Maker:
    """An amplifier's noise, on the drift of an electrode in every second lead."""

    def make(random: np.random.Generator, count: int) -> Floats:
        drift_mv = 0.15 * random.integers(2)
        at = np.arange(count) / FS
        drift = drift_mv * np.sin(2 * np.pi * random.uniform(0.1, 0.5) * at + random.uniform(0, 6))
        return np.asarray(random.uniform(-1, 1) + drift + level_mv * random.standard_normal(count))

    return make


def _loud(random: np.random.Generator, count: int) -> Floats:
    return random.uniform(0.05, 1.0) * random.standard_normal(count)


def _mains(random: np.random.Generator, count: int) -> Floats:
    """Hum of 50 or 60 Hz that swells and fades, with its third harmonic."""
    at = np.arange(count) / FS
    turn = 2 * np.pi * random.choice([50.0, 60.0]) * at
    swell = 1 + 0.5 * np.sin(2 * np.pi * random.uniform(0.05, 2.0) * at)
    hum = MAINS_MV * random.uniform(0.3, 5) * swell * (np.sin(turn) + 0.2 * np.sin(3 * turn))
    return np.asarray(hum + 0.005 * random.standard_normal(count))


def _p_waves(random: np.random.Generator, count: int) -> Floats:
    """The atria beat, the ventricles do not: P waves of 0.05 to 0.2 mV."""
    every_s = 60 / random.uniform(40, 110)
    begins = np.arange(random.uniform(0, every_s), count / FS, every_s)
    at = np.arange(count) / FS
    waves = np.zeros(count)
    for begin in begins + random.normal(0, 0.02, len(begins)):
        waves += np.exp(-0.5 * ((at - begin) / 0.025) ** 2)
    return random.uniform(0.05, 0.2) * waves + 0.005 * random.standard_normal(count)


def _pacing(overshoot: float) -> Maker:
    """A pacemaker fires and no heart answers: pulses of 0.5 to 2 ms and 1 to 10 mV, of either sign.

    After each the electrode is left charged, by a share `overshoot` of the pulse at most, the other way,
    and recovers with a time constant of 4 to 100 ms.
    """

    def make(random: np.random.Generator, count: int) -> Floats:
        fine = np.arange(count * _FINE) / (FS * _FINE)
        width_s = random.uniform(0.0005, 0.002)
        since_s = fine % (60 / random.uniform(40, 120))
        pulses = np.where(since_s < width_s, 1.0, 0.0)
        if overshoot:
            tail = np.exp(-(since_s - width_s) / np.exp(random.uniform(np.log(0.004), np.log(0.1))))
            pulses -= random.uniform(0, overshoot) * np.where(since_s >= width_s, tail, 0.0)
        height_mv = random.choice([-1, 1]) * random.uniform(1, 10)
        paced = height_mv * pulses.reshape(count, _FINE).mean(axis=1)
        return np.asarray(paced + 0.005 * random.standard_normal(count))

    return make


def _electrosurgery(random: np.random.Generator, count: int) -> Floats:
    """What a cautery leaves in an ECG: bursts of broad noise that mains modulate, and jumps of the baseline.

    Bursts of 0.2 to 4 s, 0.3 to 6 s apart, of 0.5 to 5 mV; each begins and ends with a jump that decays.
    """
    trace = 0.01 * random.standard_normal(count)
    level_mv, mains_hz = random.uniform(0.5, 5.0), random.choice([100.0, 120.0])
    at = round(random.uniform(0, 2) * FS)
    while at < count:
        stop = min(count, at + round(random.uniform(0.2, 4.0) * FS))
        inside = np.arange(stop - at) / FS
        swell = np.abs(np.sin(np.pi * mains_hz * inside + random.uniform(0, 3)))
        trace[at:stop] += level_mv * swell * random.standard_normal(stop - at)
        for edge in (at, stop):
            left = np.arange(count - edge) / FS
            trace[edge:] += random.normal(0, level_mv / 2) * np.exp(-left / random.uniform(0.05, 1.0))
        at = stop + round(random.uniform(0.3, 6.0) * FS)
    return trace


_RECORDED = {"baseline wander": "bw", "electrode motion": "em", "muscle noise": "ma"}
"""Kinds that are of the MIT-BIH Noise Stress Test, the part for tests."""
_MADE: dict[str, Maker] = {
    "flat, 2 µV of noise": _flat(0.002),
    "flat, 5 µV of noise": _flat(0.005),
    "flat, 10 µV of noise": _flat(0.01),
    "flat, 20 µV of noise": _flat(0.02),
    "P waves alone": _p_waves,
    "white noise": _loud,
    "mains": _mains,
    "pacing without capture": _pacing(0.0),
    "pacing without capture, with overshoot": _pacing(0.25),
    "electrosurgery": _electrosurgery,
}
KINDS = (*_MADE, *_RECORDED)
