"""Several streams in one run: their settings from what the user names, and opening them together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from streamer.errors import InputError
from streamer.open_source import check_source, is_played, never, open_source
from streamer.records.path import path_of
from streamer.settings import SourceSettings
from streamer.source import Source
from streamer.source_kind import Stopped

MOST = 128
"""Streams in one run: more than a core cleans in time."""


EVERY = "every ECG stream"


@dataclass(frozen=True)
class Absent:
    """A stream that was asked for and does not play, and why."""

    name: str
    why: str


def _name_list(option: str, text: str) -> tuple[str, ...]:
    """Names, comma-separated, each once.

    Raises
    ------
    InputError
        If one is empty or named twice.
    """
    names = tuple(name.strip() for name in text.split(","))
    twice = sorted({name for name in names if names.count(name) > 1})
    if "" in names:
        raise InputError(f"{option} {text!r} has an empty name; give names with a comma between them")
    if twice:
        raise InputError(f"{option} names {', '.join(twice)} twice; a stream can play once in a run")
    return names


def side_by_side(
    base: SourceSettings,
    records: str | None = None,
    stream_names: str | None = None,
    patients: int = 1,
    *,
    every_stream: bool = False,
) -> tuple[SourceSettings, ...]:
    """Settings of each stream that is to play.

    Parameters
    ----------
    base
        What all have in common.
    records, stream_names
        Names, comma-separated; None is the default record, and whatever `base` says of a stream.
    patients
        How many synthetic patients; their seeds begin with that of `base`.
    every_stream
        Take all ECG streams that are on the network now, or appear later.

    Raises
    ------
    InputError
        If the options contradict each other.
    """
    check_source(base)
    if patients > 1 and base.kind != "synthetic":
        raise InputError(f"--patients makes synthetic patients; it cannot go with a source of {base.kind}")
    if every_stream:
        if stream_names or base.lsl.source_id or base.kind != "lsl":
            raise InputError("--all-streams takes every ECG stream; leave --stream-name and the like out")
        return (replace(base, lsl=replace(base.lsl, every=True)),)
    if base.kind == "lsl" and stream_names:
        names = _name_list("--stream-name", stream_names)
        if len(names) > 1 and base.lsl.source_id:
            raise InputError("--source-id tells one stream; give it with one --stream-name")
        return tuple(replace(base, lsl=replace(base.lsl, stream_name=name)) for name in names)
    if base.name in ("replay", "file") and records is not None:
        # A file's name may have a comma.
        names = (records,) if Path(records).is_file() else _name_list("--record", records)
        return tuple(_of_record(base, name) for name in names)
    return tuple(replace(base, seed=base.seed + number) for number in range(patients))


def _of_record(base: SourceSettings, name: str) -> SourceSettings:
    """Settings of one record, of a database or a file; paths hold in whatever folder they are opened."""
    file = path_of(name)
    if file is None:
        return replace(base, record=name)
    kind = "file" if base.kind == "replay" and file.suffix.lower() != ".hea" else base.kind
    return replace(base, kind=kind, record=str(file))


def name_of(wanted: SourceSettings) -> str:
    """What a user calls what he asks for, before it is there."""
    if wanted.lsl.every:
        return EVERY
    if wanted.kind == "lsl":
        return wanted.lsl.stream_name or wanted.lsl.source_id or "the LSL stream"
    return wanted.name


def asked_for(wanted: Sequence[SourceSettings]) -> list[str]:
    """Names of all that a run is to play; of every ECG stream it is not known yet which those are."""
    every = any(settings.lsl.every for settings in wanted)
    # The LSL streams that stand beside every one were found by an engine that has died.
    return [name_of(each) for each in wanted if not every or each.lsl.every or each.kind != "lsl"]


def join_singly(wanted: Sequence[SourceSettings]) -> bool:
    """Whether the sources of a run are opened as they appear, and not all before it begins."""
    several = len(wanted) > 1 or any(settings.lsl.every for settings in wanted)
    return several and any(not is_played(settings) for settings in wanted)


def check_count(wanted: Sequence[SourceSettings]) -> None:
    """Raise `InputError` where there are too many streams for one run."""
    if len(wanted) > MOST:
        raise InputError(f"{len(wanted)} streams are too many for one run; allowed: up to {MOST}")


def open_sources(wanted: Sequence[SourceSettings], stopped: Stopped = never) -> list[Source]:
    """Open sources that are to play beside each other; see `streamer.open_source.open_source`.

    All of them, or none: several live streams, of which some may come later, are for `streamer.joining`.

    Raises
    ------
    InputError
        If one cannot be played, two are the same, or some play as fast as possible beside others that cannot.
    """
    check_count(wanted)
    # One after the other: records share the noise tapes, and only the first reads or fetches them.
    sources = [open_source(settings, stopped) for settings in wanted]
    check_together(sources)
    return sources


def check_together(sources: Sequence[Source]) -> None:
    """Raise `InputError` where sources cannot play in one run."""
    names = {source.info.source_id: source.info.name for source in sources}
    for source_id, name in names.items():
        if sum(source.info.source_id == source_id for source in sources) > 1:
            raise InputError(f"{name} is named twice; a stream can play once in a run")
    if len({source.speed == 0 for source in sources}) > 1:
        raise InputError(
            "--speed 0 plays as fast as possible, which a live stream cannot; leave it out, or the stream"
        )
