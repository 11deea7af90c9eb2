"""Options of a signal that several commands take, and lists in one option."""

from pathlib import Path
from typing import Annotated, Any

import typer

from streamer.errors import InputError
from streamer.records.find import DATA_VARIABLE

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder that holds mitdb/, nstdb/, … or a record itself. Only this folder is searched. "
        f"Without it: the folder that {DATA_VARIABLE} names, then the cache, then PhysioNet.",
    ),
]
Database = Annotated[str, typer.Option(help="PhysioNet database of the record.")]
Start = Annotated[float, typer.Option(help="Second of the record to begin at.")]
Loop = Annotated[bool, typer.Option("--loop", help="Begin again when the record ends.")]
Rhythm = Annotated[str, typer.Option(help="Rhythm of the synthetic patient: sinus, afib, pvc.")]
HeartRate = Annotated[float, typer.Option(help="Its heart rate in bpm.")]
Snr = Annotated[float, typer.Option(help="SNR in dB that the noise is scaled to.")]


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
