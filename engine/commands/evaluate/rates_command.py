"""`ecg-stream evaluate rates`: heart rates that are shown where no heart beats."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import Systems
from streamer.console.output import goes_on, progress, show_report
from streamer.console.panels import grouped


@grouped
def rates(
    systems: Systems,
    windows: Annotated[int, typer.Option(min=1, metavar="N", help="Windows in all, at least.")] = 10_000,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "out/evaluate-rates"
    ),
) -> None:
    """Count the windows without a heart beat in which a heart rate would be shown.

    They hold asystole, P waves alone, noise, pacing without capture, and electrosurgery.
    Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.lab.safety.shown_rates import RateSettings, evaluate_rates, write_rates

    with goes_on(folder):
        settings = RateSettings(**systems.streamed, windows=windows)
        with progress() as show:
            rows = evaluate_rates(settings, folder, show)
        write_rates(rows, settings, folder)
    show_report(folder)
