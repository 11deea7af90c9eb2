"""Clean one file: in blocks, into a folder of its own, which leaves for its place when it is whole."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.files.formats import open_file
from engine.files.inputs import Wanted
from engine.files.leads import called_ecg, ecg_channels, is_called_ecg
from engine.files.opened import Opened, Stated
from engine.files.verdicts import Span, Verdicts
from engine.in_process.arrays import BLOCK_S, Settings, system_for
from engine.in_process.denoiser import in_millivolts, scale_of
from engine.in_process.stages import Part, Stages
from streamer.console.installed import version_here
from streamer.errors import InputError, some
from streamer.records.record import LOWEST_HZ

SIDECAR = ".clean.json"
# Names of columns that tell when a sample was taken: a table's unit is stated for all columns.
_CLOCK = re.compile(
    r"(unnamed|index|samples?|time|times|timestamps?|stamps?|dates?|datetime|zeit|temps|t|s|ms|sec|seconds)"
    r"([ _:(\[].*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Request:
    """How every file is cleaned."""

    settings: Settings
    stated: Stated
    leads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Done:
    """What became of a file.

    Parameters
    ----------
    status
        ``cleaned``, ``whole`` (it was already) or ``refused``.
    said
        One line for the user, or nothing.
    signal_s
        Seconds of signal times channels that were cleaned.
    """

    file: Path
    status: str
    said: str = ""
    signal_s: float = 0.0
    bypassed: float = 0.0


def clean_file(wanted: Wanted, request: Request, report: Callable[[float], None]) -> Done:
    """Clean a file, or find that it is cleaned already.

    Parameters
    ----------
    report
        Called with the share that is done, 0 to 1.

    Raises
    ------
    InputError
        If it cannot be used, or something else stands in its place.
    """
    with open_file(wanted.file, request.stated) as opened:
        return _clean_opened(opened, wanted, request, report)


def _clean_opened(opened: Opened, wanted: Wanted, request: Request, report: Callable[[float], None]) -> Done:
    places = ecg_channels(wanted.file, opened.channels, request.leads)
    identity = _identity(opened, request, [opened.channels[place].name for place in places])
    sidecar = (
        wanted.folder / f"{wanted.file.stem if wanted.file.suffix == '.hea' else wanted.file.name}{SIDECAR}"
    )
    if _is_whole(sidecar, identity, wanted):
        return Done(wanted.file, "whole", f"{wanted.file}: is cleaned already, in {wanted.folder}")
    wanted.folder.mkdir(parents=True, exist_ok=True)
    building = wanted.folder / f".{sidecar.name}.partial"
    # What a run that was stopped left there is not whole.
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    try:
        opened.begin(building)
        spans, figures = _clean(opened, places, request, report)
        opened.finish(spans)
        made = sorted(building.iterdir())
        for file in made:
            _refuse_existing(wanted.folder / file.name, wanted)
        for file in made:
            os.rename(file, wanted.folder / file.name)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    bypassed = float(np.mean([figure["marks"]["bypassed"] for figure in figures.values()]))
    _write_sidecar(
        sidecar,
        {
            **identity,
            "files": [file.name for file in made],
            "bypassed": bypassed,
            "clipped": opened.clipped,
            "channels": figures,
            "untouched": [each.name for place, each in enumerate(opened.channels) if place not in places],
            "spans": [_told(span) for span in spans],
        },
    )
    seconds = sum(opened.channels[place].samples / opened.channels[place].fs for place in places)
    told = [] if request.leads else _left_out(opened, places)
    if opened.clipped:
        told.append(f"the nearest value stands for {opened.clipped} that the format cannot hold")
    said = f"{wanted.file}: {'; '.join(told)}" if told else ""
    return Done(wanted.file, "cleaned", said, seconds, bypassed)


def _left_out(opened: Opened, places: list[int]) -> list[str]:
    """Which channels may be an ECG, and were left as they are, and why."""
    from streamer.units import millivolts_of

    left = [channel for place, channel in enumerate(opened.channels) if place not in places]
    slow = [channel for channel in left if is_called_ecg(channel) and channel.fs < LOWEST_HZ]
    nameless = [
        channel.name
        for channel in left
        if channel.ecg is not False
        and millivolts_of(channel.unit) is not None
        and not _CLOCK.fullmatch(channel.name)
        and channel not in slow
    ]
    unitless = [
        channel.name
        for channel in left
        if is_called_ecg(channel) and channel not in slow and not channel.unit.strip()
    ]
    said = []
    if nameless:
        said.append(f"left as they are, not being called an ECG: {some(nameless)}; --leads takes them")
    if unitless:
        said.append(f"left as they are, having no unit: {some(unitless)}; --unit states it")
    if slow:
        names = some([channel.name for channel in slow])
        said.append(f"left as they are, having less than {LOWEST_HZ:g} Hz: {names}")
    if typed := [channel.name for channel in left if channel.ecg is False and called_ecg(channel.name)]:
        said.append(f"left as they are, being no ECG by their type: {some(typed)}")
    return said


def _identity(opened: Opened, request: Request, names: list[str]) -> dict[str, Any]:
    """What makes a cleaned file the one that is asked for."""
    digest = hashlib.sha256()
    for file in opened.files:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    system = system_for(request.settings)
    return {
        "input": {"name": opened.files[0].name, "sha256": digest.hexdigest()},
        "program": f"ecg-stream {version_here()}",
        "network": request.settings.model,
        "lookahead_ms": 1000 * system.config.lookahead / system.config.fs,
        "causal": request.settings.causal,
        "cleaned": names,
        "stated": asdict(request.stated),
    }


def _is_whole(sidecar: Path, identity: dict[str, Any], wanted: Wanted) -> bool:
    """Whether the cleaned file is there; raises InputError where another one is."""
    if not sidecar.is_file():
        _refuse_existing(wanted.folder / wanted.file.name, wanted)
        return False
    try:
        found = json.loads(sidecar.read_text(encoding="utf-8"))
        same = {key: found[key] for key in identity} == identity
        there = all((wanted.folder / name).is_file() for name in found["files"])
    except (ValueError, KeyError, TypeError):
        same = there = False
    if not (same and there):
        raise InputError(
            f"{wanted.file}: {sidecar} is of another run (input, settings, version), or its files are gone; "
            "nothing is overwritten: name another folder with -o, or move it away"
        )
    return True


def _refuse_existing(target: Path, wanted: Wanted) -> None:
    if target.exists():
        raise InputError(
            f"{wanted.file}: {target} is there already and is not overwritten; name another folder with -o"
        )


def _clean(
    opened: Opened, places: list[int], request: Request, report: Callable[[float], None]
) -> tuple[list[Span], dict[str, dict[str, Any]]]:
    """Clean channels, those of one rate together."""
    groups: dict[tuple[float, int], list[int]] = {}
    for place in places:
        channel = opened.channels[place]
        groups.setdefault((channel.fs, channel.samples), []).append(place)
    spans: list[Span] = []
    figures: dict[str, dict[str, Any]] = {}
    for number, ((fs, samples), group) in enumerate(groups.items()):
        verdicts = Verdicts(group, [opened.channels[place].name for place in group], fs)

        def part_done(share: float, number: int = number) -> None:
            report((number + share) / len(groups))

        _clean_group(opened, group, fs, samples, request.settings, verdicts, part_done)
        spans += verdicts.spans
        figures |= verdicts.figures
    return spans, {opened.channels[place].name: figures[opened.channels[place].name] for place in places}


def _clean_group(
    opened: Opened,
    places: list[int],
    fs: float,
    samples: int,
    settings: Settings,
    verdicts: Verdicts,
    report: Callable[[float], None],
) -> None:
    scale = np.array([[scale_of(opened.channels[place].unit)] for place in places])
    stages = Stages(fs, len(places), system_for(settings))
    at = 0

    def keep(part: Part) -> None:
        nonlocal at
        if part.data.shape[1]:
            opened.write(places, at, part.data / scale)
            verdicts.take(part)
            at += part.data.shape[1]

    block = max(1, round(BLOCK_S * fs))
    for start in range(0, samples, block):
        stop = min(start + block, samples)
        keep(stages.push(in_millivolts(opened.read(places, start, stop) * scale, 1.0)))
        report(stop / samples)
    keep(stages.end())


def _told(span: Span) -> dict[str, Any]:
    return {
        "channel": span.name,
        "from_s": span.start / span.fs,
        "to_s": span.stop / span.fs,
        "mark": span.mark.name.lower(),
        "reason": span.reason.text,
    }


def _write_sidecar(sidecar: Path, content: dict[str, Any]) -> None:
    """Write it at once: where it stands, the cleaned file is whole."""
    partial = sidecar.with_name(f".{sidecar.name}")
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, sidecar)
