"""What the commands that time the engine share: what is timed, and what is said of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypedDict

import typer

from engine.commands.options import DEFAULT_MODEL, Hop, Lookahead, Model, Threads, lookahead_ms
from streamer.console.options import numbers
from streamer.console.output import check_writable, out, say
from streamer.errors import InputError

Picture = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw the figures here (.png, .pdf, .svg).")
]
Counts = Annotated[str, typer.Option("--streams", metavar="N,…", help="Numbers of streams in step.")]
_PICTURES = (".png", ".pdf", ".svg")


class TimedSettings(TypedDict):
    """What is timed, by the names of `engine.lab.profile.hops.ProfileSettings`."""

    model: str
    lookahead_ms: float
    hop_ms: float
    threads: int
    cpu_time: bool


@dataclass(frozen=True)
class Timed:
    """What is timed, and by which clock."""

    PANEL: ClassVar[str] = "Network"

    model: Model = DEFAULT_MODEL
    lookahead: Lookahead = None
    hop: Hop = 40.0
    threads: Threads = 1
    cpu_time: Annotated[
        bool, typer.Option("--cpu-time", help="Count CPU time, not wall time: for a busy machine.")
    ] = False

    @property
    def settings(self) -> TimedSettings:
        """These options as the settings of a profile take them."""
        return {
            "model": self.model,
            "lookahead_ms": lookahead_ms(self.lookahead, self.model),
            "hop_ms": self.hop,
            "threads": self.threads,
            "cpu_time": self.cpu_time,
        }


def counts_of(text: str) -> list[int]:
    """Numbers of streams, comma-separated; raises InputError where they are none."""
    return [round(number) for number in numbers("streams", text)]


def check_picture(file: Path | None) -> None:
    """Refuse a picture that cannot be written before the run, not after it.

    Raises
    ------
    InputError
        If there is a file, and it cannot be written, or is no picture by its ending.
    """
    check_writable(file)
    if file is not None and file.suffix.lower() not in _PICTURES:
        raise InputError(f"cannot draw {file}: a picture ends in {', '.join(_PICTURES)}")


def show_figures(figures: dict[str, Any], notes: Iterable[str]) -> None:
    """Print what the tables do not say, and warn where the machine was busy."""
    from engine.lab.profile.table import busy_warning

    for note in notes:
        out.print(note, markup=False, highlight=False)
    warning = busy_warning(figures)
    if warning:
        say(f"warning: {warning}")
