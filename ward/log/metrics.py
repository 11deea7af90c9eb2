"""The figures of a worker for Prometheus, named as those of a run; no label tells a bed or a partition."""

from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from engine.ledger.histogram import DELAY_EDGES_MS
from engine.marks import Mark
from streamer.console.installed import version_here
from ward.log.figures import CHANGES, LATE_S, Figures

PREFIX = "ecg_stream_ward"

_COUNTED: dict[str, tuple[str, Callable[[Figures], float]]] = {
    "gap_samples": ("Samples that never came.", lambda now: now.gap_samples),
    "settling_samples": ("Samples written while a network settled.", lambda now: now.settling_samples),
    "late_samples": (
        f"Samples written more than {LATE_S:g} s after their stamp.",
        lambda now: now.late_samples,
    ),
    "snapshots": ("Snapshots that were left.", lambda now: now.snapshots),
    "partition_errors": ("Times that a partition was begun again.", lambda now: now.errors),
    "connections": ("Times that the broker was connected to.", lambda now: now.connections),
}
_MEASURED: dict[str, tuple[str, Callable[[Figures], float]]] = {
    "up": ("1 while the worker takes part in the ward.", lambda now: float(not now.why_not_ready())),
    "broker_up": ("1 while the broker answers.", lambda now: float(now.broker_answers)),
    "workers": ("Workers that are alive; 0 where this one is not.", lambda now: now.workers),
    "partitions": ("Partitions that this worker owns.", lambda now: now.partitions),
    "beds_refused": ("Beds that are not cleaned.", lambda now: sum(list(now.refused.values()))),
    "snapshot_age_seconds": (
        "How long the partition that waits longest has been cleaned without a snapshot.",
        lambda now: now.snapshot_age_s,
    ),
    "snapshot_bytes": ("Size of the largest snapshot.", lambda now: now.snapshot_bytes),
}


class WorkerCollector(Collector):
    """Makes the figures when they are asked for."""

    def __init__(self, figures: Figures, model: str) -> None:
        self._figures, self._model = figures, model

    def collect(self) -> Iterator[Metric]:
        """Give every figure."""
        now = self._figures
        yield InfoMetricFamily(PREFIX, "What runs.", value={"version": version_here(), "model": self._model})
        for name, (text, of) in _COUNTED.items():
            yield CounterMetricFamily(f"{PREFIX}_{name}", text, of(now))
        for name, (text, of) in _MEASURED.items():
            yield GaugeMetricFamily(f"{PREFIX}_{name}", text, of(now))
        beds = GaugeMetricFamily(f"{PREFIX}_beds", "Beds of this worker's partitions.", labels=["state"])
        for state, count in zip(("live", "silent"), now.beds, strict=True):
            beds.add_metric([state], count)
        fates = CounterMetricFamily(
            f"{PREFIX}_lead_samples", "Samples of all leads, by what became of them.", labels=["fate"]
        )
        for mark, count in zip(Mark, now.fates.tolist(), strict=True):
            fates.add_metric([mark.name.lower()], count)
        changes = CounterMetricFamily(
            f"{PREFIX}_lease_changes", "What became of partitions.", labels=["change"]
        )
        for change in CHANGES:
            changes.add_metric([change], now.changes[change])
        edges = (*(f"{edge / 1000:g}" for edge in DELAY_EDGES_MS), "+Inf")
        counts = accumulate(now.delays.between(DELAY_EDGES_MS))
        delays = HistogramMetricFamily(
            f"{PREFIX}_delay_seconds",
            "From a sample's stamp to when the broker has it cleaned, to 1 %.",
            buckets=list(zip(edges, counts, strict=True)),
            sum_value=now.delays.sum_s,
        )
        yield from (beds, fates, changes, delays)
