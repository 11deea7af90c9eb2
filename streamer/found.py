"""Find the sources that a start screen offers."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs

from streamer.errors import InputError
from streamer.lsl.network import look_around
from streamer.plain import plain
from streamer.records.find import DATA_VARIABLE
from streamer.records.header import read_facts
from streamer.settings import SourceSettings
from streamer.source_kind import LiveKind

_NOT_ECG = ("nstdb",)


@dataclass(frozen=True)
class FoundSource:
    """One source: what a person calls it, what is known of it, and the settings that play it."""

    group: str
    title: str
    detail: str
    settings: SourceSettings


Finder = Callable[[], Iterable[FoundSource]]


def find_sources(finders: Iterable[Finder]) -> tuple[list[FoundSource], list[str]]:
    """Everything that the finders find, in their order, and what kept some of them from looking.

    One that fails, for whatever reason, takes nothing from the others.
    """
    found: list[FoundSource] = []
    problems: list[str] = []
    for finder in finders:
        try:
            found += finder()
        except Exception as error:  # noqa: BLE001 - told to a person, who can go on with what was found
            problems.append(str(error) or type(error).__name__)
    return found, problems


def synthetic_patients(base: SourceSettings) -> list[FoundSource]:
    """The synthetic patient in its rhythms.

    Parameters
    ----------
    base
        Settings that the source itself does not decide.
    """
    names = {"sinus": "sinus rhythm", "afib": "atrial fibrillation", "pvc": "ventricular ectopic beats"}
    return [
        FoundSource(
            "Synthetic patient",
            title,
            f"{base.heart_rate:g} bpm, made noise",
            replace(base, kind="synthetic", rhythm=rhythm, leads=None),
        )
        for rhythm, title in names.items()
    ]


def find_streams(base: SourceSettings) -> list[FoundSource]:
    """Streams of a regular rate that Lab Streaming Layer announces on the network now."""
    return [
        FoundSource(
            "Live (LSL)",
            stream.name,
            f"{stream.type or 'no type'} · {stream.channels} channels · {stream.fs:g} Hz · on {stream.host}",
            replace(
                base,
                kind="lsl",
                leads=None,
                # What only a signal that is played can do, and a live one refuses.
                noise=LiveKind.usual_noise,
                speed=1.0,
                loop=False,
                start=0.0,
                lsl=replace(
                    base.lsl,
                    # A screen shows that a stream is lost, and goes on when it returns.
                    wait=True,
                    stream_name=stream.name,
                    stream_type=stream.type or None,
                    source_id=stream.source_id or None,
                ),
            ),
        )
        for stream in look_around()
        if stream.fs > 0 and not stream.is_text
    ]


def find_records(base: SourceSettings) -> list[FoundSource]:
    """Records on disk, where `streamer.records.find` would look for them; noise tapes left out."""
    if base.data_dir is not None:
        folders = [base.data_dir]
    else:
        variable = os.environ.get(DATA_VARIABLE)
        folders = [Path(variable)] if variable else []
        folders.append(Path(platformdirs.user_cache_dir("ecg-stream")) / "physionet")
    found: dict[tuple[str, str], FoundSource] = {}
    for folder in folders:
        for database, header in _headers(folder):
            detail = _describe(header)
            if detail and database not in _NOT_ECG:
                settings = replace(base, kind="replay", database=database, record=header.stem, leads=None)
                title = f"{database}/{header.stem}"
                found.setdefault((database, header.stem), FoundSource("Records", title, detail, settings))
    return [found[key] for key in sorted(found, key=lambda key: (key[0], len(key[1]), key[1]))]


def found_in_file(path: Path, base: SourceSettings, group: str = "Files") -> FoundSource:
    """The record that a file belongs to.

    Parameters
    ----------
    path
        Header, signals or annotations of a WFDB record.
    base
        Settings that the file does not decide.
    group
        Under which it is listed.

    Raises
    ------
    InputError
        If it belongs to no record that can be played.
    """
    header = path.with_suffix(".hea")
    if path.is_dir() or not header.is_file():
        raise InputError(
            f"{path.name} is no ECG that can be opened; choose the header (.hea) of a WFDB record, with its "
            "signals beside it"
        )
    detail = _describe(header)
    if not detail:
        raise InputError(f"{header.name} names no signals, no rate or no length, and cannot be played")
    folder = header.absolute().parent
    settings = replace(base, kind="replay", record=str(header.absolute()), leads=None)
    return FoundSource(group, header.stem, f"{detail} · in {folder}", settings)


def _headers(folder: Path) -> Iterator[tuple[str, Path]]:
    """Headers in a folder, in the databases in it, and in their folder of data."""
    for header in folder.glob("*.hea"):
        yield folder.name, header
    for pattern in ("*/*.hea", "*/data/*.hea"):
        for header in folder.glob(pattern):
            yield header.relative_to(folder).parts[0], header


def _describe(header: Path) -> str:
    """Leads, rate and length from a WFDB header; empty where it is none that can be played."""
    try:
        facts = read_facts(header.with_suffix(""))
    except InputError:
        return ""
    if not facts.signals or not facts.fs > 0 or not facts.frames:
        return ""
    shown = ", ".join(plain(name) or "unnamed" for name in facts.signals[:3])
    if len(facts.signals) > 3:
        shown += f" … {len(facts.signals)} leads"
    return f"{shown} · {facts.fs:g} Hz · {length_of(facts.frames / facts.fs)}"


def length_of(seconds: float) -> str:
    """Seconds as a person says them."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
