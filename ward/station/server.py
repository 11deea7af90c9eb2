"""The station's server: a page, its socket, and whether all is well."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from streamer.errors import InputError
from ward.beds import Beds
from ward.station.access import Address, refusal
from ward.station.viewer import LONGEST_MESSAGE, Misspoken, Viewer

MOST_VIEWERS = 64
UPDATE_S = 0.04
"""Between two frames of traces: 25 a second."""
STATES_S = 1.0
_GREETING_S = 5.0
_PAGE = Path(__file__).parent / "page"
# Nothing of another site is loaded, and no other site may frame the page.
_HEADERS = {
    "content-security-policy": "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
# WebSocket close codes (RFC 6455, 7.4.1).
_POLICY, _UNSUPPORTED, _TRY_LATER = 1008, 1003, 1013


class Station:
    """Serves the station on a thread of its own. Use in a ``with``.

    Parameters
    ----------
    beds
        What it shows.
    address
        Where it listens; port 0 takes any that is free.
    ready
        Whether every worker plays.

    Raises
    ------
    InputError
        If it cannot listen there.
    """

    def __init__(self, beds: Beds, address: Address, ready: Callable[[], bool]) -> None:
        self._beds, self._ready = beds, ready
        self._viewers = 0
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((address.host, address.port))
            # Who comes before the thread serves waits, and is not refused.
            self._socket.listen(MOST_VIEWERS)
        except OSError as error:
            self._socket.close()
            raise InputError(
                f"the station cannot listen on {address.host}:{address.port}: {error.strerror}; "
                "give another address with --serve"
            ) from error
        self.address = Address(address.host, self._socket.getsockname()[1], address.token)
        routes = [
            WebSocketRoute("/beds", self._show),
            Route("/health", self._health),
            Route("/ready", self._is_ready),
            Mount("/", StaticFiles(directory=_PAGE, html=True)),
        ]
        self._server = uvicorn.Server(
            uvicorn.Config(
                _WithHeaders(Starlette(routes=routes)),
                log_config=None,
                access_log=False,
                server_header=False,
                ws_max_size=LONGEST_MESSAGE,
                ws_max_queue=4,
                ws_per_message_deflate=False,
                timeout_graceful_shutdown=1,
                limit_concurrency=4 * MOST_VIEWERS,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="station", daemon=True)

    def __enter__(self) -> "Station":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"beds": len(self._beds.all), "viewers": self._viewers})

    async def _is_ready(self, request: Request) -> Response:
        ready = self._ready()
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)

    async def _show(self, browser: WebSocket) -> None:
        """Serve one browser until it leaves, or says what no page of ours does."""
        await browser.accept()
        if self._viewers >= MOST_VIEWERS:
            await browser.close(_TRY_LATER, f"{MOST_VIEWERS} browsers look already; try again later")
            return
        self._viewers += 1
        viewer = Viewer(self._beds)
        # One that does not read ends by itself: the server's own pings find it out.
        tasks: list[asyncio.Task[None]] = []
        try:
            # A browser cannot give headers to a socket: its first message is the token.
            token = await asyncio.wait_for(browser.receive_text(), _GREETING_S)
            why = refusal(self.address, dict(browser.headers), token)
            if why:
                await browser.close(_POLICY, why)
                return
            tasks = [
                asyncio.create_task(self._hear(browser, viewer)),
                asyncio.create_task(self._send(browser, viewer)),
            ]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except TimeoutError:
            await browser.close(_POLICY, f"no token within {_GREETING_S:g} s")
        except Misspoken as error:
            await browser.close(_UNSUPPORTED, str(error))
        except (KeyError, RuntimeError, WebSocketDisconnect, OSError):
            # It has left, or has sent bytes where text is expected.
            pass
        finally:
            self._viewers -= 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await browser.close()

    async def _hear(self, browser: WebSocket, viewer: Viewer) -> None:
        while True:
            viewer.hear(await browser.receive_text())

    async def _send(self, browser: WebSocket, viewer: Viewer) -> None:
        loop = asyncio.get_running_loop()
        states_due = loop.time()
        while True:
            begun = loop.time()
            if begun >= states_due:
                states_due = begun + STATES_S
                await browser.send_text(viewer.states())
            for frame in (viewer.review(), viewer.newest()):
                if frame:
                    # It waits here for a browser that reads slowly; what is made next is the newest again.
                    await browser.send_bytes(frame)
            await asyncio.sleep(max(0.0, UPDATE_S - (loop.time() - begun)))


class _WithHeaders:
    """Every answer with the headers that keep other sites out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                pairs = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *pairs]}
            await send(message)

        await self._app(scope, receive, answer)
