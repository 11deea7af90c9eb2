"""`ecg-stream frontier`: quality against delay."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import CORES, Backend, Hop, Jobs, Models, Noises, systems
from streamer.console.options import DataDir, numbers, words
from streamer.console.output import err, goes_on, out, progress


def frontier(
    model: Models = None,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for table and figure.")] = Path(
        "out/frontier"
    ),
    noises: Noises = "em,emb",
    snr: Annotated[float, typer.Option(help="SNR in dB.")] = 0.0,
    lookahead: Annotated[
        str, typer.Option(help="Look-aheads in ms, comma-separated; each system takes those it can have.")
    ] = "0,25,100,300,1000",
    hop: Hop = 40.0,
    records: Annotated[str | None, typer.Option(help="Records [default: all of DS2].")] = None,
    start: Annotated[float, typer.Option(help="Second of every record to begin at.")] = 300.0,
    seconds: Annotated[float, typer.Option(min=20, help="Seconds of every record.")] = 60.0,
    qrs: Annotated[bool, typer.Option(help="Find beats too, which takes long.")] = True,
    backend: Backend = "auto",
    jobs: Jobs = CORES,
    data_dir: DataDir = None,
) -> None:
    """Draw what a millisecond of delay buys: quality against total delay, for every system.

    Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.lab.evaluate.frontier import FrontierSettings
    from engine.lab.evaluate.frontier import frontier as run
    from engine.lab.evaluate.track_f import EvaluateSettings

    tested = {"records": tuple(words(records))} if records else {}
    settings = FrontierSettings(
        EvaluateSettings(
            models=systems(model),
            noises=tuple(words(noises)),
            snrs=(snr,),
            lookaheads_ms=tuple(numbers("lookahead", lookahead)),
            hop_ms=hop,
            start=start,
            seconds=seconds,
            qrs=qrs,
            clean=False,
            backend=backend,
            jobs=jobs,
            data_dir=data_dir,
            **tested,
        )
    )
    with goes_on(out_dir), progress() as show:
        run(settings, out_dir, show)
    out.print((out_dir / "frontier.md").read_text(encoding="utf-8"), markup=False, highlight=False)
    err.print(f"table and figure: {out_dir}", markup=False)
