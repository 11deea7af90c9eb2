"""The table of `profile streams`."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from engine.lab.profile.report import ratio
from engine.lab.profile.table import hop_title, milliseconds, number

COLUMNS = (
    "streams",
    "the call alone p50 / p90 / p99, ms",
    "everything else p50 / p90 / p99, ms",
    "hop ÷ call p50 / p99",
    "late",
)


def several_table(figures: dict[str, Any]) -> Table:
    """A row for each number of streams."""
    first = figures["runs"][0]
    (name,) = first["backends"]
    table = Table(*COLUMNS, box=SIMPLE_HEAD, title=f"{hop_title(first)} · {name}")
    for run in figures["runs"]:
        (backend,) = run["backends"].values()
        us, late = backend["us"], backend["lateness"]
        parts = (
            " / ".join(milliseconds(us[row][column]) for column in ("p50", "p90", "p99"))
            for row in ("bare", "overhead")
        )
        times = " / ".join(number(ratio(us["hop"][each], us["bare"][each]), 2) for each in ("p50", "p99"))
        table.add_row(str(run["streams"]), *parts, times, f"{late['late']} of {late['hops']}")
    return table
