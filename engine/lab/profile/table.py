"""Figures of `profile` as tables and sentences for a terminal."""

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from engine.lab.profile.machine import IDLE_CORES
from engine.lab.profile.report import needed
from engine.lab.profile.sweep import ALLOWED_LATE
from engine.ledger.stages import STAGES

_COLUMNS = ("p50", "p95", "p99", "p99.9", "p99.99", "max", "tail", "flat")
_UNKNOWN = "–"


def cost_table(figures: dict[str, Any]) -> Table:
    """What a hop costs: a row for each part of it, backend by backend."""
    table = Table(box=SIMPLE_HEAD, title=_title(figures))
    table.add_column("ms a hop", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for name, backend in figures["backends"].items():
        table.add_row(f"[bold]{name}")
        for row, values in backend["us"].items():
            table.add_row(f"  {row}", *(milliseconds(values[column]) for column in _COLUMNS))
    return table


def ledger_table(figures: dict[str, Any]) -> Table:
    """Where the milliseconds of a sample's delay went, backend beside backend."""
    backends = figures["backends"]
    columns = [(name, which) for name in backends for which in ("p50", "p99")]
    table = Table(box=SIMPLE_HEAD, title="delay of a sample")
    table.add_column("ms", no_wrap=True)
    for name, which in columns:
        table.add_column(f"{name}\n{which}", justify="right", no_wrap=True)
    for stage in (*STAGES, "total"):
        values = (backends[name]["ledger_ms"][stage][which] for name, which in columns)
        table.add_row(stage, *(number(value, 3) for value in values))
    return table


def sweep_table(figures: dict[str, Any]) -> Table:
    """The trials of a sweep, fewest streams first."""
    columns = ("p50", "p99.9", "max")
    headers = (*(f"{column} ms" for column in columns), "calls", "late", "held")
    table = Table("streams", *headers, box=SIMPLE_HEAD, title=_title(figures))
    for trial in sorted(figures["trials"], key=lambda trial: trial["streams"]):
        table.add_row(
            str(trial["streams"]),
            *(milliseconds(trial["us"][column]) for column in columns),
            f"{100 * trial['call_share']:.0f} %",
            f"{trial['late']} of {trial['hops']}",
            "yes" if trial["holds"] else "no",
        )
    return table


def profile_notes(figures: dict[str, Any]) -> Iterator[str]:
    """Remarks on the tables, a sentence each."""
    for name, backend in figures["backends"].items():
        cold, late, beside = backend["cold_ms"], backend["lateness"], backend["beside_bare"]
        if beside:
            yield (
                f"{name}: overhead is {number(beside['overhead_percent'], 1)} % of the bare call (p50); a "
                f"hop takes {number(beside['hop_p50'], 2)} times the bare call at p50, "
                f"{number(beside['hop_p99'], 2)} at p99"
            )
        yield (
            f"{name}: cold {cold['open']:.0f} ms to open, first call {cold['first_call']:.2f}, second "
            f"{cold['second_call']:.2f} ms; {_lateness(late)}"
        )
    for name, reason in figures["refused"].items():
        yield f"{name}: not run: {reason}"
    if any(
        None in row.values() for backend in figures["backends"].values() for row in backend["us"].values()
    ):
        yield (
            f"{_UNKNOWN} is what {figures['hops']} hops cannot tell: p99 needs {needed(99)}, p99.9 "
            f"{needed(99.9)}, p99.99 {needed(99.99)} (--hops)"
        )
    growth = figures["memory_growth"]
    if growth:
        yield (
            f"memory, all the run but its first turns: {growth['resident_kib']:+.0f} KiB resident, "
            f"{growth['python_blocks']:+d} Python blocks"
        )
    yield from machine_lines(figures)


def sweep_notes(figures: dict[str, Any]) -> Iterator[str]:
    """What a sweep found, and how far that can be trusted."""
    if figures["streams"]:
        shown = figures["rate_at_most"] <= ALLOWED_LATE
        yield (
            f"{figures['backend']}: streams held within a hop of {figures['hop_ms']:.1f} ms on "
            f"{_threads(figures)}: {figures['streams']}. None of their hops took longer: at most "
            f"{figures['rate_at_most']:.1e} of them do (95 %)"
            + ("" if shown else f", which does not show that fewer than {ALLOWED_LATE:g} do")
        )
    else:
        yield f"{figures['backend']} does not hold a single stream within {figures['hop_ms']:.1f} ms"
    yield from machine_lines(figures)


def busy_warning(figures: dict[str, Any]) -> str | None:
    """Say so if the machine was not idle before the run."""
    before = figures["machine"]["others_cores"]["before"]
    if before <= IDLE_CORES:
        return None
    return (
        f"others used {before:.1f} of {figures['machine']['cores']} cores before the run: "
        "every figure, and the tails above all, is theirs as well"
    )


def _title(figures: dict[str, Any]) -> str:
    streams = figures["streams"]
    told = f"{streams} streams · " if "trials" not in figures and streams > 1 else ""
    return told + hop_title(figures)


def hop_title(figures: dict[str, Any]) -> str:
    """Network, hop, look-ahead and clock of a profile in a line."""
    clock = " · CPU time" if figures["clock"] == "CPU time" else ""
    return (
        f"{figures['model']} · hop {figures['hop_ms']:.1f} ms · look-ahead "
        f"{figures['lookahead_ms']:.0f} ms · {figures['cadence']} · {_threads(figures)}{clock}"
    )


def _threads(figures: dict[str, Any]) -> str:
    return "1 thread" if figures["threads"] == 1 else f"{figures['threads']} threads"


def _lateness(late: dict[str, Any]) -> str:
    return f"{late['late']} of {late['hops']} hops late, at most {late['rate_at_most']:.1e} (95 %)"


def machine_lines(figures: dict[str, Any]) -> Iterator[str]:
    """What it was measured on, and what others did there."""
    machine = figures["machine"]
    clock = f"{machine['clock_mhz']:.0f} MHz" if machine["clock_mhz"] else "clock not readable"
    versions = ", ".join(f"{name} {found}" for name, found in machine["packages"].items())
    yield (
        f"{machine['cpu']}, {machine['cores']} cores, {clock}, governor "
        f"{machine['governor'] or 'not readable'} · {machine['system']} · Python {machine['python']} · "
        f"{versions}"
    )
    load, others = machine["load_average"], machine["others_cores"]
    yield (
        f"load average {load[0]:.2f} {load[1]:.2f} {load[2]:.2f}; others used {others['before']:.2f} cores "
        f"before the run and {others['during']:.2f} during it"
    )


def milliseconds(us: float | None) -> str:
    """Microseconds as milliseconds, or a dash."""
    return number(None if us is None else us / 1e3, 3)


def number(value: float | None, digits: int) -> str:
    """With so many digits, or a dash where it is not known."""
    return _UNKNOWN if value is None else f"{value:.{digits}f}"
