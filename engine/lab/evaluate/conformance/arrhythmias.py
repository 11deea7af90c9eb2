"""Irregular and fast rhythms, made after what the words of EC13's figures 3 and 4 say of them."""

from collections.abc import Callable, Iterator

import numpy as np

from engine.lab.evaluate.conformance.waves import Fine, bell, ecg, every, nothing, put


def irregular(seconds: float) -> Iterator[tuple[str, float, Callable[[], Fine]]]:
    """Name, beats per minute (every beat counted), and signal of four rhythms."""
    # Offsets of normal and of ventricular beats in a period, s; a ventricular one's sign.
    for name, period_s, normal, ventricular in (
        ("ventricular bigeminy", 1.5, (0.0,), ((0.55, -1.0),)),
        ("slow alternating ventricular bigeminy", 4.0, (0.0, 2.0), ((0.6, -1.0), (2.6, 1.0))),
        ("rapid alternating ventricular bigeminy", 2.0, (0.0, 1.0), ((0.42, -1.0), (1.42, 1.0))),
        ("bidirectional systoles", 4 / 3, (), ((0.0, 1.0), (2 / 3, -1.0))),
    ):

        def make(
            period_s: float = period_s,
            normal: tuple[float, ...] = normal,
            ventricular: tuple[tuple[float, float], ...] = ventricular,
        ) -> Fine:
            starts = np.arange(0.5, seconds, period_s)
            lead = nothing(seconds)
            for offset in normal:
                lead += ecg(starts + offset, seconds)
            for offset, sign in ventricular:
                put(lead, bell(1.6 * sign, 0.032), starts + offset)
                put(lead, bell(-0.4 * sign, 0.06), starts + offset + 0.22)
            return lead

        yield name, 60 * (len(normal) + len(ventricular)) / period_s, make


def rate_step(before: float, after: float, step_s: float, seconds: float) -> Fine:
    """Normal beats whose rate, bpm, changes at a second."""
    early = every(before, step_s)
    return ecg(np.concatenate([early, every(after, seconds, float(early[-1]) + 60 / after)]), seconds)


def wide_tachycardia(bpm: float, height_mv: float, seconds: float) -> Fine:
    """Wide complexes without P and T, each with a trough behind it."""
    lead, beats = nothing(seconds), every(bpm, seconds)
    put(lead, bell(0.65 * height_mv, 0.034), beats)
    put(lead, bell(-0.35 * height_mv, 0.04), beats + 0.11)
    return lead
