"""From what the user asked for to a source that is ready to play.

A new source is a file that defines a `PlayedKind` or a `LiveKind` of the name ``SOURCE``, and a line in
`streamer.sources.SOURCES`.
"""

from dataclasses import replace
from importlib import import_module

from streamer.errors import InputError
from streamer.faults.schedule import parse_faults
from streamer.faults.source import FaultySource
from streamer.settings import SourceSettings
from streamer.source import Player, Signal, Source
from streamer.source_kind import PlayedKind, SourceKind, Stopped
from streamer.sources import SOURCES


def never() -> bool:
    """Wait without end."""
    return False


def kind_of(kind: str) -> SourceKind:
    """How sources of a kind are checked and opened.

    Parameters
    ----------
    kind
        As `SourceSettings.kind`, with its options or without.

    Raises
    ------
    InputError
        If the table has none of that name.
    """
    name = kind.partition(":")[0]
    if name not in SOURCES:
        allowed = ", ".join(f"{each} ({_load(each).what})" for each in SOURCES)
        raise InputError(f"source {name!r} is unknown; allowed: {allowed}")
    return _load(name)


def _load(name: str) -> SourceKind:
    kind: SourceKind = import_module(SOURCES[name]).SOURCE
    return kind


def is_played(settings: SourceSettings) -> bool:
    """Whether it is a signal that is played, with noise and pauses, and not a live one."""
    return kind_of(settings.kind).played


def check_source(settings: SourceSettings) -> SourceKind:
    """The kind that is meant, once it is sure that it can be opened like this.

    Raises
    ------
    InputError
        If there is no such kind, it cannot be had on this machine, or it takes no such options.
    """
    kind = kind_of(settings.kind)
    reason = kind.why_not()
    if reason is not None:
        raise InputError(f"source {settings.name!r} cannot be used: {reason}")
    for option in settings.options:
        if option not in kind.options:
            allowed = ", ".join(kind.options) or "none"
            raise InputError(f"source {settings.name!r} has no option {option!r}; allowed: {allowed}")
    kind.check(settings)
    return kind


def open_source(settings: SourceSettings, stopped: Stopped = never) -> Source:
    """Find, load and calibrate; raises `InputError` where what was asked for cannot be played.

    Finding a live stream may take as long as its sender does to appear; `stopped` is asked
    meanwhile, and ends it with KeyboardInterrupt.
    """
    return with_faults(check_source(settings).open(settings, stopped), settings)


def with_faults(source: Source, settings: SourceSettings) -> Source:
    """A source with the faults that were asked for, if any."""
    faults = replace(parse_faults(settings.faults), stream=source.info.source_id)
    return FaultySource(source, faults) if faults.kinds else source


def open_signal(settings: SourceSettings) -> Signal:
    """The record or the patient, without noise."""
    return _played(settings).open_signal(settings)


def play(signal: Signal, settings: SourceSettings) -> Player:
    """A signal with noise whose SNR holds over the stretch that is played.

    Records get NSTDB noise, the synthetic patient gets noise that is as synthetic as itself.
    """
    return _played(settings).play(signal, settings)


def _played(settings: SourceSettings) -> PlayedKind:
    kind = check_source(settings)
    if not isinstance(kind, PlayedKind):
        raise InputError(f"source {settings.name!r} is live; only a signal that is played can be read ahead")
    return kind
