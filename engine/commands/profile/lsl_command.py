"""`ecg-stream profile lsl`: the LSL path, measured."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from engine.commands.options import DEFAULT_MODEL, JsonFile, Model
from streamer.console.options import DEVICES_HELP
from streamer.console.output import check_writable, out, write_json


def lsl(
    what: Annotated[
        Literal["delay", "account", "streams"],
        typer.Argument(
            help="delay: beside a bare pull_chunk loop; account: every sample of a device, against its "
            "own count; streams: many at once."
        ),
    ],
    seconds: Annotated[float, typer.Option(min=1, metavar="S", help="How long, at real speed.")] = 60.0,
    model: Model = DEFAULT_MODEL,
    device: Annotated[
        str,
        typer.Option("--profile", metavar="NAME", help=f"account: how the device behaves: {DEVICES_HELP}."),
    ] = "dropping",
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="account: decides patient and device.")] = 0,
    streams: Annotated[int, typer.Option(min=1, metavar="N", help="streams: how many at once.")] = 16,
    json_file: JsonFile = None,
) -> None:
    """Measure the LSL path against real outlets in other processes, on this machine alone."""
    check_writable(json_file)
    from tempfile import TemporaryDirectory

    from engine.lab.profile.lsl_path import account, compare_delay, many_streams
    from streamer.lsl.network import keep_to_this_machine

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
