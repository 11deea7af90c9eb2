"""`ecg-stream evaluate stress`: beats found in the Noise Stress Test records."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import Systems
from streamer.console.output import goes_on, progress, show_report
from streamer.console.panels import grouped


@grouped
def stress(
    systems: Systems,
    seconds: Annotated[
        float | None,
        typer.Option(min=1.0, metavar="S", help="Seconds of every record. [default: to the end]"),
    ] = None,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "out/evaluate-stress"
    ),
) -> None:
    """Count the beats that are found in the official Noise Stress Test records, raw and cleaned.

    Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.lab.evaluate.stress import StressSettings, evaluate_stress
    from engine.lab.evaluate.tables import write_stress

    with goes_on(folder):
        settings = StressSettings(**systems.streamed, seconds=seconds)
        with progress() as show:
            rows = evaluate_stress(settings, folder, show)
        write_stress(rows, settings, folder)
    show_report(folder)
