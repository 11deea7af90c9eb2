"""`ecg-stream profile day`: what memory a long file takes while it is cleaned."""

from typing import Annotated

import typer

from engine.commands.options import DEFAULT_MODEL, JsonFile, Model
from streamer.console.output import check_writable, out, progress, say, write_json


def day(
    hours: Annotated[float, typer.Option(help="Signal of 12 leads.", min=0.005)] = 24.0,
    model: Model = DEFAULT_MODEL,
    json_file: JsonFile = None,
) -> None:
    """Make a 12-lead EDF of synthetic patients, clean it, and say how much memory that took, part by part."""
    check_writable(json_file)
    from engine.lab.profile.day import profile_day

    with progress(threaded=False) as show:
        figures = profile_day(hours, model, lambda done, parts: show("cleaning", done, parts))
    memory = figures["memory_mb"]
    say(
        f"{hours:g} h of {figures['leads']} leads, {figures['file_mb']:.0f} MB: at most {memory[-1]:.0f} MB, "
        f"{memory[0]:.0f} MB in the first twelfth; {figures['cpu_s']:.0f} s of CPU",
        out,
    )
    write_json(figures, json_file)
