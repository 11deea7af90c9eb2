"""One browser: what it has asked to see, and what it has been sent."""

import json
from collections.abc import Sequence
from typing import Any

from ward.bed import Bed
from ward.beds import Beds
from ward.station.frames import MOST_SAMPLES, Kind, event_of, state_of, traces_frame

LONGEST_S = 2.0
"""Of a trace in one frame: who is further behind goes on from there."""
MOST_SHOWN = 1024
LONGEST_MESSAGE = 16_384


class Misspoken(Exception):
    """A browser has sent what no page of ours sends."""


class Viewer:
    """Makes what a browser gets next. It takes the newest: one that reads slowly misses what is between.

    Parameters
    ----------
    beds
        The ward.
    """

    def __init__(self, beds: Beds) -> None:
        self._beds = beds
        self._shown: list[int] = []
        self._sent: dict[int, int] = {}
        self._event = -1
        self._reviews: list[tuple[int, int, int]] = []

    def hear(self, text: str) -> None:
        """Take a message: ``{"show": [0, 3]}`` or ``{"review": {"bed": 3, "from": 0, "to": 5000}}``.

        Raises
        ------
        Misspoken
            If it is no such.
        """
        try:
            said = json.loads(text)
            if set(said) == {"show"}:
                self._show([_whole(number) for number in _list(said["show"])])
            elif set(said) == {"review"}:
                wanted = said["review"]
                bed, first, stop = (_whole(wanted[name]) for name in ("bed", "from", "to"))
                self._reviews = [(bed, first, min(stop, first + MOST_SAMPLES))]
            else:
                raise Misspoken("neither show nor review")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Misspoken(f"not understood: {type(error).__name__}") from None

    def _show(self, numbers: Sequence[int]) -> None:
        self._shown = sorted(set(numbers))
        self._sent = {number: at for number, at in self._sent.items() if number in self._shown}

    def states(self) -> str:
        """How every bed is doing, and events since the last time, as JSON."""
        events = self._beds.events(self._event)
        if events:
            self._event = events[-1].number
        said: dict[str, Any] = {
            "beds": [state_of(bed) for bed in list(self._beds.all)],
            "events": [event_of(event) for event in events],
        }
        return json.dumps(said, allow_nan=False)

    def newest(self) -> bytes | None:
        """Frame of what is new of the beds shown; None where nothing is."""
        traces = []
        beds = self._beds.all
        for number in self._shown:
            if number >= len(beds):
                continue
            bed = beds[number]
            least = bed.newest - int(LONGEST_S * bed.shown_hz)
            trace = bed.read(max(self._sent.get(number, least), least), bed.newest)
            if len(trace.raw):
                self._sent[number] = trace.first + len(trace.raw)
                traces.append((bed, trace))
        return traces_frame(Kind.NEWEST, traces) if traces else None

    def review(self) -> bytes | None:
        """Frame of the stretch that was asked for last, once; None where none was."""
        if not self._reviews:
            return None
        number, first, stop = self._reviews.pop()
        traces: list[tuple[Bed, Any]] = []
        if number < len(self._beds.all):
            bed = self._beds.all[number]
            traces.append((bed, bed.read(first, stop)))
        return traces_frame(Kind.REVIEW, traces)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_SHOWN:
        raise Misspoken(f"show takes a list of up to {MOST_SHOWN} numbers")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise Misspoken("a number is whole and not negative")
    return value
