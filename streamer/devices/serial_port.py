"""A device that sends numbers on a serial port: an Arduino, say, as lines of text or binary frames."""

import contextlib
import time
from pathlib import PurePath

import numpy as np

from streamer.chunk import StreamInfo
from streamer.devices.link import Packet, why_not
from streamer.devices.serial_format import ENDLESS, Format, FrameFormat, TextFormat, as_rows
from streamer.devices.source import Accounting, DeviceSource
from streamer.errors import InputError, one_line, some
from streamer.lsl.inlet import HIGHEST_HZ, LOWEST_HZ
from streamer.settings import SourceSettings
from streamer.source_kind import LiveKind, Stopped
from streamer.units import millivolts_of

_GATHER_S = 0.01
"""So long the port is left alone once something has come: a packet a sample would cost too much."""
_MOSTLY = 0.5
_JUDGED = 32  # samples, or what came in their place


class PortLink:
    """An open port.

    Parameters
    ----------
    port, baud
        Which, and how fast.
    format
        How samples stand in its bytes.
    columns, counter
        Which of a sample's values hold ECG, and which counts, from 0.
    scale
        mV of one unit.
    """

    ended = False
    # An Arduino begins anew when its port is opened: silence may be meant.
    reopens = False

    def __init__(
        self,
        port: str,
        baud: int,
        format: Format,
        columns: tuple[int, ...],
        counter: int | None,
        scale: float,
    ) -> None:
        import serial

        self._format, self._columns, self._counter, self._scale = format, columns, counter, scale
        self._name, self._baud = port, baud
        self._read = self._unread = 0
        self.problem = ""
        self._errors = _errors()
        try:
            self._port = serial.Serial(port, baud, timeout=0, exclusive=True)
        except self._errors as error:
            raise InputError(
                f"port {port} cannot be opened: {one_line(error)}; there is: {ports()}"
            ) from error
        format.restart()

    def start(self) -> None:
        """Forget what came before."""
        try:
            self._port.reset_input_buffer()
        except self._errors:
            pass  # it has gone, as the next read will tell
        self._format.restart()

    def pull(self, wait_s: float) -> Packet | None:
        """Samples that have come; those that cannot be read are lost ones, or left to the counter."""
        try:
            self._port.timeout = wait_s
            data = self._port.read(1)
            if data:
                time.sleep(_GATHER_S)
                data += self._port.read(self._port.in_waiting)
        except self._errors:
            return None
        samples = self._format.feed(data)
        self._judge(samples)
        if self._counter is None:
            return Packet(self._scale * as_rows(samples, self._columns))
        counter = self._counter
        counted = [values for values in samples if values is not None and abs(values[counter]) <= ENDLESS]
        numbers = np.array([int(values[counter]) for values in counted], np.int64)
        return Packet(self._scale * as_rows([*counted], self._columns), numbers)

    def _judge(self, samples: list[list[float] | None]) -> None:
        """Say it where most of what comes cannot be read."""
        self._read += len(samples)
        self._unread += samples.count(None)
        if self._read >= _JUDGED:
            self.problem = ""
            if self._unread > _MOSTLY * self._read:
                self.problem = (
                    f"what {self._name} sends is not as --format and --columns say, or not at {self._baud} "
                    f"baud: {self._format.unread}"
                )
            self._read = self._unread = 0

    def close(self) -> None:
        """Close the port."""
        self._port.close()


def _errors() -> tuple[type[Exception], ...]:
    """What pyserial raises when a port goes away: on Unix what `termios` raises too, which is no OSError."""
    import serial

    with contextlib.suppress(ImportError):
        import termios

        return serial.SerialException, OSError, ValueError, termios.error
    return serial.SerialException, OSError, ValueError


def ports() -> str:
    """The serial ports of this machine, in words."""
    from serial.tools.list_ports import comports

    return some([port.device for port in comports()]) or "no serial port here"


def _whole(option: str, text: str, least: int = 1) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise InputError(f"--{option} {text!r} must be a whole number from {least} on")
    return int(text)


def _columns(settings: SourceSettings) -> tuple[int, ...]:
    text = settings.option("columns", "1")
    columns = tuple(_whole("columns", word.strip()) - 1 for word in text.replace("+", ",").split(","))
    if len(set(columns)) < len(columns):
        raise InputError(f"--columns {text!r} names a value twice")
    return columns


def _counter(settings: SourceSettings) -> tuple[int | None, int | None]:
    """Which value counts, from 0, and where it begins anew; None where that is not stated."""
    text = settings.options.get("counter")
    if text is None or text == "none":
        return None, None
    column, colon, modulo = text.partition(":")
    return _whole("counter", column) - 1, _whole("counter", modulo, 2) if colon else None


def _format(settings: SourceSettings, columns: tuple[int, ...], counter: int | None) -> Format:
    text = settings.option("format", "text")
    needed = 1 + max(*columns, *columns, -1 if counter is None else counter)
    if text == "text":
        return TextFormat(needed)
    frame = FrameFormat(text, counter)
    if needed > frame.values:
        raise InputError(f"--format {text!r} has {frame.values} values, and the {needed}th is asked for")
    return frame


def _open_port(settings: SourceSettings, stopped: Stopped) -> DeviceSource:
    port, fs = settings.option("port"), settings.number("rate")
    if not LOWEST_HZ <= fs <= HIGHEST_HZ:
        raise InputError(f"--rate {fs:g} is out of range; allowed: {LOWEST_HZ:g} to {HIGHEST_HZ:g} Hz")
    baud = _whole("baud", settings.option("baud", "115200"))
    columns = _columns(settings)
    counter, modulo = _counter(settings)
    if counter in columns:
        raise InputError(f"value {columns[columns.index(counter)] + 1} cannot be ECG and a counter")
    format = _format(settings, columns, counter)
    lsl = settings.lsl
    if lsl.unit is None and lsl.scale is None:
        raise InputError(
            "a serial port does not say its unit; state it with --unit V, mV or uV, or with --scale, the mV "
            "of one count"
        )
    scale = lsl.scale if lsl.scale is not None else millivolts_of(lsl.unit or "")
    assert scale is not None  # units are checked by their settings
    names = settings.leads or (("ECG",) if len(columns) == 1 else tuple(f"ECG {c + 1}" for c in columns))
    if len(names) != len(columns):
        raise InputError(f"--leads names {len(names)} leads, and --columns {len(columns)} values")
    notes = () if counter is not None else (
        "samples carry no number: they are counted as they come, and a loss is found some seconds late; "
        "--counter says which value counts them",
    )  # fmt: skip
    return DeviceSource(
        StreamInfo(fs, names, f"serial {PurePath(port).name}", f"serial/{port}", notes=notes),
        lambda: PortLink(port, baud, format, columns, counter, scale),
        Accounting(
            None if counter is None else modulo or format.modulo,
            stated="--rate",
            untimed="a serial port does not say when a sample was taken",
        ),
        settings,
        stopped,
    )


SOURCE = LiveKind(
    "numbers on a serial port",
    _open_port,
    options=("port", "rate", "baud", "format", "columns", "counter"),
    why_not=lambda: why_not("serial"),
    there=lambda: f"works; {ports()}",
)
