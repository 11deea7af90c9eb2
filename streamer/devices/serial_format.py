"""From the bytes of a serial port to samples: lines of numbers, or frames of a stated layout."""

import functools
import operator
import re
import struct
from collections import Counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

ENDLESS = 1 << 53
"""Where a count of which nothing is stated begins anew."""
LONGEST_LINE = 4096
"""Bytes without an end of a line that are no text any more."""
_BETWEEN = re.compile(r"[,;\s]+")
_CHECKS = {
    "sum8": lambda body: sum(body) & 0xFF,
    "xor8": lambda body: functools.reduce(operator.xor, body, 0),
}
_WIDTHS = {"B": 8, "H": 16, "I": 32, "L": 32, "Q": 53, "b": 8, "h": 16, "i": 32, "l": 32, "q": 53}
_KINDS = "bBhHiIlLqQfd"


class Format(Protocol):
    """Takes bytes as they come, and hands out what is whole."""

    @property
    def modulo(self) -> int:
        """Where a count in it begins anew, if nothing else is stated."""
        ...

    @property
    def unread(self) -> str:
        """What could not be read last, for a message."""
        ...

    def feed(self, data: bytes) -> list[list[float] | None]:
        """Values of each sample; None for one that came and cannot be read."""
        ...

    def restart(self) -> None:
        """Expect the middle of something: what comes next is another connection."""
        ...


class TextFormat:
    """A line for each sample: numbers between commas, semicolons or white space.

    Lines of another number of values than most are not read, for a line that lost its end may look whole.
    Empty lines, and those without any digit or behind ``#``, are no samples. The first line of a
    connection may be half of one.

    Parameters
    ----------
    needed
        How many values a line has at least.
    """

    modulo = ENDLESS

    def __init__(self, needed: int) -> None:
        self._needed = needed
        self._widths: Counter[int] = Counter()
        self.unread = ""
        self.restart()

    def restart(self) -> None:
        """Leave out what comes before the first end of a line."""
        self._rest, self._within = b"", True

    def feed(self, data: bytes) -> list[list[float] | None]:
        """Values of each whole line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines and self._within:
            lines, self._within = lines[1:], False
        if len(self._rest) > LONGEST_LINE:
            self.unread, self._rest, self._within = _shown(self._rest), b"", True
            return [None]
        read = (self._line(line) for line in lines)
        return [values for values in read if values != []]

    def _line(self, line: bytes) -> list[float] | None:
        """Values of a line; empty where it is no sample."""
        text = line.decode("ascii", "replace").strip()
        if text.startswith("#") or not any(letter.isdigit() for letter in text):
            if not text or text.startswith("#") or text.isascii():
                return []
        try:
            values = [float(word) for word in _BETWEEN.split(text)]
        except ValueError:
            values = []
        if len(values) >= self._needed:
            self._widths[len(values)] += 1
            if len(values) == self._widths.most_common(1)[0][0]:
                return values
        self.unread = _shown(line)
        return None


class FrameFormat:
    """A frame for each sample, as a user states it: ``A55A <Hhh sum8``.

    A frame out of step is believed where the next one begins behind it, or where its check is right.

    Parameters
    ----------
    text
        The bytes that a frame begins with, in hexadecimal; its values, as Python's `struct` writes them; and
        ``sum8`` or ``xor8`` where a byte behind the values is the sum, modulo 256, or the exclusive or of
        their bytes.
    counter
        Which of the values counts, from 0; None for none.

    Raises
    ------
    InputError
        If it is not understood.
    """

    def __init__(self, text: str, counter: int | None) -> None:
        words = text.split()
        try:
            begin, layout, *check = words
            self._begin = bytes.fromhex(begin)
            self._values = struct.Struct(layout if layout[0] in "<>=!" else f"<{layout}")
            kinds = "".join(kind * int(times or 1) for times, kind in re.findall(r"(\d*)([a-zA-Z?])", layout))
        except (ValueError, struct.error):
            raise InputError(_why_not_understood(text)) from None
        if not self._begin or not set(kinds) <= set(_KINDS) or check not in ([], ["sum8"], ["xor8"]):
            raise InputError(_why_not_understood(text))
        self.values = len(kinds)
        self._check = _CHECKS[check[0]] if check else None
        self._body = len(self._begin) + self._values.size
        self._length = self._body + (self._check is not None)
        self.modulo = ENDLESS
        if counter is not None and counter < self.values:
            if kinds[counter] not in _WIDTHS:
                raise InputError(
                    f"value {counter + 1} of --format {text!r} is no whole number: it cannot count"
                )
            self.modulo = 1 << _WIDTHS[kinds[counter]]
        self.unread = ""
        self.restart()

    def restart(self) -> None:
        """Look for the beginning of a frame."""
        self._rest, self._in_step, self._skipped = b"", False, 0
        self._first = True

    def feed(self, data: bytes) -> list[list[float] | None]:
        """Values of each whole frame."""
        self._rest += data
        samples: list[list[float] | None] = []
        at = 0
        while len(self._rest) - at >= self._length:
            whole = self._whole(at)
            if whole is None:
                break
            if whole:
                samples += self._missed()
                frame = self._rest[at + len(self._begin) : at + self._body]
                samples.append([float(value) for value in self._values.unpack(frame)])
                at += self._length
                continue
            self.unread = _shown(self._rest[at : at + self._length].hex().encode())
            self._in_step = False
            found = self._rest.find(self._begin, at + 1)
            # The beginning of a beginning may stand at the very end.
            to = found if found >= 0 else len(self._rest) - len(self._begin) + 1
            self._skipped += to - at
            at = to
            if self._skipped >= LONGEST_LINE:
                samples += self._missed()
        self._rest = self._rest[at:]
        return samples

    def _missed(self) -> list[None]:
        """What was skipped, as frames that cannot be read; before the first one it is nothing."""
        count = 0 if self._first else round(self._skipped / self._length)
        self._skipped, self._first, self._in_step = 0, False, True
        return [None] * count

    def _whole(self, at: int) -> bool | None:
        """Whether a frame begins here; None where more must come before that can be said."""
        frame = self._rest[at : at + self._length]
        if not frame.startswith(self._begin):
            return False
        if self._check is not None:
            return self._check(frame[len(self._begin) : self._body]) == frame[-1]
        if self._in_step:
            return True
        behind = self._rest[at + self._length : at + self._length + len(self._begin)]
        return None if len(behind) < len(self._begin) else behind == self._begin


def _shown(data: bytes) -> str:
    return repr(data[:40].decode("ascii", "replace"))


def _why_not_understood(text: str) -> str:
    return (
        f"--format {text!r} is not understood; it is text, or the first bytes of a frame, its values as "
        "Python's struct writes them, and sum8 or xor8 if it has such a check: 'A55A <Hhh sum8'"
    )


def as_rows(samples: list[list[float] | None], columns: tuple[int, ...]) -> NDArray[np.float64]:
    """Values of samples, shape (samples, columns); NaN where one cannot be read, or is infinite."""
    rows = np.full((len(samples), len(columns)), np.nan)
    for row, values in zip(rows, samples, strict=True):
        if values is not None:
            row[:] = [values[column] for column in columns]
    return np.where(np.isfinite(rows), rows, np.nan)
