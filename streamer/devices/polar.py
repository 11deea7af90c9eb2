"""A Polar H10 over Bluetooth Low Energy. Written by its documentation: it has never met a belt."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from streamer.chunk import StreamInfo
from streamer.devices.link import Packet, why_not
from streamer.devices.polar_frames import CONTROL, DATA, FS, START, STOP, decode, stamps_of
from streamer.devices.source import Accounting, DeviceSource
from streamer.errors import InputError, one_line
from streamer.settings import SourceSettings
from streamer.source_kind import LiveKind, Stopped

NEVER_RUN = "this source was written by Polar's documentation and has never run with a belt"
_NAME = "Polar H10"
_CLOSE_S = 10.0


class Radio(Protocol):
    """A connection to a belt; a test has one without a radio."""

    def start(self, heard: Callable[[bytes], None], gone: Callable[[], None]) -> None:
        """Ask for ECG: frames are handed to `heard`, and the end of the connection told by `gone`.

        Raises
        ------
        InputError
            If the belt refuses.
        """
        ...

    def close(self) -> None:
        """Let the belt go; again does no harm."""
        ...


class BleakRadio:
    """A belt by bleak, on a thread of its own.

    Parameters
    ----------
    address
        Of the belt; None takes the first that is called Polar H10.
    look_s
        How long to look for it.

    Raises
    ------
    InputError
        If there is none, or it does not answer.
    """

    def __init__(self, address: str | None, look_s: float) -> None:
        self._gone: Callable[[], None] = lambda: None
        self._client: Any = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bluetooth", daemon=True)
        self._thread.start()
        try:
            self._do(self._connect(address, look_s))
        except BaseException:
            self.close()
            raise

    def _do(self, what: Any) -> None:
        """Have the other thread do it; what goes wrong is told in words."""
        from bleak.exc import BleakError

        try:
            asyncio.run_coroutine_threadsafe(what, self._loop).result()
        except (BleakError, OSError, EOFError, TimeoutError) as error:
            raise InputError(f"Bluetooth cannot reach the belt: {one_line(error)}") from error

    async def _connect(self, address: str | None, look_s: float) -> None:
        from bleak import BleakClient, BleakScanner

        if address is None:
            belt = await BleakScanner.find_device_by_filter(
                lambda device, seen: (seen.local_name or "").startswith(_NAME), look_s
            )
        else:
            belt = await BleakScanner.find_device_by_address(address, look_s)
        if belt is None:
            raise InputError(
                f"no {address or _NAME} was heard within {look_s:g} s; is it worn, with moist electrodes, "
                "and not connected to something else?"
            )
        self._client = BleakClient(belt, disconnected_callback=lambda _: self._gone())
        await self._client.connect()

    def start(self, heard: Callable[[bytes], None], gone: Callable[[], None]) -> None:
        """Ask for ECG."""
        self._gone = gone

        async def ask() -> None:
            await self._client.start_notify(DATA, lambda _, data: heard(bytes(data)))
            await self._client.write_gatt_char(CONTROL, START, response=True)

        self._do(ask())

    def close(self) -> None:
        """Ask for no more, and disconnect."""
        if not self._thread.is_alive():
            return

        async def end() -> None:
            if self._client is not None and self._client.is_connected:
                await self._client.write_gatt_char(CONTROL, STOP, response=True)
                await self._client.disconnect()

        try:
            self._do(asyncio.wait_for(end(), _CLOSE_S))
        except InputError:
            pass  # it has gone by itself
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class BeltLink:
    """Frames of a belt as packets; they wait in a queue of ours, as no sample may be lost there."""

    ended = False
    reopens = True

    def __init__(self, radio: Radio) -> None:
        self._radio = radio
        self._heard: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.problem = ""

    def start(self) -> None:
        """Ask for samples."""
        self._radio.start(self._heard.put, lambda: self._heard.put(None))

    def pull(self, wait_s: float) -> Packet | None:
        """The next frame."""
        nothing = Packet(np.empty((0, 1)))
        try:
            data = self._heard.get(timeout=wait_s)
        except queue.Empty:
            return nothing
        if data is None:
            return None
        frame = decode(data)
        if frame is None:
            # What it lacks its neighbours' stamps will prove.
            self.problem = "the belt sends what is no ECG of a Polar H10"
            return nothing
        self.problem = ""
        return Packet(frame.millivolts[:, None], stamps=stamps_of(frame))

    def close(self) -> None:
        """Let the belt go."""
        self._radio.close()


def belt_source(
    settings: SourceSettings,
    stopped: Stopped,
    radio: Callable[[str | None, float], Radio],
) -> DeviceSource:
    """A belt as a source; `radio` reaches it."""
    address = settings.options.get("address")
    names = settings.leads or ("ECG",)
    if len(names) != 1:
        raise InputError(f"--leads names {len(names)} leads, and a belt has one")
    return DeviceSource(
        StreamInfo(FS, names, _NAME, "/".join(filter(None, ("polar", address))), notes=(NEVER_RUN,)),
        lambda: BeltLink(radio(address, settings.lsl.timeout)),
        Accounting(stamped=True, untimed="the belt's clock cannot be compared with ours"),
        settings,
        stopped,
    )


SOURCE = LiveKind(
    "a Polar H10 over Bluetooth",
    lambda settings, stopped: belt_source(settings, stopped, BleakRadio),
    options=("address",),
    why_not=lambda: why_not("bleak"),
    there=lambda: "works as far as can be told: it was never run with a belt",
)
