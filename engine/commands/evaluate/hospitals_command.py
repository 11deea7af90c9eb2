"""`ecg-stream evaluate hospitals`: what cleaning does to ECG that is clean."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import Systems
from streamer.console.output import goes_on, progress, show_report
from streamer.console.panels import grouped


@grouped
def hospitals(
    systems: Systems,
    patients: Annotated[
        Path | None,
        typer.Option(
            "--patients",
            metavar="DIR",
            help="Folder of patients. [default: $ECG_STREAM_PATIENTS]",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "out/evaluate-hospitals"
    ),
) -> None:
    """Do no harm: clean ECG of hospitals that nobody trained on must not leave worse than it came.

    Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.lab.evaluate.hospitals import HospitalSettings, evaluate_hospitals
    from engine.lab.evaluate.tables import write_hospitals

    with goes_on(folder):
        settings = HospitalSettings(**systems.streamed, patients=patients)
        with progress() as show:
            rows = evaluate_hospitals(settings, folder, show)
        write_hospitals(rows, settings, folder)
    show_report(folder)
