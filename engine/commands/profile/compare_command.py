"""`ecg-stream profile compare`: another revision of the product beside this one."""

from typing import Annotated

import typer

from engine.commands.options import Backend, JsonFile
from engine.commands.profile.timed import Counts, Timed, counts_of, show_figures
from streamer.console.output import check_writable, out, progress, write_json
from streamer.console.panels import grouped


@grouped
def compare(
    revision: Annotated[
        str, typer.Argument(metavar="REVISION", help="A git revision of this checkout, or another folder.")
    ],
    timed: Timed,
    backend: Backend = "onnx",
    counts: Counts = "1,64",
    hops: Annotated[int, typer.Option(min=200, metavar="N", help="Hops of each turn; p99 needs 300.")] = 300,
    turns: Annotated[int, typer.Option(min=1, metavar="N", help="Turns of each.")] = 3,
    json_file: JsonFile = None,
) -> None:
    """Profile another revision of the product and this one by turns; prints ratios with their spread."""
    check_writable(json_file)
    from engine.lab.profile.hops import ProfileSettings
    from engine.lab.profile.revisions import checkout, compare_revisions
    from engine.lab.profile.revisions_table import revisions_table
    from engine.lab.profile.several import check_several
    from engine.lab.profile.table import machine_lines

    settings = ProfileSettings(**timed.settings, backend=backend, hops=hops)
    numbers = counts_of(counts)
    check_several(settings, numbers)
    with checkout(revision) as other, progress(threaded=False) as show:
        figures = compare_revisions(other, settings, numbers, turns, show)
    out.print(revisions_table(figures, revision))
    show_figures(figures, machine_lines(figures))
    write_json({"revision": revision, **figures}, json_file)
