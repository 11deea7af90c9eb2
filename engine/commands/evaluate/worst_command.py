"""`ecg-stream evaluate worst`: pictures of where cleaning fails."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import Noises, Records, RecordStart, Snrs, Systems
from streamer.console.options import numbers, words
from streamer.console.output import goes_on, progress, show_report
from streamer.console.panels import grouped
from streamer.errors import InputError


@grouped
def worst(
    systems: Systems,
    noises: Noises = "bw,em,ma,emb",
    snrs: Snrs = "0",
    records: Records = None,
    count: Annotated[int, typer.Option(min=1, metavar="N", help="Stretches.")] = 10,
    start: RecordStart = 300.0,
    seconds: Annotated[float, typer.Option(min=14.0, metavar="S", help="Seconds of every record.")] = 60.0,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "out/evaluate-worst"
    ),
) -> None:
    """Draw the stretches of unseen patients, in unseen noise, that leave worst.

    Ctrl-C loses nothing: the same command goes on where it was.

    Examples
    --------
    - `ecg-stream evaluate worst --models lowdelay --lookahead 100`
    """
    from engine.lab.evaluate.track_f import EvaluateSettings
    from engine.lab.evaluate.worst import draw_worst, find_worst, worst_markdown
    from models.benches.track_f import TEST_RECORDS

    streamed = systems.streamed
    if len(streamed["models"]) != 1 or len(streamed["lookaheads_ms"]) != 1:
        raise InputError(
            "the worst stretches are of one system at one look-ahead: --models NAME --lookahead MS"
        )
    with goes_on(folder):
        settings = EvaluateSettings(
            **streamed,
            records=tuple(words(records)) if records else TEST_RECORDS,
            noises=tuple(words(noises)),
            snrs=tuple(numbers("snrs", snrs)),
            start=start,
            seconds=seconds,
        )
        with progress() as show:
            stretches = find_worst(settings, count, folder, show)
        (folder / "report.md").write_text(worst_markdown(stretches, settings), encoding="utf-8")
        draw_worst(stretches, folder / "worst.png")
    show_report(folder)
