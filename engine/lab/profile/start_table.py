"""The table of `profile start`."""

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from engine.lab.profile.table import machine_lines, number


def start_table(figures: dict[str, Any]) -> Table:
    """A row for each part of a start, in order."""
    title = f"{figures['model']} · {figures['backend']} · {figures['times']} starts"
    table = Table("part", "p50, s", "longest, s", "CPU p50, s", box=SIMPLE_HEAD, title=title)
    for name, part in figures["parts"].items():
        table.add_row(name, number(part["wall_s"], 3), number(part["longest_s"], 3), number(part["cpu_s"], 3))
    return table


def start_notes(figures: dict[str, Any]) -> Iterator[str]:
    """What it comes to, and on what machine."""
    cold = figures["cold_start_s"]
    yield (
        f"cold start, all but the command's own imports: p50 {cold['wall_s']:.2f}, longest "
        f"{cold['longest_s']:.2f} s; CPU time of all processes, a second of signal included: "
        f"{figures['cpu_s']:.2f} s"
    )
    yield from machine_lines(figures)
