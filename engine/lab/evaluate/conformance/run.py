"""Plays the signals through every stage of the engine, at several rates of a device, and judges them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.in_process.stages import Stages, System, open_system
from engine.lab.evaluate.conformance.grid import cells
from engine.lab.evaluate.conformance.judged import Shown, cut, last_rate
from engine.lab.evaluate.conformance.stimuli import stimuli
from engine.lab.evaluate.conformance.stimulus import SETTLED_S, Stimulus
from engine.lab.evaluate.conformance.waves import FINE_HZ, amplifier
from engine.lab.parts import Part, Progress, Result, fingerprint, run_parts
from engine.marks import Mark
from models.registry import load_card
from models.spec import ClassicalSpec
from streamer.chunk import Samples
from streamer.errors import InputError

GRID = ("T7", "T8")
TESTS = ("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T9", *(f"T{number}" for number in range(10, 19)))
"""T8 is the part of the grid T7 that must not be counted; T19 asks for 500 Hz, which no network has."""
HOP_MS, WINDOWS_HOP_MS = 40.0, 200.0
"""Of a network that keeps state, and of one that computes its whole window anew: 15 times the work."""
PICTURE_HZ = 360
PICTURE_S = 4.0


@dataclass(frozen=True)
class ConformanceSettings:
    """What to run. Fields carry the names of the command's options.

    Parameters
    ----------
    tests
        Some of `TESTS`.
    rates
        Of the device, Hz; divisors of `FINE_HZ`.
    quick
        A few cells of the grid alone.
    """

    models: tuple[str, ...]
    tests: tuple[str, ...] = TESTS
    rates: tuple[int, ...] = (250, 360, 500, 1000)
    quick: bool = False
    jobs: int = 1


def evaluate_conformance(settings: ConformanceSettings, out: Path, progress: Progress) -> list[Result]:
    """A result for each system, rate and test, kept in ``out/parts``.

    Returns
    -------
    list of dict
        ``system``, ``delay_ms``, ``fs``, ``test``, ``rows``; of the grid ``cells``, and where
        ``fs`` is `PICTURE_HZ`, ``pictures`` of the others: a stretch of raw and cleaned, mV, by name.

    Raises
    ------
    InputError
        If there is no such test, or a rate at which no signal can be made.
    """
    for test in settings.tests:
        if test not in TESTS:
            raise InputError(f"no test {test!r}; there are {', '.join(TESTS)}")
    for fs in settings.rates:
        if fs < 250 or FINE_HZ % fs:
            raise InputError(f"rate {fs:g} Hz; allowed: 250 Hz and more that divide {FINE_HZ}, as 360")
    parts = []
    for name in settings.models:
        for fs in settings.rates:
            for test in settings.tests:
                key = {
                    "track": "conformance",
                    "system": name,
                    "weights": fingerprint(name),
                    "fs": fs,
                    "test": test,
                    "quick": settings.quick,
                }
                arguments = (name, fs, test, settings.quick)
                parts.append(Part(f"{test}: {name} at {fs:g} Hz", key, conformance_part, arguments))
    return run_parts(parts, out / "parts", settings.jobs, progress)


def conformance_part(name: str, fs: int, test: str, quick: bool) -> Result:
    """One system on one test at one rate."""
    system = _open(name)
    about = {"system": name, "delay_ms": round(_delay_ms(system, fs)), "fs": fs, "test": test}
    if test in GRID:
        return about | {"rows": [], "cells": _grid(system, fs, quick), "pictures": {}}
    rows: list[dict[str, Any]] = []
    pictures = {}
    chosen = [stimulus for stimulus in stimuli() if stimulus.test == test]
    for stimulus, shown, bypassed in _played(system, fs, chosen):
        heard = Shown(shown.raw, shown.raw, fs, shown.raw_without, shown.raw_without)
        for judge in stimulus.judges:
            raw, cleaned = judge.measure(heard), judge.measure(shown)
            rows.append(
                {
                    "stimulus": stimulus.name,
                    "what": judge.what,
                    "limit": judge.limit,
                    "grade": judge.grade,
                    "unit": judge.unit,
                    "raw": _rounded(raw),
                    "cleaned": _rounded(cleaned),
                    "raw_passes": judge.passes(raw),
                    "passes": judge.passes(cleaned),
                    "bypassed": round(bypassed, 3),
                }
            )
        if fs == PICTURE_HZ:
            start = stimulus.event_s - PICTURE_S / 4
            pictures[stimulus.name] = [
                np.round(cut(x, fs, start, start + PICTURE_S).astype(float), 3).tolist()
                for x in (shown.raw, shown.trace)
            ]
    return about | {"rows": rows, "pictures": pictures}


def _open(name: str) -> System:
    spec = load_card(name).spec
    windows = not isinstance(spec, ClassicalSpec) and spec.steps is None
    return open_system(name, None, WINDOWS_HOP_MS if windows else HOP_MS, waits=True)


def _delay_ms(system: System, fs: int) -> float:
    return 1000 * Stages(fs, 1, system).delay_s


def _grid(system: System, fs: int, quick: bool) -> list[dict[str, Any]]:
    """The heart rate of every cell, raw and cleaned."""
    chosen = list(cells(quick))
    raws = [amplifier(cell.make(), fs, seed) for seed, cell in enumerate(chosen)]
    found = []
    for cell, raw, (cleaned, _) in zip(chosen, raws, through(system, fs, raws), strict=True):
        rates = (last_rate(Shown(trace, raw, fs)) for trace in (raw, cleaned))
        heard, said = (None if rate is None else round(rate, 1) for rate in rates)
        found.append({"cell": [cell.height_mv, cell.width_ms, cell.bpm], "raw": heard, "cleaned": said})
    return found


def _played(system: System, fs: int, chosen: Sequence[Stimulus]) -> Iterator[tuple[Stimulus, Shown, float]]:
    """What comes out of each stimulus, and the share of it that is raw passed on once all has settled.

    Those of one length go side by side, as leads of one device.
    """
    raws = [[amplifier(make(), fs) for make in (one.make, one.without) if make] for one in chosen]
    outputs: dict[int, list[tuple[Samples, NDArray[np.uint8]]]] = {}
    for length in {len(pair[0]) for pair in raws}:
        together = [raw for pair in raws if len(pair[0]) == length for raw in pair]
        outputs[length] = through(system, fs, together)[::-1]
    for stimulus, pair in zip(chosen, raws, strict=True):
        mine = [outputs[len(raw)].pop() for raw in pair]
        cleaned, marks = mine[0]
        without = (mine[1][0], pair[1]) if stimulus.without else (None, None)
        bypassed = float((marks[round(SETTLED_S * fs) :] == Mark.BYPASSED).mean())
        yield stimulus, Shown(cleaned, pair[0], fs, *without), bypassed


def through(system: System, fs: int, raws: Sequence[Samples]) -> list[tuple[Samples, NDArray[np.uint8]]]:
    """Signals of one length through all stages, side by side; cleaned, and the mark of each sample."""
    stages = Stages(fs, len(raws), system)
    parts = [stages.push(np.stack(raws)), stages.end()]
    cleaned = np.concatenate([part.data for part in parts], axis=1)
    marks = np.concatenate([part.marks for part in parts], axis=1)
    return list(zip(cleaned, marks, strict=True))


def _rounded(value: float | None) -> float | None:
    """Four digits; None also of what is not finite, which JSON has no word for."""
    return float(f"{value:.4g}") if value is not None and np.isfinite(value) else None
