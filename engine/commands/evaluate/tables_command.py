"""`ecg-stream evaluate tables`: the tables of results that are there."""

from pathlib import Path
from typing import Annotated

import typer

from streamer.console.output import out, say


def tables(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of results, such as docs/results.")],
) -> None:
    """Print the tables of a folder of results; nothing is computed."""
    from engine.lab.evaluate.tables import tables as text_of

    say(text_of(folder).removesuffix("\n"), out)
