"""`ecg-stream evaluate conformance`: signals that standards and makers test monitors with."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import CORES, Jobs
from streamer.console.options import numbers, words
from streamer.console.output import goes_on, progress, show_report


def conformance(
    models: Annotated[
        str, typer.Option(metavar="NAMES", help="Networks and classical systems, comma-separated.")
    ] = "lowdelay,unet,butterworth,identity",
    tests: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Comma-separated, of T1 to T18. [default: all]", show_default=False
        ),
    ] = None,
    rates: Annotated[
        str, typer.Option(metavar="HZ,…", help="Sampling rates of the device.")
    ] = "250,360,500,1000",
    quick: Annotated[bool, typer.Option("--quick", help="A few cells of the grid T7 alone.")] = False,
    jobs: Jobs = CORES,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "out/evaluate-conformance"
    ),
) -> None:
    """Play signals that standards and makers test monitors with, and judge what is shown of them.

    Each network at its own look-ahead. Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.lab.evaluate.conformance.report import write_conformance
    from engine.lab.evaluate.conformance.run import TESTS, ConformanceSettings, evaluate_conformance
    from streamer.errors import InputError

    asked = numbers("rates", rates)
    if any(rate != int(rate) for rate in asked):
        raise InputError(f"--rates {rates}; allowed: whole numbers of Hz")
    with goes_on(folder):
        settings = ConformanceSettings(
            tuple(words(models)),
            tuple(words(tests)) if tests else TESTS,
            tuple(int(rate) for rate in asked),
            quick,
            jobs,
        )
        with progress() as show:
            results = evaluate_conformance(settings, folder, show)
        write_conformance(results, settings, folder)
    show_report(folder)
