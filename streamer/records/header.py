"""Check a WFDB header before it is read: the files that it names, and the sizes that it states."""

import re
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import InputError

MOST_SIGNALS, MOST_SEGMENTS = 1024, 100_000
MOST_VALUES = 10**9
"""Values of all signals together: a day of twelve leads at 500 Hz is half of it."""
MOST_SKEW = 10_000

_RECORD = re.compile(
    r"[ \t]*(?P<name>[-\w]+)(?:/(?P<segments>\d+))?[ \t]+(?P<signals>\d+)"
    r"(?:[ \t]+(?P<rate>[^ \t]+)(?:[ \t]+(?P<samples>\d+)(?:[ \t]+(?P<when>.*))?)?)?[ \t]*"
)
_NAME = re.compile(r"[-\w]+")
_WHEN = re.compile(r"\d{1,2}(:\d{1,2}){0,2}(\.\d{1,6})?([ \t]+\d{1,2}/\d{1,2}/\d{1,4})?([ \t].*)?|")
_SIGNAL = re.compile(
    r"[ \t]*(?P<file>[^ \t]+)[ \t]+\d+(?:x(?P<frame>\d+))?(?::(?P<skew>\d+))?(?:\+\d+)?(?:[ \t(/].*)?"
)
_SEGMENT = re.compile(r"[ \t]*(?P<name>[^ \t]+)[ \t]+(?P<samples>\d+)[ \t]*")
_FILE_NAME = re.compile(r"~|[A-Za-z0-9_-]{1,120}(\.[A-Za-z0-9_]{1,20})?")


# Bytes of a sample by format, as header(5) and signal(5) have them.
_BYTES = {
    "8": 1,
    "16": 2,
    "24": 3,
    "32": 4,
    "61": 2,
    "80": 1,
    "160": 2,
    "212": 1.5,
    "310": 4 / 3,
    "311": 4 / 3,
}


@dataclass(frozen=True)
class HeaderFacts:
    """What a header says of its record: names of its signals, frames a second, and how many frames."""

    signals: tuple[str, ...]
    fs: float
    frames: int


def read_facts(path: Path) -> HeaderFacts:
    """Read a header (path without extension) without its signals.

    Raises
    ------
    InputError
        If it is unsafe to follow, or does not say enough to play the record.
    """
    check_header(path)
    lines = _lines(path)
    record = _record_line(lines[0], path)
    signals = lines[1 : 1 + _number(record["signals"])]
    frames = _number(record["samples"])
    if record["segments"]:
        parts = [line.split()[0] for line in lines[1 : 1 + _number(record["segments"])]]
        first = next((name for name in parts if path.with_name(f"{name}.hea").is_file()), None)
        if first is None:
            raise InputError(f"record {path} has no segment that is there")
        names = read_facts(path.with_name(first)).signals
    else:
        names = tuple((line.split(maxsplit=8) + [""] * 8)[8].strip() for line in signals)
        frames = frames or _frames_in_file(path, signals)
    try:
        fs = float((record["rate"] or "250").partition("/")[0].partition("(")[0])
    except ValueError as error:
        raise InputError(f"record {path} has a rate that is no number") from error
    return HeaderFacts(names, fs, frames)


def segments_of(path: Path) -> set[str]:
    """Names of the segments, and of the layout, of which a record (path without extension) is made.

    None where it is of one piece, or its header is none.
    """
    lines = _lines(path)
    record = _RECORD.fullmatch(lines[0]) if lines else None
    segments = _number(record["segments"]) if record else 0
    return {line.split()[0] for line in lines[1 : 1 + segments]}


def _frames_in_file(path: Path, signals: list[str]) -> int:
    """Frames that the first signal file has room for; 0 where that cannot be told."""
    lines = [line.split() for line in signals]
    files = {words[0] for words in lines}
    size = 0.0
    for words in lines:
        layout = re.match(r"(\d+)(?:x(\d+))?", words[1])
        if layout is None or layout[1] not in _BYTES or len(files) > 1:
            return 0
        size += _BYTES[layout[1]] * _number(layout[2] or "1")
    file = path.with_name(lines[0][0]) if lines else path
    return int(file.stat().st_size / size) if file.is_file() else 0


