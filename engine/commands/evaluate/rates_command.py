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
    windows: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Windows without a heart beat, at least; 0: patients alone."),
    ] = 10_000,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "out/evaluate-rates"
    ),
) -> None:
    """Count the windows without a heart beat in which a heart rate would be shown, and patients' right ones.

    They hold asystole, P waves alone, noise, pacing without capture, and electrosurgery. Of patients that no
    network saw, clean and with electrode motion, rates are right, wrong or withheld.
    Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.lab.safety.shown_rates import RateSettings, evaluate_patients, evaluate_rates, write_rates

    with goes_on(folder):
        settings = RateSettings(**systems.streamed, windows=windows)
        with progress() as show:
            rows = evaluate_rates(settings, folder, show)
            patients = evaluate_patients(settings, folder, show)
        write_rates(rows, patients, settings, folder)
    show_report(folder)
