"""T13 to T18: pacemakers, overload, mains, drift, and nothing at all."""

from functools import partial

import numpy as np

from engine.lab.evaluate.conformance.judged import Judge, left_of, recovered, rings, span
from engine.lab.evaluate.conformance.stimulus import (
    SECONDS,
    SETTLED_S,
    Stimulus,
    no_rate_judge,
    normal,
    rate_judge,
    settled_beats,
)
from engine.lab.evaluate.conformance.waves import (
    FINE_HZ,
    Fine,
    ecg,
    every,
    nothing,
    put,
    put_pulses,
    qrs_train,
    time_of,
    triangle,
)


def pacing() -> list[Stimulus]:
    """T13: a pacemaker at 70 a minute, with capture and without."""
    found = []
    for height_mv, width_ms, tail_mv in (
        (2.0, 2.0, 0.0),
        (-100.0, 0.5, 0.0),
        (100.0, 2.0, 0.0),
        (700.0, 0.1, 0.0),
        (700.0, 2.0, 0.0),
        (700.0, 2.0, 2.0),
    ):
        for captured in (False, True):

            def make(
                height_mv: float = height_mv,
                width_ms: float = width_ms,
                tail_mv: float = tail_mv,
                captured: bool = captured,
            ) -> Fine:
                lead, pulses = nothing(SECONDS), every(70, SECONDS)
                put_pulses(lead, height_mv, width_ms / 1000, pulses)
                if tail_mv:
                    # Overshoot, which fades with 25 ms.
                    fading = -tail_mv * np.exp(-np.arange(0, 0.15, 1 / FINE_HZ) / 0.025)
                    put(lead, fading, pulses + width_ms / 1000 + 0.075)
                if captured:
                    put(lead, triangle(1.2, 0.12), pulses + 0.1)
                return lead

            tail = f", overshoot {tail_mv:g} mV" if tail_mv else ""
            name = f"pacing {height_mv:+g} mV × {width_ms:g} ms{tail}, {'with' if captured else 'no'} capture"
            judge = rate_judge(70, "70 ± 7 bpm", "S2") if captured else no_rate_judge("S2")
            found.append(Stimulus("T13", name, make, (judge,)))
    return found


def overloads() -> list[Stimulus]:
    """T14: what takes the lead off the screen, and how soon it is back."""
    seconds, start_s, stop_s, bpm = 36.0, 15.6, 16.6, 100
    beats = every(bpm, seconds)

    def overload(kind: str) -> Fine:
        lead = ecg(beats, seconds)
        t = time_of(lead)
        inside = (t >= start_s) & (t < stop_s)
        if kind == "mains":
            lead += 1000 * np.sin(2 * np.pi * 50 * t) * inside
        elif kind == "volt":
            lead += 1000 * inside
        elif kind == "tenfold":
            lead *= np.where((t >= stop_s - 5) & (t < stop_s), 10.0, 1.0)
        else:
            # A defibrillator: the amplifier at its limit for a second, then back with 0.3 s.
            lead += 300 * np.exp(-np.maximum(t - stop_s, 0) / 0.3) * (t >= stop_s)
            lead[inside] = 300.0
        return lead

    rows = (
        ("mains", "50 Hz of ±1 V for 1 s", 3.0, "S4"),
        ("volt", "offset of 1 V for 1 s", 3.0, "S4"),
        ("tenfold", "ten times the amplitude for 5 s", 2.0, "goal"),
        ("defibrillator", "at the amplifier's limit of 300 mV for 1 s, then back with 0.3 s", 5.0, "S2"),
    )
    return [
        Stimulus(
            "T14",
            name,
            partial(overload, kind),
            (Judge("recovery", "s", f"≤ {most:g} s", grade, recovered(beats, start_s - 5, stop_s), 0, most),),
            event_s=stop_s,
        )
        for kind, name, most, grade in rows
    ]


def mains() -> list[Stimulus]:
    """T15 and T16: mains with harmonics, and ringing."""
    found = []
    for hertz in (50, 60):
        for height_mv in (0.1, 1.0):

            def make(hertz: int = hertz, height_mv: float = height_mv) -> Fine:
                lead = normal()
                t = time_of(lead)
                # From peak to valley, with harmonics.
                for order, share in ((1, 1.0), (2, 0.3), (3, 0.2)):
                    lead += height_mv / 2 * share * np.sin(2 * np.pi * order * hertz * t + order)
                return lead

            judges = (
                Judge("left", "%", "≤ 10 %", "S4", left_of(SETTLED_S), 0, 10),
                rate_judge(60, "60 ± 6 bpm", "S4"),
            )
            name = f"mains {hertz} Hz, {height_mv:g} mV p-v, with harmonics, under an ECG"
            found.append(Stimulus("T15", name, make, judges, normal))
    judge = Judge("voltage 60–140 ms after", "mV", "≤ 0.025 mV", "S4", rings(settled_beats()), 0, 0.025)
    make = partial(qrs_train, 60.0, SECONDS, 1.0, 0.04)
    return [*found, Stimulus("T16", "ringing after a QRS of 1 mV × 40 ms", make, (judge,))]


def quiet() -> list[Stimulus]:
    """T17 and T18: drift, and no signal."""

    def drift() -> Fine:
        lead = ecg(every(80, SECONDS), SECONDS, 0.5)
        turn = (time_of(lead) / 10) % 1
        return lead + 4 * (2 * np.abs(turn - 0.5) - 0.5)

    judges = (Judge("p-v", "µV", "≤ 30 µV", "S2", span(SETTLED_S), 0, 30), no_rate_judge("goal"))
    return [
        Stimulus(
            "T17", "drift of 4 mV p-v, 0.1 Hz, R 0.5 mV, 80 bpm", drift, (rate_judge(80, "80 ± 8 bpm", "S4"),)
        ),
        Stimulus("T18", "input shorted", partial(nothing, SECONDS), judges),
    ]
