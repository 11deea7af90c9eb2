"""What a run came to, as tables for a terminal."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from engine.marks import Reason
from engine.run.protocol import Outcome


def table_of(outcome: Outcome) -> Table:
    """What a run of one stream came to, or of several."""
    return _of_several(outcome.summary) if len(outcome.streams) > 1 else _of_one(outcome.summary)


def _of_one(summary: dict[str, Any]) -> Table:
    table = Table(
        title=f"{escape(summary['source'])} · {summary['model']} on {summary['backend']}", show_header=False
    )
    delay = summary["delay_ms"]
    table.add_row(
        "samples",
        f"{summary['samples_in']} in, {summary['samples_out']} out, {summary['samples_lost']} lost",
    )
    table.add_row("gaps", f"{summary['gaps']} ({summary['gap_samples']} samples)")
    if summary["stream"]:
        table.add_row("stream", escape(describe_stream(summary["stream"])))
    if summary["snr_out_db"] is not None and summary["snr_in_db"] is not None:
        table.add_row(
            "SNR",
            f"{summary['snr_in_db']:.2f} dB in, {summary['snr_out_db']:.2f} dB out "
            f"({summary['snr_out_db'] - summary['snr_in_db']:+.2f} dB), RMSE {summary['rmse_mv']:.4f} mV",
        )
    if summary["samples_out"]:
        table.add_row(
            "delay",
            f"algorithmic {delay['algorithmic']:.0f} ms; measured p50 {delay['p50']:.1f}, "
            f"p99 {delay['p99']:.1f}, max {delay['max']:.1f} ms",
        )
        compute = summary["ledger_ms"]["compute"]
        table.add_row("compute", f"p50 {compute['p50']:.2f}, p99 {compute['p99']:.2f} ms a hop")
        table.add_row(
            "pace",
            f"{summary['deadline_misses']} of {summary['hops']} hops late, "
            f"real-time factor {summary['realtime_factor']:.3f}",
        )
        table.add_row("cold start", f"{summary['cold_start_s']:.2f} s to the first cleaned sample")
    guarded = _reasons(summary)
    if guarded:
        table.add_row("guard", guarded)
    if summary["faults"]:
        table.add_row("faults made", _faults(summary["faults"]))
    if summary["recording"]:
        more = f" and {summary['recording_files'] - 1} more" if summary["recording_files"] > 1 else ""
        table.add_row("recording", escape(f"{summary['recording']}.hea{more}"))
    if summary["recording_problem"]:
        table.add_row("", escape(summary["recording_problem"]))
    return table


def _of_several(summary: dict[str, Any]) -> Table:
    """A row for each stream, and the totals."""
    title = f"{len(summary['streams'])} streams · {summary['model']} on {summary['backend']}"
    table = Table("stream", "in", "out", "lost", "gaps (samples)", "SNR dB", "delay ms", "late", title=title)
    for one in summary["streams"]:
        state = f" · {one['stream']['state']}" if one["stream"] else ""
        delay, snr = one["delay_ms"], "--"
        if one["snr_in_db"] is not None and one["snr_out_db"] is not None:
            snr = f"{one['snr_in_db']:+.1f} → {one['snr_out_db']:+.1f}"
        measured = "--" if delay["p50"] is None else f"p50 {delay['p50']:.0f} · p99 {delay['p99']:.0f}"
        table.add_row(
            escape(one["source"] + state),
            *(str(one[f"samples_{what}"]) for what in ("in", "out", "lost")),
            f"{one['gaps']} ({one['gap_samples']})",
            snr,
            measured,
            f"{one['deadline_misses']} of {one['hops']}",
        )
    table.add_section()
    table.add_row(
        "all",
        *(str(summary[f"samples_{what}"]) for what in ("in", "out", "lost")),
        f"{summary['gaps']} ({summary['gap_samples']})",
        "",
        "",
        f"{summary['deadline_misses']} of {summary['hops']}",
    )
    return table


def describe_stream(stream: dict[str, Any]) -> str:
    """One line of what a live stream did, from the summary of its run."""
    rate = stream["effective_rate_hz"]
    measured = "rate not known yet" if rate is None else f"{rate:.3f} Hz ({stream['ppm']:+.0f} ppm)"
    counts = " · ".join(
        f"{stream[what]} {what.replace('_', ' ')}"
        for what in ("duplicates", "reordered", "late", "clock_jumps")
        if stream[what]
    )
    return " · ".join(filter(None, (stream["state"], measured, counts, stream["problem"])))


def _faults(faults: dict[str, Any]) -> str:
    """One line of what went wrong on purpose, from the summary of a run."""
    counts = " · ".join(f"{kind} {made['count']}" for kind, made in faults["injected"].items())
    misplaced = faults["misplaced_samples"]
    return f"{counts} (seed {faults['seed']})" + (f" · {misplaced} samples misplaced" if misplaced else "")


def _reasons(summary: dict[str, Any]) -> str:
    """One line of what was not the network's word in a run, in seconds by reason; empty without any."""
    fs = summary["fs_hz"]
    parts = [
        f"{count / fs:.1f} s {Reason[name.upper()].text}"
        for name, count in summary["reasons"].items()
        if count
    ]
    steps = summary["overload"].get("steps_taken", {})
    taken = [f"{step.replace('_', ' ')} {count}×" for step, count in steps.items() if count]
    if taken:
        parts.append(f"steps: {', '.join(taken)}")
    return " · ".join(parts)
