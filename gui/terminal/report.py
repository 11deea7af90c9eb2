"""What a run came to, as tables for a terminal."""

import math

from rich.markup import escape
from rich.table import Table

from engine.marks import Reason
from engine.run.summary import LiveFigures, StreamSummary, Summary
from streamer.faults.schedule import FaultFigures


def table_of(summary: Summary) -> Table:
    """What a run of one stream came to, or of several."""
    table = _of_several(summary) if len(summary.streams) > 1 else _of_one(summary)
    lines = [f"{one.source} ended: {one.failure}" for one in summary.streams if one.failure]
    lines += [f"absent: {each.name} ({each.why})" for each in summary.absent]
    if lines:
        table.caption = escape("\n".join(lines))
    return table


def _of_one(summary: Summary) -> Table:
    (one,) = summary.streams
    table = Table(title=f"{escape(one.source)} · {summary.model} on {summary.backend}", show_header=False)
    table.add_row("samples", f"{one.samples_in} in, {one.samples_out} out, {one.samples_lost} lost")
    table.add_row("gaps", f"{one.gaps} ({one.gap_samples} samples)")
    if one.stream:
        table.add_row("stream", escape(describe_stream(one.stream)))
    if _scored(one):
        table.add_row(
            "SNR",
            f"{one.snr_in_db:.2f} dB in, {one.snr_out_db:.2f} dB out "
            f"({one.snr_out_db - one.snr_in_db:+.2f} dB), RMSE {one.rmse_mv:.4f} mV",
        )
    if one.samples_out:
        delay = one.delay_ms
        table.add_row(
            "delay",
            f"algorithmic {delay.algorithmic:.0f} ms; measured "
            + (
                f"p50 {delay.p50:.1f}, p99 {delay.p99:.1f}{_longest(delay.max)} ms"
                if math.isfinite(delay.p50)
                else "unknown"
            ),
        )
    if one.samples_out and not summary.failure:
        compute = one.ledger_ms["compute"]
        table.add_row("compute", f"p50 {compute.p50:.2f}, p99 {compute.p99:.2f} ms a hop")
        table.add_row(
            "pace",
            f"{one.deadline_misses} of {one.hops} hops late, real-time factor {one.realtime_factor:.3f}",
        )
        table.add_row("cold start", f"{one.cold_start_s:.2f} s to the first cleaned sample")
    guarded = _reasons(summary)
    if guarded:
        table.add_row("guard", guarded)
    if one.faults:
        table.add_row("faults made", _faults(one.faults))
    if one.recording:
        more = f" and {one.recording_files - 1} more" if one.recording_files > 1 else ""
        table.add_row("recording", escape(f"{one.recording}.hea{more}"))
    if one.recording_problem:
        table.add_row("", escape(one.recording_problem))
    return table


def _longest(max_ms: float) -> str:
    return f", max {max_ms:.1f}" if math.isfinite(max_ms) else ""


def _of_several(summary: Summary) -> Table:
    """A row for each stream, and the totals."""
    title = f"{len(summary.streams)} streams · {summary.model} on {summary.backend}"
    table = Table("stream", "in", "out", "lost", "gaps (samples)", "SNR dB", "delay ms", "late", title=title)
    for one in summary.streams:
        state = f" · {one.stream.state}" if one.stream else ""
        delay = one.delay_ms
        table.add_row(
            escape(one.source + state),
            *map(str, (one.samples_in, one.samples_out, one.samples_lost)),
            f"{one.gaps} ({one.gap_samples})",
            f"{one.snr_in_db:+.1f} → {one.snr_out_db:+.1f}" if _scored(one) else "--",
            f"p50 {delay.p50:.0f} · p99 {delay.p99:.0f}" if math.isfinite(delay.p50) else "--",
            f"{one.deadline_misses} of {one.hops}",
        )
    table.add_section()
    table.add_row(
        "all",
        *map(str, (summary.samples_in, summary.samples_out, summary.samples_lost)),
        f"{summary.gaps} ({summary.gap_samples})",
        "",
        "",
        f"{summary.deadline_misses} of {summary.hops}",
    )
    return table


def _scored(one: StreamSummary) -> bool:
    return math.isfinite(one.snr_in_db) and math.isfinite(one.snr_out_db)


def describe_stream(stream: LiveFigures) -> str:
    """One line of what a live stream did, from the summary of its run."""
    rate, ppm = stream.effective_rate_hz, stream.ppm
    measured = "rate not known yet" if rate is None or ppm is None else f"{rate:.3f} Hz ({ppm:+.0f} ppm)"
    of = stream.counts
    counts = {
        "duplicates": of.duplicates,
        "reordered": of.reordered,
        "late": of.late,
        "clock jumps": of.clock_jumps,
    }
    parts = (stream.state, measured, *(f"{count} {what}" for what, count in counts.items() if count))
    return " · ".join(filter(None, (*parts, stream.problem)))


def _faults(faults: FaultFigures) -> str:
    """One line of what went wrong on purpose, from the summary of a run."""
    counts = " · ".join(f"{kind} {made.count}" for kind, made in faults.injected.items())
    misplaced = faults.misplaced_samples
    return f"{counts} (seed {faults.seed})" + (f" · {misplaced} samples misplaced" if misplaced else "")


def _reasons(summary: Summary) -> str:
    """One line of how long something else than the network's output left, in s by reason; empty for never."""
    (one,) = summary.streams
    parts = [
        f"{count / one.fs_hz:.1f} s {Reason[name.upper()].text}"
        for name, count in one.reasons.items()
        if count
    ]
    steps = summary.overload.steps_taken if summary.overload else {}
    taken = [f"{step.replace('_', ' ')} {count}×" for step, count in steps.items() if count]
    if taken:
        parts.append(f"steps: {', '.join(taken)}")
    return " · ".join(parts)
