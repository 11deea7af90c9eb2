"""`ecg-stream evaluate qtdb`: the literature's bench of baseline wander."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import Systems
from streamer.console.output import goes_on, progress, show_report
from streamer.console.panels import grouped


@grouped
def qtdb(
    systems: Systems,
    seconds: Annotated[float, typer.Option(min=1.0, metavar="S", help="Seconds of every record.")] = 120.0,
    folder: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Folder for the report; holds the results of `train`."),
    ] = Path("out/evaluate-qtdb"),
) -> None:
    """Score on QTDB as the literature does, beat by beat, and the shipped networks as they stream.

    Beat by beat: filters, and the networks that `ecg-stream train NAME --track qtdb --out DIR` put
    into the folder of the report. Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.lab.evaluate.qtdb import StreamedSettings, evaluate_qtdb
    from engine.lab.evaluate.qtdb_report import write_qtdb
    from models.benches.qtdb_results import read_results, score_filters

    with goes_on(folder):
        settings = StreamedSettings(**systems.streamed, seconds=seconds)
        with progress() as show:
            show("beats cut out: filters", 0, 1)
            score_filters(folder, settings.data_dir)
            results = evaluate_qtdb(settings, folder, show)
        write_qtdb(read_results(folder), results, settings, folder)
    show_report(folder)
