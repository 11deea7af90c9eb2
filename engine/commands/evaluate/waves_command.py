"""`ecg-stream evaluate waves`: P, QRS, T and ST after cleaning, against manual marks."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import CORES, Backend, Jobs
from streamer.console.options import DataDir, numbers, words
from streamer.console.output import goes_on, progress, show_report


def waves(
    models: Annotated[
        str, typer.Option("--models", metavar="NAMES", help="Systems, comma-separated.")
    ] = "identity,butterworth,lowdelay,unet",
    lookahead: Annotated[
        str, typer.Option("--lookahead", metavar="MS,…", help="Look-aheads, comma-separated.")
    ] = "100,300",
    hop: Annotated[float, typer.Option(metavar="MS", help="New signal between two inferences.")] = 200.0,
    databases: Annotated[
        str, typer.Option(metavar="NAMES", help="Databases with manual marks: qtdb, ludb.")
    ] = "qtdb,ludb",
    records: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Records of one database. [default: all whose patients are unseen]"
        ),
    ] = None,
    delineators: Annotated[
        str, typer.Option(metavar="NAMES", help="NeuroKit2's, comma-separated: dwt, prominence.")
    ] = "dwt,prominence",
    st_alone: Annotated[
        bool, typer.Option("--st-alone", help="Only ST changes, of QTDB, in noise too; no other wave.")
    ] = False,
    backend: Backend = "auto",
    jobs: Jobs = CORES,
    data_dir: DataDir = None,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "out/evaluate-waves"
    ),
) -> None:
    """Measure P, QRS, T, QT and ST after cleaning against manual marks, and how much of an ST change is left.

    Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.lab.evaluate.waves.marks import DATABASES
    from engine.lab.evaluate.waves.report import write_waves
    from engine.lab.evaluate.waves.run import CONDITIONS, ST_NOISES, WavesSettings, evaluate_waves
    from streamer.errors import InputError

    chosen = ("qtdb",) if st_alone else tuple(words(databases))
    for name in chosen:
        if name not in DATABASES:
            raise InputError(f"no database {name!r} with marked waves; there are {', '.join(DATABASES)}")
    if records and len(chosen) != 1:
        raise InputError(
            f"--records names records of one database; say which with --databases, got {databases}"
        )
    settings = WavesSettings(
        tuple(words(models)),
        tuple(numbers("lookahead", lookahead)),
        hop,
        chosen,
        tuple(words(records)) if records else None,
        tuple(words(delineators)),
        () if st_alone else CONDITIONS,
        ST_NOISES if st_alone else (),
        backend=backend,
        jobs=jobs,
        data_dir=data_dir,
    )
    with goes_on(folder):
        with progress() as show:
            results = evaluate_waves(settings, folder, show)
        write_waves(results, settings, folder)
    show_report(folder)
