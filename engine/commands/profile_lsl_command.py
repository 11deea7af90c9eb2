"""`ecg-stream profile-lsl`: the LSL path, measured."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from engine.commands.options import DEFAULT_MODEL, Model
from streamer.broadcast.device_profiles import PROFILES
from streamer.console.output import check_writable, out, write_json


def profile_lsl(
    what: Annotated[
        Literal["delay", "account", "streams"],
        typer.Argument(
            help="delay: beside a bare pull_chunk loop; account: every sample of a device, against its "
            "own count; streams: many at once."
        ),
    ],
    device: Annotated[
        str, typer.Option("--profile", help=f"Device to account for: {', '.join(PROFILES)}.")
    ] = "dropping",
    seconds: Annotated[float, typer.Option(min=1, help="How long, at real speed.")] = 60.0,
    streams: Annotated[int, typer.Option(min=1, help="Streams at once.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Decides patient and device.")] = 0,
    model: Model = DEFAULT_MODEL,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure the LSL path against real outlets in other processes, on this machine alone."""
    from tempfile import TemporaryDirectory

    from engine.lab.profile.lsl_path import account, compare_delay, many_streams
    from streamer.lsl.network import keep_to_this_machine

    check_writable(json_file)
    with TemporaryDirectory() as folder:
        keep_to_this_machine(Path(folder))
        if what == "delay":
            figures = compare_delay(seconds, model)
        elif what == "account":
            figures = account(device, seconds, model, seed=seed)
        else:
            figures = many_streams(streams, seconds)
    out.print_json(json.dumps(figures))
    write_json(figures, json_file)
