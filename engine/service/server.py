"""Figures, health and readiness over HTTP, on one port."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol

from engine.service.watcher import Newest
from streamer.console.installed import how_to_install
from streamer.errors import InputError

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

LOOPBACK = "127.0.0.1"


class Health(Protocol):
    """What is well or is not; each answer is why not, empty where there is nothing."""

    def why_unhealthy(self) -> str:
        """Why the process should be started anew."""

    def why_not_ready(self) -> str:
        """Why it does not do its work now."""


def parse_address(text: str) -> tuple[str, int]:
    """``[HOST:]PORT`` as host and port; without a host only this machine is served.

    Raises
    ------
    InputError
        If it is none.
    """
    host, _, port = text.rpartition(":")
    if not (port.isdigit() and int(port) < 65536):
        raise InputError(f"--metrics is {text!r}; allowed: PORT or HOST:PORT, as 9464 or 0.0.0.0:9464")
    return host.removeprefix("[").removesuffix("]") or LOOPBACK, int(port)


@contextmanager
def served(address: str, newest: Newest, model: str) -> Iterator[tuple[str, int]]:
    """Serve the newest of a run while it lasts.

    Parameters
    ----------
    model
        Name of the network.

    Yields and raises what `figures_served` does.
    """

    def collector() -> "Collector":
        from engine.service.metrics import RunCollector

        return RunCollector(newest, model)

    with figures_served(address, newest, collector) as where:
        yield where


@contextmanager
def figures_served(
    address: str, health: Health, collector: "Callable[[], Collector]"
) -> Iterator[tuple[str, int]]:
    """Serve figures and health.

    Parameters
    ----------
    address
        As for `parse_address`; port 0 takes any that is free.
    collector
        Opens what makes the figures; Prometheus' library is there by then.

    Yields
    ------
    tuple
        Host and port that are listened on.

    Raises
    ------
    InputError
        If it cannot be listened there, or Prometheus' library is not installed.
    """
    host, port = parse_address(address)
    try:
        from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
        from prometheus_client.exposition import choose_encoder
    except ImportError as error:
        raise InputError(f"--metrics needs prometheus-client: {how_to_install('service')}") from error

    registry = CollectorRegistry()
    registry.register(collector())
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)

    class Answers(BaseHTTPRequestHandler):
        # A client that sends nothing must not hold a thread for ever.
        timeout = 10

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                encode, kind = choose_encoder(self.headers.get("Accept", ""))
                self._answer(200, kind, encode(registry))
            elif path in ("/health", "/ready"):
                why = health.why_unhealthy() if path == "/health" else health.why_not_ready()
                self._answer(503 if why else 200, "text/plain; charset=utf-8", f"{why or 'ok'}\n".encode())
            else:
                self._answer(404, "text/plain; charset=utf-8", b"/metrics, /health and /ready are here\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: it is asked every few seconds."""

    try:
        (family, *_), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        server = _server_of(family)((host, port), Answers)
    except OSError as error:
        raise InputError(f"--metrics cannot listen on {address}: {error.strerror}") from error
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="metrics", daemon=True)
    thread.start()
    try:
        yield host, server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _server_of(family: int) -> type[ThreadingHTTPServer]:
    class Server(ThreadingHTTPServer):
        address_family = family
        daemon_threads = True

    return Server
