"""What a ward came to: a table for a terminal, and JSON."""

from rich.markup import escape
from rich.table import Table

from engine.ledger.account import Tally
from engine.run.summary import as_json as plain_json
from ward.workers import WardSummary


def as_json(summary: WardSummary) -> object:
    """All beds together, and the summary of each worker with its beds, as JSON knows it."""
    return plain_json(
        {
            "beds": sum(len(worker.streams) for worker in summary.workers),
            "total": Tally.total(summary.workers),
            "failures": {str(number): why for number, why in summary.failures.items()},
            "workers": summary.workers,
        }
    )


def table_of(summary: WardSummary) -> Table:
    """A line for each worker, and the sum; below it the beds that need a word."""
    table = Table(title="the ward, by worker")
    for head in ("worker", "beds", "in", "out", "lost", "gaps", "late hops", "p99 of the slowest bed"):
        table.add_column(head, justify="right")
    lines = []
    for number, worker in enumerate(summary.workers, 1):
        slowest = max((bed.delay_ms.p99 for bed in worker.streams), default=float("nan"))
        table.add_row(str(number), str(len(worker.streams)), *_counts(worker), f"{slowest:.0f} ms")
        lines += [f"{bed.source} ended: {bed.failure}" for bed in worker.streams if bed.failure]
        lines += [f"absent: {each.name} ({each.why})" for each in worker.absent]
        lines += [f"worker {number} was started again: {why}" for why in worker.deaths]
        lines += [
            f"{bed.source}: its account does not close, {bed.unaccounted}"
            for bed in worker.streams
            if bed.unaccounted
        ]
    beds = sum(len(worker.streams) for worker in summary.workers)
    table.add_section()
    table.add_row("all", str(beds), *_counts(Tally.total(summary.workers)), "")
    if lines:
        table.caption = escape("\n".join(lines))
    return table


def _counts(tally: Tally) -> tuple[str, ...]:
    return (
        str(tally.samples_in),
        str(tally.samples_out),
        str(tally.samples_lost),
        f"{tally.gaps} ({tally.gap_samples})",
        f"{tally.deadline_misses} of {tally.hops}",
    )
