"""Noise at a calibrated level: the split of the NSTDB records in time, and the definitions of SNR.

Replay, training and evaluation all use this split and these definitions, so that live figures, training
examples and published tables can be compared.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

KINDS = ("bw", "em", "ma")
NoisePart = Literal["test", "train", "validation", "all"]
SnrDefinition = Literal["ac", "nst"]

GUARD_S = 10.0
"""Seconds left unused between two parts of a noise record."""
JOIN_S = 0.5
"""Seconds of cross-fade where a tape's blocks, or its end and beginning, meet."""

_MINUTES = 60.0
# The official stress records 118e*/119e* hold these minutes of `em`: nothing may train on them.
_EM_TEST = ((5, 7), (9, 11), (13, 15), (17, 19), (21, 23), (25, 27), (29, None))
_EM_TRAIN = ((0, 5), (7, 9), (11, 13), (15, 17), (19, 21), (23, 25))
_EM_VALIDATION = ((27, 29),)


def parse_noise(text: str) -> dict[str, float]:
    """Weights per kind of noise from ``"none"``, ``"em"``, ``"emb"`` or ``"em:0.6,bw:0.2"``.

    Weights are amplitudes of noises of unit power; ``emb`` is all three at equal weight.

    Raises
    ------
    InputError
        If a kind is unknown or a weight is not a positive number.
    """
    allowed = f"none, {', '.join(KINDS)}, emb, or weights such as em:0.6,bw:0.2,ma:0.2"
    if text == "none":
        return {}
    if text == "emb":
        return dict.fromkeys(KINDS, 1.0)
    weights: dict[str, float] = {}
    for term in text.split(","):
        kind, colon, weight = term.strip().partition(":")
        try:
            value = float(weight) if colon else 1.0
        except ValueError:
            value = float("nan")
        if kind not in KINDS or kind in weights or not (0 < value < float("inf")):
            raise InputError(f"noise {text!r} is not understood at {term!r}; allowed: {allowed}")
        weights[kind] = value
    return weights


def noise_blocks(kind: str, part: NoisePart, duration_s: float) -> list[tuple[float, float]]:
    """Seconds of an NSTDB noise record that belong to a part, edges guarded.

    ``bw`` and ``ma``: first half for training (its last two minutes for validation), second
    half for testing. ``em``: the minutes that the official stress records use are for testing.
    Half of `GUARD_S` is cut on each side of every inner edge.
    """
    if part == "all":
        return [(0.0, duration_s)]
    minutes: tuple[tuple[float, float | None], ...]
    if kind == "em":
        minutes = {"test": _EM_TEST, "train": _EM_TRAIN, "validation": _EM_VALIDATION}[part]
    else:
        half = duration_s / 2 / _MINUTES
        minutes = {
            "train": ((0, half - 2),),
            "validation": ((half - 2, half),),
            "test": ((half, None),),
        }[part]
    blocks = []
    for first, last in minutes:
        start = first * _MINUTES + (GUARD_S / 2 if first > 0 else 0.0)
        stop = duration_s if last is None else min(duration_s, last * _MINUTES - GUARD_S / 2)
        if stop > start:
            blocks.append((start, stop))
    return blocks


def noise_gain(signal_power: Any, noise_power: Any, snr_db: Any) -> Any:
    """Amplitude factor for a noise to reach an SNR: sqrt(Px / (Pn · 10^(SNR/10))).

    Works on floats, numpy arrays and torch tensors alike.
    """
    return (signal_power / (noise_power * 10 ** (snr_db / 10))) ** 0.5


def power_ac(data: NDArray[Any]) -> NDArray[np.float64]:
    """Mean-removed power of each lead, mV², shape (leads,); missing samples (NaN) left out."""
    variance: NDArray[np.float64] = np.nanvar(data, axis=-1, dtype=np.float64)
    return variance


