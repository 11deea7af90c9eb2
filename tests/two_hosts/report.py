"""The bench's table as a page."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scenario import DEVICES, ENGINES, LOADS, OUTAGES

Row = dict[str, Any]
HEAD = (
    "| | scenarios | sent | out | gaps | samples in gaps | of them never sent by the device | misplaced "
    "| unaccounted | recovery, s: median (longest) | delay p50, ms (median) | delay p99, ms (longest) |\n|"
    + "---|"
    * 12
)
_PATHS = {"ours": "the engine's path", "bare": "pull_chunk alone"}


def report(table: dict[str, Any]) -> str:
    """Markdown of everything that the table holds."""
    parts = [
        "# Live scenarios\n\n"
        "Made by `make bench`; every scenario stands in [table.json](table.json). What the words mean stands "
        "in [Nothing lost](../../nothing-lost.md).\n"
    ]
    for name, title in (("simulated", "In simulated time"), ("real", "Between two hosts, in real time")):
        if name in table:
            parts.append(_scenarios(f"{title} ({table[name + '_when'][:10]})", table[name]))
    if "five_minutes" in table:
        row = table["five_minutes"]
        parts.append("## A link that is cut for five minutes\n\n" + _table([("two hosts", [row])]))
    if "soak" in table:
        parts.append(_soak(table["soak"]))
    if "day" in table:
        day = table["day"]
        parts.append(
            f"## Memory\n\n{day['hours']:g} hours in simulated time with {day['outages']} outages: "
            f"{day['sent']} samples, {day['unaccounted']} unaccounted, {day['misplaced']} misplaced; "
            f"memory grew by {day['growth_mb']:.1f} MB from the {day['settled_hours']:g}. hour to the end.\n"
        )
    if "delay" in table:
        delay = table["delay"]
        turns = {"": delay["ms"]}
        turns |= {f", {_PATHS[first]} first": ms for first, ms in delay["ms_by_who_came_first"].items()}
        rows = [
            f"| {path}{when} | {ms[name]['p50']:.3f} | {ms[name]['p99']:.3f} |"
            for when, ms in turns.items()
            for name, path in _PATHS.items()
        ]
        ratio = delay["ratio"]
        parts.append(
            "## Delay beside a bare loop\n\nStamp to arrival of a packet's newest sample, both listening to "
            f"one outlet at the same time for {delay['seconds']:g} s, each the first to connect for half of "
            "it, ms:\n\n| | p50 | p99 |\n|---|---|---|\n" + "\n".join(rows) + "\n"
            f"| ratio of the first two | {ratio['p50']:.2f} | {ratio['p99']:.2f} |\n"
        )
    return "\n".join(parts)


def _scenarios(title: str, rows: Sequence[Row]) -> str:
    groups: list[tuple[str, Sequence[Row]]] = [("**all**", rows)]
    for field, names in (("outage", OUTAGES), ("engine", ENGINES), ("load", LOADS), ("device", DEVICES)):
        for name in names:
            of_kind = [row for row in rows if row[field] == name]
            if of_kind:
                groups.append((f"{field}: {name}", of_kind))
    wrong = [f"{row['number']}" for row in rows if not row["exact"]]
    said = f"Not exact: {', '.join(wrong)}." if wrong else "Every one is exact, sample by sample."
    return f"## {title}\n\n{_table(groups)}\n{said}\n"


def _table(groups: Sequence[tuple[str, Sequence[Row]]]) -> str:
    return "\n".join([HEAD, *(_line(name, rows) for name, rows in groups)]) + "\n"


def _line(name: str, rows: Sequence[Row]) -> str:
    def total(field: str) -> str:
        return str(sum(row[field] for row in rows))

    def over(field: str, of: Callable[[Any], Any]) -> str:
        known = [row[field] for row in rows if row[field] is not None]
        return f"{of(known):.2f}" if known else "–"

    moved = sum(row["misplaced"] + row["misplaced_recorded"] for row in rows)
    cells = [
        name, str(len(rows)), total("sent"), total("out"), total("gaps"), total("gap_samples"),
        total("never_sent"), str(moved), total("unaccounted"),
        f"{over('recovery_s', np.median)} ({over('recovery_s', max)})",
        over("delay_p50_ms", np.median), over("delay_p99_ms", max),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _soak(row: Row) -> str:
    done = ", ".join(f"{name} {count}" for name, count in sorted(row["done"].items()))
    grew = row["memory_mb"][-1] - row["memory_mb"][0] if row["memory_mb"] else float("nan")
    return (
        f"## {row['seconds'] / 60:g} minutes at real speed\n\n{_table([('two hosts', [row])])}\n"
        f"Seed {row['seed']}; done: {done}; steps down the ladder: {row['steps_down']}. "
        f"Memory grew by {grew:.1f} MB.\n"
    )
