"""The figures of a run for Prometheus.

Names and units follow its own advice (https://prometheus.io/docs/practices/naming). Streams are told apart
by their number alone: a label is kept for years, and a name may be a patient's. What an engine counts since
it was started again begins at 0, as counters of Prometheus may.
"""

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
from engine.run.ladder import Rung
from engine.run.protocol import Status
from engine.service.watcher import Newest, StreamNow
from streamer.console.installed import version_here
from streamer.watchdog import StreamState

PREFIX = "ecg_stream"


class RunCollector(Collector):
    """Makes the figures when they are asked for, of the newest that is known."""

    def __init__(self, newest: Newest, model: str) -> None:
        self._newest, self._model = newest, model

    def collect(self) -> Iterator[Metric]:
        """Give every figure, of every stream that has told any."""
        newest = self._newest
        yield InfoMetricFamily(PREFIX, "What runs.", value={"version": version_here(), "model": self._model})
        yield _gauge("engine_up", "1 while the engine plays and answers.", _is_up(newest))
        yield CounterMetricFamily(
            f"{PREFIX}_engine_restarts", "Times that an engine that died was started again.", newest.restarts
        )
        yield from _of_streams([each for each in newest.streams if each.status])


def _is_up(newest: Newest) -> float:
    return float(newest.playing and not newest.over and not newest.restarting and not newest.why_unhealthy())


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value)


_COUNTED: dict[str, tuple[str, Callable[[Status], float]]] = {
    "source_samples": ("Samples that came from the source, at its rate.", lambda now: now.source_samples),
    "samples_in": ("Samples that entered the engine.", lambda now: now.samples_in),
    "samples_out": ("Samples that left the engine.", lambda now: now.samples_out),
    "gaps": ("Gaps that left the engine.", lambda now: now.gaps),
    "gap_samples": ("Samples that the gaps are long.", lambda now: now.gap_samples),
    "hops": ("Calls of the network.", lambda now: now.hops),
    "hops_late": ("Calls that missed their deadline.", lambda now: now.deadline_misses),
}
_MEASURED: dict[str, tuple[str, Callable[[Status], float]]] = {
    "sample_age_seconds": ("How long ago the newest sample came.", lambda now: now.sample_age_s),
    "recording_failed": (
        "1 where the recording ended early.",
        lambda now: float(bool(now.recording_problem)),
    ),
    "ended": ("1 where the source has nothing more.", lambda now: float(now.ended)),
}


def _of_streams(streams: list[StreamNow]) -> Iterator[Metric]:
    known = [(str(each.number), each.status) for each in streams if each.status]
    for name, (text, of) in _COUNTED.items():
        counter = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=["stream"])
        for stream, now in known:
            counter.add_metric([stream], of(now))
        yield counter
    for name, (text, of) in _MEASURED.items():
        gauge = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=["stream"])
        for stream, now in known:
            gauge.add_metric([stream], of(now))
        yield gauge
    fates = CounterMetricFamily(
        f"{PREFIX}_lead_samples", "Samples of all leads that left, by what became of them.",
        labels=["stream", "fate"],
    )  # fmt: skip
    states = GaugeMetricFamily(
        f"{PREFIX}_state", "1 for the state of the source.", labels=["stream", "state"]
    )
    steps = GaugeMetricFamily(
        f"{PREFIX}_ladder", "1 for what cleans, as the machine keeps up.", labels=["stream", "step"]
    )
    delays = HistogramMetricFamily(
        f"{PREFIX}_delay_seconds",
        "Delay of a sample from its source's stamp to the last sink, to 1 %.",
        labels=["stream"],
    )
    for stream, now in known:
        for fate, count in now.marks.items():
            fates.add_metric([stream, fate], count)
        for state in StreamState:
            states.add_metric([stream, state], float(now.state == state))
        for rung in Rung:
            steps.add_metric([stream, rung.text], float((now.setup.step or Rung.NETWORK.text) == rung.text))
        if now.delay_counts:
            delays.add_metric([stream], _buckets(now), now.delay_sum_s)
    yield from (fates, states, steps, delays)


def _buckets(now: Status) -> list[tuple[str, float]]:
    """Upper edges, s, and how many delays do not exceed them."""
    edges = (*(f"{edge / 1000:g}" for edge in DELAY_EDGES_MS), "+Inf")
    return list(zip(edges, accumulate(now.delay_counts), strict=True))