def noise_power_nst(noise: NDArray[Any], fs: float) -> NDArray[np.float64]:
    """Power of each lead's noise as the Noise Stress Test measures it, shape (leads,).

    The RMS of each second about that second's own mean, averaged with the largest and smallest 5 %
    left out, squared: slow drift hardly counts. With `signal_power_nst` it gives the levels of the
    official records 118e* and 119e*.
    """
    second = round(fs)
    count = max(1, noise.shape[1] // second)
    seconds = noise[:, : count * second].reshape(len(noise), count, -1)
    rms = np.sort(seconds.std(axis=-1, dtype=np.float64), axis=-1)
    cut = count // 20
    mean_rms: NDArray[np.float64] = rms[:, cut : count - cut].mean(axis=-1)
    return mean_rms**2


def signal_power_nst(reference: NDArray[Any], beats: NDArray[np.int64], fs: float) -> NDArray[np.float64]:
    """Power of each lead as the Noise Stress Test defines it: App²/8, shape (leads,).

    App is the mean peak-to-peak amplitude of the QRS complexes, ±50 ms around each beat, with
    the largest and smallest 5 % left out (Moody, Muldrow & Mark, Computers in Cardiology 1984,
    and the ``nst`` programme that wrote records 118e* and 119e*).

    Parameters
    ----------
    reference
        Millivolts, shape (leads, samples).
    beats
        Sample index of each QRS complex.
    """
    reach = round(0.05 * fs)
    inside = beats[(beats >= reach) & (beats + reach < reference.shape[1])]
    if inside.size == 0:
        raise InputError(
            "snr definition 'nst' needs at least one QRS complex in the played stretch, "
            "and none was found; use --snr-definition ac"
        )
    windows = reference[:, inside[:, None] + np.arange(-reach, reach + 1)]
    heights = np.sort(np.ptp(windows, axis=-1), axis=-1)
    cut = heights.shape[1] // 20
    mean_height: NDArray[np.float64] = heights[:, cut : heights.shape[1] - cut].mean(
        axis=-1, dtype=np.float64
    )
    return mean_height**2 / 8


def join_blocks(blocks: list[NDArray[np.float32]], fs: float) -> NDArray[np.float32]:
    """One endless tape (channels, samples) of blocks cross-faded into each other and into a loop."""
    fade = round(JOIN_S * fs)
    rising = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    tape = blocks[0]
    for block in blocks[1:]:
        joint = tape[:, -fade:] * rising[::-1] + block[:, :fade] * rising
        tape = np.concatenate([tape[:, :-fade], joint, block[:, fade:]], axis=1)
    joint = tape[:, -fade:] * rising[::-1] + tape[:, :fade] * rising
    return np.concatenate([joint, tape[:, fade:-fade]], axis=1)


def take(tape: NDArray[np.float32], start: int, count: int) -> NDArray[np.float32]:
    """`count` samples of an endless tape from absolute index `start`, shape (channels, count).

    A view of the tape where they lie side by side in it: not to be written to.
    """
    first = start % tape.shape[1]
    if first + count <= tape.shape[1]:
        return tape[:, first : first + count]
    return np.take(tape, np.arange(start, start + count), axis=1, mode="wrap")


@dataclass(frozen=True)
class NoiseSettings:
    """What noise to add: `weights` per kind, `snr_db`, its definition, the part of the tapes."""

    weights: dict[str, float]
    snr_db: float = 0.0
    definition: SnrDefinition = "ac"
    part: NoisePart = "test"
    seed: int = 0

    def __post_init__(self) -> None:
        if not np.isfinite(self.snr_db):
            raise InputError(f"snr must be a finite number of dB, got {self.snr_db}")
        if self.part not in get_args(NoisePart):
            allowed = ", ".join(get_args(NoisePart))
            raise InputError(f"noise part {self.part!r} is unknown; allowed: {allowed}")
        if self.definition not in get_args(SnrDefinition):
            raise InputError(
                f"snr definition {self.definition!r} is unknown; allowed: ac (ratio of mean-removed "
                "powers), nst (Noise Stress Test)"
            )
        if self.seed < 0:
            raise InputError(f"seed must be a whole number ≥ 0, got {self.seed}")


_Part = tuple[NDArray[np.float32], int]
"""One kind's tape, weighted, (leads, samples), and the offset at which the stream begins in it."""


class NoiseMixer:
    """Scales noise tapes so that a stretch of signal reaches an SNR, lead by lead.

    Calibrated over `span` samples from the stream's first: for a run of known length that is
    the run, so that its SNR is what was asked for; otherwise the whole record.

    Parameters
    ----------
    settings
        What to add. `retune` changes it while playing.
    signal_power
        Power of the reference per lead in mV² by the definition in `settings`, shape (leads,).
    noise_power
        Power of a noise (leads, samples) per lead by the same definition.
    load_tape
        Returns the tape of a kind at the stream's rate, shape (channels, samples). Lead i takes
        channel i modulo channels.
    span
        Samples over which the noise power is measured.
    """

    def __init__(
        self,
        settings: NoiseSettings,
        signal_power: NDArray[np.float64],
        noise_power: Callable[[NDArray[np.float32]], NDArray[np.float64]],
        load_tape: Callable[[str], NDArray[np.float32]],
        span: int,
    ) -> None:
        self._signal_power = signal_power
        self._noise_power = noise_power
        self._load_tape = load_tape
        self._span = span
        self._parts: list[_Part] = []
        self._unit_gain = np.zeros((len(signal_power), 1), dtype=np.float32)
        self.settings = replace(settings, weights={})
        self.retune(settings)

    def retune(self, settings: NoiseSettings) -> None:
        """Change kind or level from the next read on; the tapes keep running.

        Where the new noise cannot be had, the old one goes on.

        Raises
        ------
        InputError
            If anything but kind and level differs.
        """
        if replace(settings, weights={}, snr_db=0.0) != replace(self.settings, weights={}, snr_db=0.0):
            raise InputError("only kind and level of the noise can change while it plays")
        if settings.weights != self.settings.weights:
            self._parts, self._unit_gain = self._select(settings)
        self.settings = settings
        self._gain = np.float32(10 ** (-settings.snr_db / 20)) * self._unit_gain

    def _select(self, settings: NoiseSettings) -> tuple[list[_Part], NDArray[np.float32]]:
        """Bring every kind to unit power over the span; the gain brings their sum to 0 dB SNR."""
        leads = len(self._signal_power)
        parts: list[_Part] = []
        for kind in sorted(settings.weights):
            tape = self._load_tape(kind)
            # A random generator per kind: adding a kind does not change where the others begin.
            offset = int(np.random.default_rng([settings.seed, KINDS.index(kind)]).integers(tape.shape[1]))
            tape = tape[np.arange(leads) % tape.shape[0]]
            heard = take(tape, offset, min(self._span, tape.shape[1]))
            unit = (tape - heard.mean(axis=1, keepdims=True)) / heard.std(axis=1, keepdims=True)
            parts.append((settings.weights[kind] * unit.astype(np.float32), offset))
        power = np.ones(leads)
        if parts:
            power = self._noise_power(self._sum(parts, 0, self._span))
        return parts, noise_gain(self._signal_power, power, 0.0)[:, None].astype(np.float32)

    def _sum(self, parts: list[_Part], start: int, count: int) -> NDArray[np.float32]:
        total = np.zeros((len(self._signal_power), count), dtype=np.float32)
        for tape, offset in parts:
            total += take(tape, offset + start, count)
        return total

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Noise in mV for `count` samples from absolute index `start`, shape (leads, count)."""
        return self._gain * self._sum(self._parts, start, count)
