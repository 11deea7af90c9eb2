"""`ecg-stream evaluate beats`: how well detectors find beats in raw leads."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import CORES, Jobs
from streamer.console.options import DataDir, numbers, words
from streamer.console.output import goes_on, progress, show_report


def beats(
    detectors: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Comma-separated: ecg-stream (ours), sleepecg, neurokit, pantompkins1985, xqrs.",
        ),
    ] = "ecg-stream,sleepecg,neurokit,pantompkins1985",
    databases: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Comma-separated: mitdb, mitdb-second, qtdb, ludb, nstdb."),
    ] = "mitdb,mitdb-second,qtdb,ludb,nstdb",
    rates: Annotated[
        str, typer.Option(metavar="HZ,…", help="Sampling rates that leads are brought to.")
    ] = "125,250,360,500,1000",
    jobs: Jobs = CORES,
    data_dir: DataDir = None,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "out/evaluate-beats"
    ),
) -> None:
    """Count the beats that detectors find in raw leads, at several sampling rates, by the rules of EC57.

    Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.lab.evaluate.beats import DATABASES, BeatsSettings, evaluate_beats
    from engine.lab.evaluate.tables import write_beats
    from streamer.errors import InputError

    chosen = tuple(words(databases))
    for name in chosen:
        if name not in DATABASES:
            raise InputError(f"no database {name!r} with marks; there are {', '.join(DATABASES)}")
    asked = tuple(numbers("rates", rates))
    if any(fs < 100 for fs in asked):
        raise InputError(f"beats are found at 100 Hz and more, got --rates {rates}")
    with goes_on(folder):
        settings = BeatsSettings(tuple(words(detectors)), chosen, asked, jobs, data_dir)
        with progress() as show:
            rows = evaluate_beats(settings, folder, show)
        write_beats(rows, folder)
    show_report(folder)
