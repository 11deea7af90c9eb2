"""`ecg-stream evaluate track-f`: unseen patients, unseen noise."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import Noises, Records, RecordStart, Snrs, Systems
from streamer.console.options import numbers, words
from streamer.console.output import err, goes_on, progress, show_report
from streamer.console.panels import grouped


@grouped
def track_f(
    systems: Systems,
    noises: Noises = "bw,em,ma,emb",
    snrs: Snrs = "-4,0,4,12",
    records: Records = None,
    start: RecordStart = 300.0,
    seconds: Annotated[float, typer.Option(min=1.0, metavar="S", help="Seconds of every record.")] = 60.0,
    qrs: Annotated[bool, typer.Option("--qrs", help="Find beats too, which takes long.")] = False,
    cards: Annotated[
        bool, typer.Option("--cards", help="Write the figures onto the cards of the shipped networks.")
    ] = False,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "out/evaluate-f"
    ),
) -> None:
    """Score networks and filters on patients and noise that no training saw.

    Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.lab.evaluate.report import write_report
    from engine.lab.evaluate.track_f import EvaluateSettings, evaluate
    from models.benches.track_f import TEST_RECORDS

    with goes_on(folder):
        settings = EvaluateSettings(
            **systems.streamed,
            records=tuple(words(records)) if records else TEST_RECORDS,
            noises=tuple(words(noises)),
            snrs=tuple(numbers("snrs", snrs)),
            start=start,
            seconds=seconds,
            qrs=qrs,
        )
        with progress() as show:
            results = evaluate(settings, folder, show)
        report = write_report(results, settings, folder)
        if cards:
            from models.card_figures import add_figures

            err.print(f"on the cards of: {', '.join(add_figures(report)) or 'none'}")
    show_report(folder)
