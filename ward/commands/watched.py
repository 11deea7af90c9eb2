"""A worker that nobody watches: its log, its figures and its health are for other programs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from engine.commands.service_options import ServiceOptions
from engine.service.server import figures_served
from streamer.console.json_lines import JsonLines
from streamer.console.output import log_as_json, say
from ward.log.figures import Figures

if TYPE_CHECKING:
    from prometheus_client.registry import Collector


@contextmanager
def watched(options: ServiceOptions, model: str) -> Iterator[Figures]:
    """Figures for a worker to count in; what is said meanwhile is lines of JSON where that is asked for.

    Raises
    ------
    InputError
        If the port cannot be listened on, or Prometheus' library is not installed.
    """
    figures = Figures()

    def collector() -> "Collector":
        from ward.log.metrics import WorkerCollector

        return WorkerCollector(figures, model)

    with ExitStack() as stack:
        if options.log == "json":
            log_as_json(JsonLines() if options.log_names else _without_names(figures))
        if options.metrics is not None:
            host, port = stack.enter_context(figures_served(options.metrics, figures, collector))
            say(f"serving /metrics, /health and /ready on {host}:{port}")
        yield figures


def _without_names(figures: Figures) -> JsonLines:
    return JsonLines(safe=figures.without_names, safe_failure=figures.without_names)
