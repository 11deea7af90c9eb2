"""`ecg-stream profile hops`: what a hop costs, engine beside bare call and backend beside backend."""

from typing import Annotated

import typer

from engine.commands.options import BACKENDS_HELP, JsonFile
from engine.commands.profile.timed import Picture, Timed, check_picture, show_figures
from streamer.console.output import check_writable, err, out, progress, write_json
from streamer.console.panels import grouped


@grouped
def hops(
    timed: Timed,
    backend: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"Runtime: {BACKENDS_HELP}; or all: every one that runs here, side by side.",
        ),
    ] = "auto",
    hops: Annotated[
        int | None,
        typer.Option(min=200, metavar="N", help="Hops to time. [default: 4000; paced: 1500]"),
    ] = None,
    streams: Annotated[
        int, typer.Option(min=1, metavar="N", help="Streams in step, all ready at the same time.")
    ] = 1,
    paced: Annotated[
        bool, typer.Option("--paced", help="At the real cadence, a call each hop, instead of back to back.")
    ] = False,
    baseline: Annotated[
        bool, typer.Option(help="Time the bare runtime call too, on the same windows.")
    ] = True,
    json_file: JsonFile = None,
    plot: Picture = None,
) -> None:
    """Time the engine beside the bare runtime call, and backends beside each other, in one run."""
    check_writable(json_file)
    check_picture(plot)
    from engine.lab.profile.hops import ProfileSettings, profile
    from engine.lab.profile.picture import save_profile
    from engine.lab.profile.table import cost_table, ledger_table, profile_notes

    settings = ProfileSettings(
        **timed.settings,
        backend=backend,
        hops=hops or (1500 if paced else 4000),
        streams=streams,
        paced=paced,
        baseline=baseline,
    )
    with progress(threaded=False) as show:
        measured = profile(settings, show)
    out.print(cost_table(measured.figures))
    out.print(ledger_table(measured.figures))
    show_figures(measured.figures, profile_notes(measured.figures))
    if plot:
        save_profile(measured, plot)
        err.print(f"picture: {plot}", markup=False)
    write_json(measured.figures, json_file)
