"""`ecg-stream profile screen`: the window, timed."""

import os
from typing import Annotated

import typer

from engine.commands.options import JsonFile
from gui.display import has_display, why_no_window
from streamer.console.output import check_writable, out, write_json
from streamer.errors import InputError


def screen(
    hours: Annotated[
        float, typer.Option(min=0.0, metavar="H", help="Hours of signal that pass over the screen.")
    ] = 4.0,
    json_file: JsonFile = None,
) -> None:
    """Time the window: start, frames, a wall of beds, memory over hours, and the engine beside it."""
    check_writable(json_file)
    reason = why_no_window()
    if reason:
        raise InputError(f"there is no window to time: {reason}")
    if not has_display():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from gui.screen_profile.screen import profile_screen

    figures = profile_screen(hours)
    out.print_json(data=figures)
    write_json(figures, json_file)
