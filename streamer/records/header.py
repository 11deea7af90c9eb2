"""Look at a WFDB header before a reader believes it: where it leads, and how much it promises."""

import re
from pathlib import Path

from streamer.errors import InputError

MOST_SIGNALS, MOST_SEGMENTS = 1024, 100_000
MOST_VALUES = 10**9
"""Values of all signals together: a day of twelve leads at 500 Hz is half of it."""
MOST_SKEW = 10_000

_RECORD = re.compile(
    r"[ \t]*(?P<name>[-\w]+)(?:/(?P<segments>\d+))?[ \t]+(?P<signals>\d+)"
    r"(?:[ \t]+(?P<rate>[^ \t]+)(?:[ \t]+(?P<samples>\d+))?)?(?:[ \t].*)?"
)
_SIGNAL = re.compile(
    r"[ \t]*(?P<file>[^ \t]+)[ \t]+\d+(?:x(?P<frame>\d+))?(?::(?P<skew>\d+))?(?:\+\d+)?(?:[ \t(/].*)?"
)
_SEGMENT = re.compile(r"[ \t]*(?P<name>[^ \t]+)[ \t]+(?P<samples>\d+)[ \t]*")
_FILE_NAME = re.compile(r"~|[A-Za-z0-9_-]{1,120}(\.[A-Za-z0-9_]{1,20})?")


def check_header(path: Path) -> None:
    """Refuse a record (path without extension) whose header no reader should follow.

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
    record = _RECORD.fullmatch(lines[0]) if lines else None
    if record is None:
        raise InputError(f"record {path} cannot be read as WFDB: its header has no line of the record")
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
                f"record {path} names the file {_short(name)}; a record's files lie beside its header"
            )
    return names if segments else set()


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
