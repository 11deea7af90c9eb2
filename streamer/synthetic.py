"""A synthetic patient, so that the product can be tried without any data.

Every sample follows in closed form from its index and a seed: any stretch can be computed at any time,
is always the same, and needs no state that would grow in a run of days.
"""

from bisect import bisect_left
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Annotation, Samples, StreamInfo
from streamer.errors import InputError
from streamer.records.record import clean_reference
from streamer.settings import SourceSettings
from streamer.source import Block
from streamer.source_kind import PlayedKind
from streamer.synthetic_noise import generator, synthetic_tape

Rhythm = Literal["sinus", "afib", "pvc"]
Floats = NDArray[np.float64]

BLOCK_S = 10.0
"""Seconds of signal that are made, and kept, at once."""
CACHED_BLOCKS = 2

_MARGIN_S = 5.0  # edge effects of the reference filter last no longer
_REACH_S = 1.2  # no wave reaches further from its R peak
_REFRACTORY_S = 0.2
_ECTOPIC_CHANCE = 0.12
_PREMATURE = 0.35  # of an RR interval
_FIRST_COUNTER = 2**32  # beats before time zero need random numbers too

# P, Q, R, S, T in seconds from the R peak at 60 bpm: the defaults of the authors' program.
_CENTRE_S = np.array([-70.0, -15.0, 0.0, 15.0, 100.0]) / 360
_WIDTH_S = np.array([0.25, 0.1, 0.1, 0.1, 0.4]) / (2 * np.pi)
# A ventricular beat has no P wave, a wide QRS complex, and a T wave of opposite sign.
_ECTOPIC_CENTRE_S = np.array([0.0, 0.0, 0.0, 0.11, 0.32])
_ECTOPIC_WIDTH_S = np.array([1.0, 1.0, 0.035, 0.035, 0.07])
_ECTOPIC_HEIGHT = np.array([0.0, 0.0, 1.6, -0.3, -0.5])  # of the lead's R + S

# Heights of P, Q, R, S, T in mV. The model has one lead only; these are typical of an adult.
_HEIGHT_MV = {
    "I": np.array([0.08, -0.05, 0.60, -0.10, 0.16]),
    "II": np.array([0.14, -0.09, 1.05, -0.20, 0.30]),
    "V1": np.array([0.08, 0.00, 0.25, -0.90, -0.06]),
    "V2": np.array([0.08, 0.00, 0.45, -1.20, 0.35]),
    "V3": np.array([0.08, 0.00, 0.75, -0.75, 0.40]),
    "V4": np.array([0.08, -0.05, 1.30, -0.45, 0.38]),
    "V5": np.array([0.08, -0.10, 1.35, -0.25, 0.32]),
    "V6": np.array([0.08, -0.10, 1.05, -0.12, 0.25]),
}
_I, _II = _HEIGHT_MV["I"], _HEIGHT_MV["II"]
# The other limb leads follow by Einthoven's and Goldberger's equations.
_HEIGHT_MV |= {"III": _II - _I, "aVR": -(_I + _II) / 2, "aVL": _I - _II / 2, "aVF": _II - _I / 2}


class _Waves(NamedTuple):
    """The Gaussians of a beat: centre and width in s, (waves,); height in mV, (leads, waves)."""

    centre: Floats
    width: Floats
    height: Floats


class _Lines(NamedTuple):
    """A sum of sinusoids: frequency, phase in rad and amplitude of each, shape (lines,)."""

    frequency: Floats
    phase: Floats
    amplitude: Floats

    def at(self, x: NDArray[Any]) -> Floats:
        angle = 2 * np.pi * np.multiply.outer(x, self.frequency) + self.phase
        total: Floats = (self.amplitude * np.sin(angle)).sum(axis=-1)
        return total


