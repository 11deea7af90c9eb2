"""What a card beside a network's weights says, as a record: where they come from, and what they are worth.

A card is JSON, and every field of its record must be there, an unmeasured one as null: a misspelt
name is an error, never a default.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from streamer.errors import InputError

Record = TypeVar("Record")


@dataclass(frozen=True)
class Training:
    """The report of a training run, ``training.json``.

    Parameters
    ----------
    command
        What repeats it.
    settings
        Of the run, by name: each trainer has its own.
    steps_planned, steps_run
        Optimiser steps.
    rows_per_step
        Windows, or stretches of a stream, in each step.
    best_validation_loss
        Of the weights that were kept; None where nothing was trained.
    minutes
        It took.
    machine, torch
        Device and version that it ran on.
    signal_s
        Seconds of signal of all steps, where the trainer counts them.
    begun_with
        Report of the run whose weights it began with.
    """

    command: str
    settings: Mapping[str, Any]
    steps_planned: int
    steps_run: int
    rows_per_step: int
    best_validation_loss: float | None
    minutes: float
    machine: str
    torch: str
    signal_s: int | None
    begun_with: "Training | None"

    @property
    def budget(self) -> str:
        """Optimiser steps and windows per step, for people."""
        return f"{self.steps_run:,} × {self.rows_per_step}"


@dataclass(frozen=True)
class GuardRow:
    """Limits at one look-ahead, and what they were chosen by (`engine.lab.safety.guard_limits`).

    Parameters
    ----------
    lookahead_ms
        Look-ahead.
    doubted, believed
        Contradiction above which the network is doubted, and below which it is believed again.
    greatest_on_clean
        Greatest contradiction on clean validation records.
    clean_bypassed_percent
        Share of the clean validation records that these limits bypass.
    runs_of_noise
        Stretches of pure noise that these limits let through.
    """

    lookahead_ms: float
    doubted: float
    believed: float
    greatest_on_clean: float
    clean_bypassed_percent: float
    runs_of_noise: int


@dataclass(frozen=True)
class GuardLimits:
    """What the guard was set to for a network: rows by look-ahead, and the records that chose them."""

    measured_on: str
    contradiction: tuple[GuardRow, ...]


@dataclass(frozen=True)
class TrackFRow:
    """Track F's figures under one condition, dB; the improvement with its 95 % interval."""

    delay_ms: float
    noise: str
    snr: float | None
    own_drift: str
    snr_in_db: float
    snr_out_db: float
    improvement_db: float
    improvement_low_db: float
    improvement_high_db: float


@dataclass(frozen=True)
class Trained:
    """All that a card says of the weights beside it.

    Parameters
    ----------
    training
        The run that they come from.
    training_command, full_training_command
        What repeats it, and what trains with the full budget.
    protocol, data, data_licence, attribution
        What they were trained on, under which licence, and whom to name.
    parity_mv
        Largest difference between graph and network when they were installed, mV.
    weights_sha256, onnx_sha256
        Fingerprints of the files.
    guard
        Limits of the guard; None where nobody has measured them.
    track_f
        Figures on unseen patients; None where nobody has measured them.
    """

    training: Training
    training_command: str
    full_training_command: str
    protocol: str
    data: str
    data_licence: str
    attribution: str
    parity_mv: float
    weights_sha256: str
    onnx_sha256: str
    guard: GuardLimits | None
    track_f: tuple[TrackFRow, ...] | None


def read_card(path: Path) -> Trained:
    """Read a card.

    Raises
    ------
    InputError
        If it is no JSON, lacks a field, has one that is unknown, or one of another type.
    """
    try:
        return read_record(Trained, json.loads(path.read_text(encoding="utf-8")), "the card")
    except ValueError as error:  # also what is no JSON, or no text
        raise InputError(f"model card {path} cannot be read: {error}") from error


def write_card(path: Path, trained: Trained) -> None:
    """Write a card as `read_card` takes it."""
    path.write_text(json.dumps(asdict(trained), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_record(kind: type[Record], found: object, where: str) -> Record:
    """Make a dataclass of JSON's objects, lists and values, fields within fields.

    Parameters
    ----------
    where
        What to call `found` in an error.

    Raises
    ------
    ValueError
        If a field is missing, unknown, or of another type.
    """
    return cast(Record, _read(kind, found, where))


def _read(kind: Any, found: object, where: str) -> object:
    if is_dataclass(kind):
        if not isinstance(found, dict):
            raise ValueError(f"{where} is {found!r}, not an object")
        kinds = get_type_hints(kind)
        known = [field.name for field in fields(kind)]
        for trouble, names in (
            ("lacks", [name for name in known if name not in found]),
            ("has the unknown field", [name for name in found if name not in known]),
        ):
            if names:
                raise ValueError(f"{where} {trouble} {', '.join(map(repr, names))}")
        make = cast(Callable[..., object], kind)
        return make(**{name: _read(kinds[name], found[name], f"{where}: {name}") for name in known})
    if get_origin(kind) is UnionType:
        (some,) = (each for each in get_args(kind) if each is not type(None))
        return None if found is None else _read(some, found, where)
    if get_origin(kind) is tuple and isinstance(found, list):
        return tuple(_read(get_args(kind)[0], each, f"{where} {i}") for i, each in enumerate(found))
    if get_origin(kind) is Mapping and isinstance(found, dict):
        return found
    if kind is float and isinstance(found, int) and not isinstance(found, bool):
        return float(found)
    # True is an int to Python alone.
    if kind in (str, int, float, bool) and type(found) is kind:
        return found
    raise ValueError(f"{where} is {found!r}, not {getattr(kind, '__name__', kind)}")
