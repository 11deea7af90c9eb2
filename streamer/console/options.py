"""Options of a signal that several commands take, and lists in one option.

What they name stands here in words, for the registries take numpy to import, and `--help` shall come
at once; a test compares the two.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from streamer.errors import InputError
from streamer.records.find import DATA_VARIABLE

DEVICES_HELP = "smooth, polar-h10, jittery, dropping"
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="Folder of mitdb/, nstdb/, … or of a record; no other is searched. [default: "
        f"${DATA_VARIABLE}, the cache, PhysioNet]",
    ),
]
Database = Annotated[str, typer.Option(metavar="NAME", help="PhysioNet database of the record.")]
Leads = Annotated[str | None, typer.Option(metavar="NAMES", help="Leads by name: MLII,V1. [default: all]")]
Start = Annotated[float, typer.Option(metavar="S", help="Second of the record to begin at.")]
Loop = Annotated[bool, typer.Option("--loop", help="Begin again when the record ends.")]
Rhythm = Annotated[
    str, typer.Option(metavar="NAME", help="Rhythm of the synthetic patient: sinus, afib, pvc.")
]
HeartRate = Annotated[float, typer.Option(metavar="BPM", help="Its heart rate.")]
Snr = Annotated[float, typer.Option(metavar="DB", help="SNR that the noise is scaled to.")]


def is_given(context: typer.Context, name: str) -> bool:
    """Whether an option was chosen, be it its default value: on the command line or beside it."""
    origin = context.get_parameter_source(name)
    return origin is not None and origin.name in ("COMMANDLINE", "ENVIRONMENT", "DEFAULT_MAP")


def words(text: str) -> list[str]:
    """Parts of a comma-separated option."""
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(option: str, text: str) -> list[float]:
    """Numbers of a comma-separated option.

    Raises
    ------
    InputError
        If one is no number.
    """
    try:
        return [float(part) for part in words(text)]
    except ValueError:
        raise InputError(f"--{option} {text!r} is no list of numbers such as 0,4,12") from None


def literal(text: str) -> Any:
    """Text where a Literal is expected: the settings themselves refuse what is not allowed."""
    return text
