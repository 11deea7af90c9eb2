"""The signals T1 to T12, but for the grid of QRS complexes, and all of them together."""

from collections.abc import Callable
from functools import partial

import numpy as np

from engine.lab.evaluate.conformance.arrhythmias import irregular, rate_step, wide_tachycardia
from engine.lab.evaluate.conformance.interference import mains, overloads, pacing, quiet
from engine.lab.evaluate.conformance.judged import (
    Judge,
    displaced,
    followed,
    gain,
    height_change,
    height_error,
    peak_error,
    ratio_error,
    recovered,
    slope,
)
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
    Fine,
    bell,
    every,
    nothing,
    put,
    put_pulses,
    qrs_train,
    time_of,
)


def stimuli() -> tuple[Stimulus, ...]:
    """All of them, in order."""
    return (
        *_amplitudes(),
        *_sines(),
        *_triangles(),
        *_impulses(),
        *_tall_t(),
        *_rhythms(),
        *pacing(),
        *overloads(),
        *mains(),
        *quiet(),
    )


def _amplitudes() -> list[Stimulus]:
    judge = Judge("QRS height", "%", "±20 %", "S2", height_error(settled_beats()), -20, 20)
    found = [
        Stimulus("T1", f"normal beats, R {r_mv:+g} mV", partial(normal, r_mv), (judge,))
        for r_mv in (0.5, 1.0, 2.0, 5.0, -5.0)
    ]
    seconds, step_s = 32.0, 16.0
    beats = every(60, seconds)
    for offset in (300.0, -300.0):

        def make(offset: float = offset) -> Fine:
            lead = normal(seconds=seconds)
            return lead + offset * (time_of(lead) >= step_s)

        before, after = (
            beats[(beats > a) & (beats < b)] for a, b in ((SETTLED_S, step_s), (step_s + 5, seconds - 1.5))
        )
        judges = (
            Judge("QRS height after 5 s", "%", "±10 %", "S1", height_change(before, after), -10, 10),
            Judge("recovery", "s", "≤ 3 s", "S4", recovered(beats, step_s, step_s), 0, 3),
        )
        found.append(Stimulus("T2", f"step of the offset {offset:+g} mV", make, judges, event_s=step_s))
    return found


def _sines() -> list[Stimulus]:
    found = []
    for hertz in (0.67, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 100.0):

        def make(hertz: float = hertz) -> Fine:
            lead = normal()
            return lead + 0.1 * np.sin(2 * np.pi * hertz * time_of(lead))

        monitor = hertz <= 40
        low, limit = (90, "90 to 110 %") if monitor else (70, "70 to 110 % (diagnostic)")
        judge = Judge("gain", "%", limit, "S1", gain(hertz, SETTLED_S), low, 110)
        name = f"sine {hertz:g} Hz, ±0.1 mV, under an ECG"
        found.append(Stimulus("T3" if monitor else "T4", name, make, (judge,), normal))

    def bare() -> Fine:
        return np.sin(2 * np.pi * 10 * time_of(nothing(SECONDS)))

    judge = Judge("gain", "%", "90 to 110 %", "S1", gain(10.0, SETTLED_S), 90, 110)
    return [*found, Stimulus("T3", "sine 10 Hz, ±1 mV, alone", bare, (judge,), partial(nothing, SECONDS))]


def _triangles() -> list[Stimulus]:
    found = []
    for base_ms in (20, 40, 80, 120, 200):
        base_s = base_ms / 1000
        low, limit, grade = (-25, "−25 … +10 %", "S4") if base_ms < 40 else (-10, "±10 %", "goal")
        judge = Judge("peak", "%", limit, grade, peak_error(settled_beats(), base_s), low, 10)
        make = partial(qrs_train, 60.0, SECONDS, 1.5, base_s)
        found.append(Stimulus("T5", f"triangles 1.5 mV, base {base_ms} ms, 60 a minute", make, (judge,)))
    return found


def _impulses() -> list[Stimulus]:
    at_s, ended_s = 14.75, 14.85
    judges = (
        Judge("displacement after 1 s", "mV", "≤ 0.1 mV", "S1", displaced(ended_s + 1, ended_s + 4), 0, 0.1),
        Judge("slope after 1 s", "mV/s", "≤ 0.3 mV/s", "S1", slope(ended_s + 1, ended_s + 4), 0, 0.3),
    )

    def impulse(without: Callable[[], Fine]) -> Fine:
        lead = without()
        put_pulses(lead, 3.0, 0.1, (at_s,))
        return lead

    flat, alone = partial(nothing, SECONDS), (*judges, no_rate_judge("goal"))
    return [
        Stimulus(
            "T6",
            "3 mV for 100 ms, alone",
            partial(impulse, flat),
            alone,
            flat,
            at_s,
        ),
        Stimulus("T6", "3 mV for 100 ms, under an ECG", partial(impulse, normal), judges, normal, at_s),
    ]


def _tall_t() -> list[Stimulus]:
    found = []
    for t_mv in (0.2, 0.4, 0.8, 1.2, 1.5):

        def make(t_mv: float = t_mv) -> Fine:
            lead = qrs_train(80, SECONDS, 1.0, 0.1)
            # QT 350 ms from the begin of the QRS; T 180 ms wide.
            put(lead, bell(t_mv, 0.18 / 4), every(80, SECONDS) + 0.21)
            return lead

        judges = (
            rate_judge(80, "80 ± 8 bpm", "S2" if t_mv <= 1.2 else "goal"),
            Judge("T/QRS", "%", "±10 %", "goal", ratio_error(settled_beats(bpm=80), 0.21), -10, 10),
        )
        found.append(Stimulus("T9", f"T wave of {t_mv:g} mV behind a QRS of 1 mV, 80 bpm", make, judges))
    return found


def _rhythms() -> list[Stimulus]:
    found = [
        Stimulus("T10", f"{name}, {bpm:g} bpm", make, (rate_judge(bpm, "±10 % or 5 bpm", "S2"),))
        for name, bpm, make in irregular(SECONDS)
    ]
    seconds, step_s = 50.0, 25.0
    for before, after in ((80.0, 120.0), (80.0, 40.0)):
        judge = Judge("followed after", "s", "≤ 10 s", "S2", followed(step_s, after), 0, 10)
        make = partial(rate_step, before, after, step_s, seconds)
        found.append(Stimulus("T11", f"rate {before:g} → {after:g} bpm", make, (judge,), event_s=step_s))
    for bpm, height_mv in ((206.0, 1.0), (195.0, 2.0)):
        for times in (0.5, 1.0, 2.0):
            beats = settled_beats(bpm=bpm)
            judges = (
                rate_judge(bpm, "±10 %", "S2"),
                Judge("height", "%", "−50 … +20 %", "goal", height_error(beats, 0.14), -50, 20),
            )
            make = partial(wide_tachycardia, bpm, times * height_mv, SECONDS)
            name = f"ventricular tachycardia {bpm:g} bpm, {times * height_mv:g} mV"
            found.append(Stimulus("T12", name, make, judges))
    return found
