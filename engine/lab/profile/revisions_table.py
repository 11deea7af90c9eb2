"""The table of `profile compare`."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from engine.lab.profile.table import milliseconds, number


def revisions_table(figures: dict[str, Any], revision: str) -> Table:
    """A row for each figure of each number of streams: the other revision, this one, and the ratio."""
    title = (
        f"{figures['model']} · {figures['backend']} · hop {figures['hop_ms']:g} ms · {figures['clock']} · "
        f"{figures['turns']} turns of {figures['hops']} hops"
    )
    table = Table("streams", box=SIMPLE_HEAD, title=title)
    table.add_column("ms a hop", no_wrap=True)
    for column in (revision, "this", "this ÷ other", "least – largest"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in figures["rows"]:
        table.add_row(
            str(row["streams"]),
            row["figure"],
            milliseconds(row["other_us"]),
            milliseconds(row["this_us"]),
            number(row["ratio"], 2),
            " – ".join(number(row[each], 2) for each in ("least", "largest"))
            if row["ratio"]
            else number(None, 2),
        )
    return table
