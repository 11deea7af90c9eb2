"""`ecg-stream profile streams`: what a hop costs for one stream and for many, in one table."""

from typing import Annotated

import typer

from engine.commands.options import Backend, JsonFile
from engine.commands.profile.timed import Counts, Timed, counts_of, show_figures
from streamer.console.output import check_writable, out, progress, write_json
from streamer.console.panels import grouped


@grouped
def streams(
    timed: Timed,
    backend: Backend = "auto",
    counts: Counts = "1,16,64,200",
    hops: Annotated[
        int, typer.Option(min=200, metavar="N", help="Hops to time for each; p99 needs 300.")
    ] = 300,
    count: Annotated[
        bool,
        typer.Option(
            "--count-calls", help="Count calls of functions and memory, which no other load changes."
        ),
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Time hops of one stream and of many: the call, and everything else."""
    check_writable(json_file)
    from engine.lab.profile.calls import calls_table, count_calls
    from engine.lab.profile.hops import ProfileSettings
    from engine.lab.profile.several import profile_several
    from engine.lab.profile.several_table import several_table
    from engine.lab.profile.table import machine_lines

    settings = ProfileSettings(**timed.settings, backend=backend, hops=hops)
    if count:
        with progress(threaded=False) as show:
            counted = count_calls(settings, counts_of(counts), show)
        out.print(calls_table(counted))
        write_json(counted, json_file)
        return
    with progress(threaded=False) as show:
        figures = profile_several(settings, counts_of(counts), show)
    out.print(several_table(figures))
    last = figures["runs"][-1]
    show_figures(last, machine_lines(last))
    write_json(figures, json_file)
