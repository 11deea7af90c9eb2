"""Options of a run that nobody watches: how it logs, and where its figures can be asked for."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from streamer.errors import InputError


@dataclass(frozen=True)
class ServiceOptions:
    """How a run tells of itself that no person watches."""

    PANEL: ClassVar = "Service"
    RARE: ClassVar = ("metrics", "log", "log_names")

    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT",
            help="Serve /metrics for Prometheus, /health and /ready; no window. [HOST: this machine alone]",
        ),
    ] = None
    log: Annotated[
        str, typer.Option(metavar="text|json", help="json: every line is an object; no window.")
    ] = "text"
    log_names: Annotated[
        bool, typer.Option("--log-names", help="Let the JSON log name streams, records and leads.")
    ] = False

    def __post_init__(self) -> None:
        if self.log not in ("text", "json"):
            raise InputError(f"--log is {self.log!r}; allowed: text, json")
        if self.log_names and self.log != "json":
            raise InputError("--log-names is for --log json; the other log always names what plays")

    @property
    def unwatched(self) -> bool:
        """Whether there is neither a window nor a live view."""
        return self.metrics is not None or self.log == "json"
