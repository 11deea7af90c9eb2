"""`ecg-stream evaluate frontier`: quality against delay."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import Lookaheads, Noises, Records, RecordStart, Systems
from streamer.console.options import words
from streamer.console.output import goes_on, progress, show_report
from streamer.console.panels import grouped


@dataclass(frozen=True)
class AtEveryDelay(Systems):
    """Systems at each of these look-aheads that they can have."""

    lookahead: Lookaheads = "0,25,100,300,1000"


@grouped
def frontier(
    systems: AtEveryDelay,
    noises: Noises = "em,emb",
    snr: Annotated[float, typer.Option(metavar="DB", help="SNR.")] = 0.0,
    records: Records = None,
    start: RecordStart = 300.0,
    seconds: Annotated[float, typer.Option(min=20, metavar="S", help="Seconds of every record.")] = 60.0,
    qrs: Annotated[bool, typer.Option(help="Find beats too, which takes long.")] = True,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for table and figure.")] = Path(
        "out/frontier"
    ),
) -> None:
    """Draw what a millisecond of delay buys: quality against total delay, for every system.

    Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.lab.evaluate.frontier import FrontierSettings
    from engine.lab.evaluate.frontier import frontier as draw
    from engine.lab.evaluate.track_f import EvaluateSettings
    from models.benches.track_f import TEST_RECORDS

    with goes_on(folder), progress() as show:
        settings = EvaluateSettings(
            **systems.streamed,
            records=tuple(words(records)) if records else TEST_RECORDS,
            noises=tuple(words(noises)),
            snrs=(snr,),
            start=start,
            seconds=seconds,
            qrs=qrs,
            clean=False,
        )
        draw(FrontierSettings(settings), folder, show)
    show_report(folder, "frontier.md")
