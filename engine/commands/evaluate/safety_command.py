"""`ecg-stream evaluate safety`: beats invented, erased and bent."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import Systems
from streamer.console.output import goes_on, progress, show_report
from streamer.console.panels import grouped


@grouped
def safety(
    systems: Systems,
    seconds: Annotated[float, typer.Option(min=1.0, metavar="S", help="Seconds of every noise.")] = 3600.0,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "out/evaluate-safety"
    ),
) -> None:
    """Count the beats that networks invent, erase and bend, with the guard off and on.

    Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.lab.safety.report import write_safety
    from engine.lab.safety.track import SafetySettings, evaluate_safety

    with goes_on(folder):
        settings = SafetySettings(**systems.streamed, seconds=seconds)
        with progress() as show:
            rows = evaluate_safety(settings, folder, show)
        write_safety(rows, settings, folder)
    show_report(folder)
