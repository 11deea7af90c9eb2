"""`ecg-stream profile push`: what `Denoiser.push` adds to the bare call of the runtime."""

import time
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from engine.commands.options import DEFAULT_MODEL, JsonFile, Model
from streamer.console.options import numbers
from streamer.console.output import check_writable, out, progress, write_json


def push(
    model: Model = DEFAULT_MODEL,
    rates: Annotated[str, typer.Option("--fs", metavar="HZ,…", help="Rates of what is pushed.")] = "360,500",
    leads: Annotated[str, typer.Option("--leads", metavar="N,…", help="Numbers of leads.")] = "1,2,12",
    pushes: Annotated[int, typer.Option(min=200, metavar="N", help="Pushes to time of each.")] = 2000,
    json_file: JsonFile = None,
) -> None:
    """Time `Denoiser.push` beside the bare call of the runtime that it makes: CPU time, a hop a push."""
    check_writable(json_file)
    from engine.lab.profile.push import profile_push

    with progress(threaded=False) as show:
        counts = [round(number) for number in numbers("leads", leads)]
        figures = profile_push(model, numbers("fs", rates), counts, pushes, show, time.thread_time_ns)
    rows = ("push", "call", "bare")
    table = Table("µs of CPU", *rows, "push / bare", box=SIMPLE_HEAD)
    for signal in figures["signals"]:
        for p, times in signal["times"].items():
            taken = [f"{signal['us'][row][p]:.0f}" for row in rows]
            table.add_row(f"{signal['leads']} x {signal['fs']:g} Hz, {p}", *taken, f"{times:.2f}")
    out.print(table)
    write_json(figures, json_file)
