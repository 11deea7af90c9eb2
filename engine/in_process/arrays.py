"""Clean a whole signal that is there already, in memory."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.in_process.denoiser import in_millivolts
from engine.in_process.stages import Part, Stages, System, open_system
from engine.in_process.wrong_unit import refuse_wrong_unit
from streamer.errors import InputError

BLOCK_S = 60.0
"""Seconds of signal that are pushed at once: enough for long hops, little memory."""
HOP_MS = 40.0
"""The guard judges as in a live run, whatever the hop of the network."""


@dataclass(frozen=True)
class Settings:
    """How a whole signal is cleaned; see `engine.in_process.clean.clean`."""

    model: str
    lookahead_ms: float | None
    causal: bool


class _Open(threading.local):
    """Systems that are open, by their settings; each thread has its own."""

    def __init__(self) -> None:
        self.systems: dict[Settings, System] = {}


_open = _Open()


def system_for(settings: Settings) -> System:
    """Open a system, or take the one that this thread has open; raises InputError as `open_system`."""
    systems = _open.systems
    if settings not in systems:
        opened = open_system(settings.model, settings.lookahead_ms, HOP_MS, waits=settings.causal)
        systems[settings] = opened
    return systems[settings]


def clean_rows(rows: NDArray[Any], fs: float, millivolts: float, settings: Settings) -> Part:
    """Clean leads, (leads, samples) in a unit of so many mV; the same unit and shape come back.

    Raises
    ------
    InputError
        If there is no sample, the rate or the settings cannot be had, or the unit is wrong.
    """
    leads, samples = rows.shape
    if not (leads and samples):
        raise InputError(f"there is nothing to clean: {leads} leads of {samples} samples")
    stages = Stages(fs, leads, system_for(settings))
    refuse_wrong_unit(rows, fs, millivolts)
    kind = np.float32 if rows.dtype == np.float32 else np.float64
    whole = Part(
        np.empty((leads, samples), kind),
        np.empty((leads, samples), np.uint8),
        np.empty((leads, samples), np.uint8),
    )
    at = 0

    def keep(part: Part) -> None:
        nonlocal at
        here = slice(at, at + part.data.shape[1])
        whole.data[:, here] = part.data / kind(millivolts)
        whole.marks[:, here], whole.reasons[:, here] = part.marks, part.reasons
        at = here.stop

    block = max(1, round(BLOCK_S * fs))
    for start in range(0, samples, block):
        keep(stages.push(in_millivolts(rows[:, start : start + block], millivolts)))
    keep(stages.end())
    return whole
