"""`ecg-stream evaluate track-s`: the protocol of the seed table."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import Noises, Snrs
from streamer.console.options import DataDir, literal, numbers, words
from streamer.console.output import goes_on, show_report


def track_s(
    noises: Noises = "bw,em,ma,emb",
    snrs: Snrs = "-4,0,4,12",
    folder: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Folder for the report; holds the results of `train`."),
    ] = Path("out/evaluate-s"),
    data_dir: DataDir = None,
) -> None:
    """Score the filters by the protocol of the seed table, beside the networks trained for it.

    `ecg-stream train NAME --track s --out DIR` adds a network to the folder of the report.
    """
    from models.benches.track_s import Condition
    from models.benches.track_s_results import markdown, read_results, score_filters

    with goes_on(folder):
        for noise in words(noises):
            for level in numbers("snrs", snrs):
                for mixing in ("new", "old") if noise == "emb" else ("new",):
                    score_filters(folder, Condition(noise, level, literal(mixing)), data_dir)
    (folder / "report.md").write_text(markdown(read_results(folder)), encoding="utf-8")
    show_report(folder)
