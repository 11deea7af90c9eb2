"""A log in which every line is an object of JSON, for whoever collects logs."""

import io
import json
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO


class JsonLines(io.TextIOBase):
    """Writes events as lines, and makes a ``note`` of every line of text that is written to it.

    Parameters
    ----------
    target
        Where the lines go; None is this program's standard error, whatever that is by then.
    safe, safe_failure
        Applied to the text of notes, and of what ends the program.
    """

    def __init__(
        self,
        target: TextIO | None = None,
        safe: Callable[[str], str] = str,
        safe_failure: Callable[[str], str] = str,
    ) -> None:
        self._target, self._safe, self._safe_failure = target, safe, safe_failure
        self._waiting = ""

    def event(self, level: str, event: str, **fields: Any) -> None:
        """Write one event; its time is UTC, to the millisecond."""
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
        line = json.dumps({"time": stamp, "level": level, "event": event, **fields}, allow_nan=False)
        target = self._target or sys.stderr
        target.write(line + "\n")
        target.flush()

    def failure(self, text: str) -> None:
        """Write what ends the program."""
        self.event("error", "failed", why=self._safe_failure(text))

    def write(self, text: str) -> int:
        """Take text as a console prints it."""
        *lines, self._waiting = (self._waiting + text).split("\n")
        for line in lines:
            if line.strip():
                self.event("info", "note", text=self._safe(line.strip()))
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True