def check_header(path: Path) -> None:
    """Refuse a record (path without extension) whose header is unsafe to follow.

    The format is that of ``header(5)`` of the WFDB Applications Guide. What is refused: files
    outside the record's folder, segments that are themselves made of segments, and sizes that
    would fill any memory before the first sample is read.

    Raises
    ------
    InputError
        If that is so, or the header cannot be read.
    """
    for name in _check(path, inner=False):
        if path.with_name(f"{name}.hea").is_file():
            _check(path.with_name(name), inner=True)


def _check(path: Path, *, inner: bool) -> set[str]:
    """Check one header; returns the names of its segments."""
    lines = _lines(path)
    record = _record_line(lines[0] if lines else "", path)
    if "e" in (record["rate"] or "").lower():
        raise InputError(
            f"record {path} has the rate {_short(record['rate'])}, of which wfdb takes what is before the e; "
            "write it without an exponent in its header"
        )
    samples = _number(record["samples"])
    signals, segments = _number(record["signals"]), _number(record["segments"])
    _limit(path, "signals", signals, MOST_SIGNALS)
    _limit(path, "segments", segments, MOST_SEGMENTS)
    if segments:
        if inner:
            raise InputError(f"record {path} cannot be read as WFDB: a segment is made of segments again")
        _limit(path, "values", samples * signals, MOST_VALUES)
        found = [_match(_SEGMENT, line, path) for line in lines[1 : 1 + segments]]
        _limit(path, "values", sum(_number(each["samples"]) for each in found) * signals, MOST_VALUES)
        names = {each["name"] for each in found if each["name"] != "~"}
    else:
        found = [_match(_SIGNAL, line, path) for line in lines[1 : 1 + signals]]
        frame = sum(max(1, _number(each["frame"])) for each in found)
        skew = max((_number(each["skew"]) for each in found), default=0)
        _limit(path, "values", samples * frame, MOST_VALUES)
        _limit(path, "samples of skew", skew, MOST_SKEW)
        _limit(path, "values in a frame", frame, MOST_VALUES // 1000)
        names = {each["file"] for each in found}
    for name in names:
        if not _FILE_NAME.fullmatch(name):
            raise InputError(
                f"record {path} names the file {_short(name)}; a record's files lie beside its header, and "
                "their names are letters, digits, '-' and '_' with one ending: rename it, in the header too"
            )
    return names if segments else set()


def _record_line(line: str, path: Path) -> re.Match[str]:
    record = _RECORD.fullmatch(line)
    if record and _WHEN.fullmatch((record["when"] or "").strip()):
        return record
    if not line:
        raise InputError(f"record {path} cannot be read as WFDB: its header has no line of the record")
    name = line.split()[0].partition("/")[0]
    if record:
        wrong = f"has {_short(record['when'])} for its time and date"
    elif not _NAME.fullmatch(name):
        wrong = f"names it {_short(name)} (letters, digits, '-' and '_' are allowed)"
    else:
        wrong = f"is {_short(line)}"
    raise InputError(
        f"record {path} cannot be read as WFDB: its record line {wrong}; a record line is: name, number of "
        "signals, rate, number of samples and, if at all, hh:mm:ss and dd/mm/yyyy"
    )


def _lines(path: Path) -> list[str]:
    """Lines that are not comments; what is not ASCII is dropped, as the reader does."""
    try:
        text = path.with_name(path.name + ".hea").read_bytes().decode("ascii", errors="ignore")
    except OSError as error:
        raise InputError(f"record {path} cannot be read as WFDB: {error.strerror}") from error
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _match(pattern: re.Pattern[str], line: str, path: Path) -> re.Match[str]:
    match = pattern.fullmatch(line)
    if match is None:
        raise InputError(f"record {path} cannot be read as WFDB: its header has the line {_short(line)}")
    return match


def _number(digits: str | None) -> int:
    # More digits than any limit has: no need to read them all.
    return int((digits or "0")[:24])


def _limit(path: Path, what: str, found: int, most: int) -> None:
    if found > most:
        raise InputError(f"record {path} promises {found} {what}; allowed: up to {most}")


def _short(text: str) -> str:
    return repr(text[:60])
