"""`ecg-stream profile sweep`: how many streams are held within a hop."""

from typing import Annotated

import typer

from engine.commands.options import Backend, JsonFile
from engine.commands.profile.timed import Picture, Timed, check_picture, show_figures
from streamer.console.output import check_writable, err, out, progress, write_json
from streamer.console.panels import grouped


@grouped
def sweep(
    timed: Timed,
    backend: Backend = "auto",
    hops: Annotated[int, typer.Option(metavar="N", help="Hops of each trial, 3000 or more.")] = 3000,
    json_file: JsonFile = None,
    plot: Picture = None,
) -> None:
    """Find how many streams are held within a hop. Takes minutes."""
    check_writable(json_file)
    check_picture(plot)
    from engine.lab.profile.hops import ProfileSettings
    from engine.lab.profile.picture import save_sweep
    from engine.lab.profile.sweep import sweep as find
    from engine.lab.profile.table import sweep_notes, sweep_table

    with progress(threaded=False) as show:
        figures = find(ProfileSettings(**timed.settings, backend=backend, hops=hops), show)
    out.print(sweep_table(figures))
    show_figures(figures, sweep_notes(figures))
    if plot:
        save_sweep(figures, plot)
        err.print(f"picture: {plot}", markup=False)
    write_json(figures, json_file)