class SyntheticPatient:
    """An endless `streamer.source.Signal` after the ECGSYN model.

    McSharry, Clifford, Tarassenko & Smith, "A dynamical model for generating synthetic
    electrocardiogram signals", IEEE Trans. Biomed. Eng. 50(3):289-294, 2003. As there, a beat is
    five Gaussians P, Q, R, S, T, and the RR intervals of sinus rhythm have spectral peaks at
    0.1 Hz and 0.25 Hz of power ratio 0.5 with random phases. What differs makes every sample
    computable on its own:

    - The equation of z is used in its integrated form, a sum of Gaussians. Its restoring force,
      a high-pass of 0.16 Hz, and its respiratory drift are left out. The zero-phase high-pass of
      0.5 Hz that defines this project's reference, `clean_reference`, takes the mean away.
    - The RR spectrum is a few lines, whose sum has a closed form: beat n comes at
      (n + 1/2) · RR + d(n). The standard deviation is 4 % of RR (the program's is 1 bpm).
    - P and T move and widen with the square root of the mean RR, so that QT follows Bazett. The
      QRS keeps its width at every rate. Each lead has its own heights.

    ``afib`` spreads the RR power evenly over frequency (standard deviation 20 % of RR, less where
    an interval could fall below 200 ms) and has 5-7 Hz fibrillation in place of P waves. ``pvc``
    is sinus rhythm where one beat in nine or ten is wide and comes 35 % of RR early; the next
    comes when it would have come anyway, after a full compensatory pause.

    `Block.data` and `Block.reference` are the same array: the model has no drift of its own, so that
    added noise is the only difference between them. Beats are marked ``N`` or ``V`` at their R
    peaks, which in leads such as V1 are not the largest deflection.

    Parameters
    ----------
    rhythm
        ``"sinus"``, ``"afib"`` or ``"pvc"``.
    heart_rate
        Mean beats per minute, 30 to 250.
    fs
        Sampling rate, 100 to 10000 Hz.
    leads
        Any of the twelve standard leads, each once.
    seed
        Chooses the patient's random numbers; a whole number ≥ 0.

    Raises
    ------
    InputError
        If a value is not allowed.
    """

    length: int | None = None

    def __init__(
        self,
        *,
        rhythm: str = "sinus",
        heart_rate: float = 70.0,
        fs: float = 360.0,
        leads: tuple[str, ...] = ("II",),
        seed: int = 0,
    ) -> None:
        if rhythm not in get_args(Rhythm):
            raise InputError(f"rhythm {rhythm!r} is unknown; allowed: {', '.join(get_args(Rhythm))}")
        if not 30 <= heart_rate <= 250:
            raise InputError(f"heart rate must be 30 to 250 bpm, got {heart_rate}")
        if not leads or len(set(leads)) < len(leads) or not set(leads) <= set(_HEIGHT_MV):
            raise InputError(
                f"leads {', '.join(leads) or '(none)'} cannot be made; allowed, each once: "
                f"{', '.join(_HEIGHT_MV)}"
            )
        rng = generator(fs, seed)
        self.info = StreamInfo(
            float(fs),
            tuple(leads),
            f"synthetic {rhythm} {heart_rate:g} bpm" + (f", seed {seed}" if seed else ""),
            f"synthetic/{rhythm}-{heart_rate:g}-{seed}",
            has_reference=True,
            origin="synthetic",
        )
        self._rr = 60.0 / heart_rate
        self._displacement = _displacement(rhythm, self._rr, rng)
        self._ectopic_chance = _ECTOPIC_CHANCE if rhythm == "pvc" else 0.0
        self._ectopic_key = int(rng.integers(2**63))

        height = np.stack([_HEIGHT_MV[lead] for lead in leads])
        self._atrial = np.zeros((len(leads), 1))
        if rhythm == "afib":
            self._atrial[:, 0], height[:, 0] = height[:, 0], 0.0
        self._fibrillation = _Lines(rng.uniform(5, 7, 3), rng.uniform(0, 2 * np.pi, 3), np.full(3, 0.15))
        stretch = np.array([self._rr, 1.0, 1.0, 1.0, self._rr]) ** 0.5
        self._normal = _Waves(_CENTRE_S * stretch, _WIDTH_S * stretch, height)
        wide = (height[:, 2] + height[:, 3])[:, None] * _ECTOPIC_HEIGHT
        self._ectopic = _Waves(_ECTOPIC_CENTRE_S * stretch, _ECTOPIC_WIDTH_S * stretch, wide)
        self._size = round(BLOCK_S * fs)
        self._blocks: dict[int, Block] = {}

    def read(self, start: int, count: int) -> Block:
        """`count` samples from index `start`, as read-only views where one block holds them."""
        stop = start + count
        parts: list[Samples] = []
        marks: list[Annotation] = []
        for index in range(start // self._size, max(start, stop - 1) // self._size + 1):
            block = self._block(index)
            first = index * self._size
            parts.append(block.data[:, max(0, start - first) : stop - first])
            # (sample,) sorts before every mark on that sample.
            low, high = (bisect_left(block.annotations, (edge,)) for edge in (start, stop))
            marks += block.annotations[low:high]
        data = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return Block(data, data, tuple(marks))

    def _block(self, index: int) -> Block:
        if index not in self._blocks:
            if len(self._blocks) == CACHED_BLOCKS:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[index] = self._make(index)
        return self._blocks[index]

    def _make(self, index: int) -> Block:
        """Block `index` by itself: the beats on and around it, filtered with a margin."""
        fs, start, margin = self.info.fs, index * self._size, round(_MARGIN_S * self.info.fs)
        time = np.arange(start - margin, start + self._size + margin) / fs
        model = self._atrial * self._fibrillation.at(time)
        marks = []
        for peak, ectopic in self._beats(time[0] - _REACH_S, time[-1] + _REACH_S):
            waves = self._ectopic if ectopic else self._normal
            near = slice(*np.searchsorted(time, [peak - _REACH_S, peak + _REACH_S]))
            away = time[near] - (peak + waves.centre[:, None])
            gaussians = np.exp(-0.5 * (away / waves.width[:, None]) ** 2)
            # No matrix product: its rounding may differ from call to call.
            model[:, near] += (waves.height[:, :, None] * gaussians).sum(axis=1)
            sample = round(peak * fs)
            if start <= sample < start + self._size:
                marks.append(Annotation(sample, "V" if ectopic else "N"))
        reference = clean_reference(model.astype(np.float32), fs)[:, margin:-margin].copy()
        reference.flags.writeable = False
        return Block(reference, reference, tuple(marks))

    def _beats(self, start_s: float, stop_s: float) -> list[tuple[float, bool]]:
        """Time of the R peak of each beat between two times, and whether it is ectopic."""
        slack = np.abs(self._displacement.amplitude).sum() + 2
        first = int(start_s / self._rr - slack)
        number = np.arange(first, int(stop_s / self._rr + slack))
        # A counter-based generator (four numbers per count) knows beat n without those before it.
        bits = np.random.Philox(key=self._ectopic_key, counter=_FIRST_COUNTER + first - 1)
        chance = np.random.Generator(bits).random(4 * (number.size + 1))[::4]
        wanted = chance < self._ectopic_chance
        ectopic = wanted[1:] & ~wanted[:-1]
        peak = self._rr * (number + 0.5 + self._displacement.at(number) - _PREMATURE * ectopic)
        inside = (peak >= start_s) & (peak < stop_s)
        return list(zip(peak[inside].tolist(), ectopic[inside].tolist(), strict=True))


def _displacement(rhythm: str, rr: float, rng: np.random.Generator) -> _Lines:
    """Lines of d(n), by how much of an RR beat n leaves the regular grid; in cycles per beat."""
    if rhythm == "afib":
        # Evenly spaced, so that intervals hardly depend on the one before. Not slower than 0.08:
        # a slow line would move the mean rate.
        lines, deviation = 6, 0.2
        frequency = np.linspace(0.08, 0.5, lines, endpoint=False) + rng.uniform(0, 0.07, lines)
        share = np.full(lines, 1 / lines)
    else:
        lines, deviation = 8, 0.04
        frequency = rr * rng.normal(np.repeat([0.1, 0.25], lines // 2), 0.01)
        share = np.repeat([1 / 3, 2 / 3], lines // 2) / (lines // 2)
    # At worst, equal lines add up to √(2 · lines) times their standard deviation.
    deviation = min(deviation, (1 - _REFRACTORY_S / rr) / np.sqrt(2 * lines))
    # d(n + 1/2) - d(n - 1/2) of a sine of amplitude a is a cosine of amplitude 2 a sin(πf).
    amplitude = deviation * np.sqrt(2 * share) / (2 * np.sin(np.pi * frequency))
    return _Lines(frequency, rng.uniform(0, 2 * np.pi, lines), amplitude)


def _open(settings: SourceSettings) -> SyntheticPatient:
    return SyntheticPatient(
        rhythm=settings.rhythm,
        heart_rate=settings.heart_rate,
        leads=settings.leads or ("II",),
        seed=settings.seed,
    )


def _tape(kind: str, settings: SourceSettings, fs: float) -> NDArray[np.float32]:
    return synthetic_tape(kind, fs, settings.seed)


SOURCE = PlayedKind("a made patient", _open, usual_noise="em", tape=_tape)
