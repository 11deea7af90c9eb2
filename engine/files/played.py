"""Play a file of any format that `ecg-stream clean` reads: the source ``file``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.files.formats import FORMATS, open_file
from engine.files.leads import ecg_channels
from engine.files.opened import Opened, Stated, Told
from streamer.chunk import Annotation
from streamer.errors import InputError
from streamer.found import FoundSource, length_of
from streamer.records.path import path_of
from streamer.records.record import BEAT_SYMBOLS, WfdbRecord
from streamer.records.replay import RecordSignal
from streamer.settings import SourceSettings
from streamer.source_kind import PlayedKind
from streamer.units import millivolts_of

ENDINGS = tuple(ending for each in FORMATS for ending in each.endings)
"""Of the files that can be played."""
MOST_VALUES = 10**9
_OPTIONS = ("rate", "unit", "axis", "variable", "delimiter", "decimal", "time", "time-unit")


def open_played(settings: SourceSettings) -> tuple[Opened, list[int]]:
    """A file, open, and the places of the channels that are played.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be played.
    """
    file = path_of(settings.record)
    if file is None:
        raise InputError(
            f"source 'file' plays a file, and {settings.record!r} is none; name it with --record"
        )
    options = settings.options
    decimal = options.get("decimal", ".")
    stated = Stated(
        rate=settings.number("rate") if "rate" in options else None,
        unit=options.get("unit"),
        axis=round(settings.number("axis")) if "axis" in options else None,
        variable=options.get("variable"),
        delimiter=options.get("delimiter"),
        # A comma itself stands between options.
        decimal="," if decimal == "comma" else decimal,
        time=options.get("time"),
        time_unit=options.get("time-unit"),
    )
    try:
        opened = open_file(file, stated)
        places = ecg_channels(file, opened.channels, settings.leads or ())
    except InputError as error:
        if "state it" in str(error):
            raise InputError(f"{error}; where it is played: --source file:rate=250,unit=mV") from error
        raise
    rates = {(opened.channels[place].fs, opened.channels[place].samples) for place in places}
    if len(rates) > 1:
        told = ", ".join(
            f"{opened.channels[place].name} {opened.channels[place].fs:g} Hz" for place in places
        )
        raise InputError(f"{file} has leads of several rates or lengths: {told}; choose some with --leads")
    ((_, samples),) = rates
    if samples * len(places) > MOST_VALUES:
        raise InputError(
            f"{file} is too long to be played: {samples} samples of {len(places)} leads; choose some with "
            "--leads, or clean it with `ecg-stream clean`"
        )
    return opened, places


def _open(settings: SourceSettings) -> RecordSignal:
    """Read the leads of a file whole, in mV; a reference is known where this program adds the noise."""
    opened, places = open_played(settings)
    file = opened.files[0]
    channels = [opened.channels[place] for place in places]
    scale = np.array([[millivolts_of(channel.unit) or np.nan] for channel in channels])
    with opened:
        data = (opened.read(places, 0, channels[0].samples) * scale).astype(np.float32)
    names = tuple(channel.name for channel in channels)
    fs = channels[0].fs
    return RecordSignal(
        WfdbRecord(file.name, fs, names, data, _marks(opened.told(places[0]), fs)),
        f"{file.parent.name}/{file.name}",
        first=round(settings.start * fs),
        loop=settings.loop,
        keep_drift=settings.own_drift == "keep",
        has_reference=settings.noise != "none",
    )


def _marks(told: Sequence[Told], fs: float) -> tuple[Annotation, ...]:
    """What a file says of moments: a text that is WFDB's symbol of a beat is that beat, another a comment."""
    each = ((round(at_s * fs), text) for at_s, text in told)
    return tuple(
        Annotation(sample, text) if text in BEAT_SYMBOLS else Annotation(sample, '"', text)
        for sample, text in each
    )


def found_file(path: Path, base: SourceSettings, group: str = "Files") -> FoundSource:
    """A file as a start screen lists it; raises `InputError` where it cannot be played."""
    settings = replace(base, kind="file", record=str(path.absolute()), leads=None)
    opened, places = open_played(settings)
    channels = [opened.channels[place] for place in places]
    shown = ", ".join(channel.name for channel in channels[:3])
    if len(channels) > 3:
        shown += f" … {len(channels)} leads"
    detail = f"{shown} · {channels[0].fs:g} Hz · {length_of(channels[0].samples / channels[0].fs)}"
    return FoundSource(group, path.name, f"{detail} · in {path.absolute().parent}", settings)


SOURCE = PlayedKind("a file of EDF, CSV and others", _open, _OPTIONS)
