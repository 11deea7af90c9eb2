"""`ecg-stream profile start`: where the time goes until the first cleaned sample."""

from typing import Annotated

import typer

from engine.commands.options import DEFAULT_MODEL, Backend, JsonFile, Model
from engine.commands.profile.timed import show_figures
from streamer.console.output import check_writable, out, progress, write_json
from streamer.console.panels import grouped


@grouped
def start(
    model: Model = DEFAULT_MODEL,
    backend: Backend = "auto",
    times: Annotated[int, typer.Option(min=1, metavar="N", help="Starts to time.")] = 5,
    json_file: JsonFile = None,
) -> None:
    """Start the product again and again; prints where the time goes until the first cleaned sample."""
    check_writable(json_file)
    from engine.lab.profile.start import profile_start
    from engine.lab.profile.start_table import start_notes, start_table

    with progress(threaded=False) as show:
        figures = profile_start(model, backend, times, show)
    out.print(start_table(figures))
    show_figures(figures, start_notes(figures))
    write_json(figures, json_file)
