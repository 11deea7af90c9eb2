"""Boards that BrainFlow knows, among them its synthetic one and its player of recordings.

What BrainFlow says of its values: time stamps are made by its driver on arrival, seconds of the Unix clock;
ECG and other ExG channels are in µV (https://brainflow.readthedocs.io, "Data Format Description").
"""

import threading
import time
from pathlib import Path

import numpy as np

from streamer.chunk import StreamInfo
from streamer.devices.brainflow_boards import Board, choose_channels, describe, load_brainflow
from streamer.devices.link import Packet, why_not
from streamer.devices.source import Accounting, DeviceSource
from streamer.errors import InputError
from streamer.settings import SourceSettings
from streamer.source_kind import LiveKind, Stopped
from streamer.units import millivolts_of

_MODULO = {"SYNTHETIC": 256, "CYTON": 256, "CYTON_WIFI": 256}
"""Boards that number every sample, and where the numbers begin anew; of others only a user can say so."""
_PARAMS = ("serial_port", "mac_address", "ip_address", "ip_port", "serial_number")
_ASKED_S = 0.01  # between two looks at the driver's buffer, which cannot be waited for
_PLAYED_SILENCE_S = 3.0
_open: set[tuple[str, ...]] = set()
_open_lock = threading.Lock()


class BoardLink:
    """One session of BrainFlow, by one handle: a second one would take samples, and end the first.

    Parameters
    ----------
    board, channels
        What to read.
    options
        Of BrainFlow's input parameters, those given.
    scale
        mV of one unit of its values.
    modulo
        Of the board's own numbers; None leaves them alone.
    """

    problem = ""
    reopens = True

    def __init__(
        self,
        board: Board,
        channels: tuple[int, ...],
        options: dict[str, str],
        scale: float,
        modulo: int | None,
    ) -> None:
        flow = load_brainflow()
        self._columns, self._facts, self._scale, self._modulo = list(channels), board, scale, modulo
        self._key = (str(board.id), *(f"{name}={value}" for name, value in sorted(options.items())))
        params = flow.Params()
        for name, value in options.items():
            setattr(params, name, int(value) if name == "ip_port" else value)
        self.ended = False
        self._left: int | None = None
        if "file" in options:
            params.master_board = board.layout
            self._left = flow.read_file(options["file"]).shape[1]
        with _open_lock:
            if self._key in _open:
                raise InputError(f"board {board.name} is in use by this run already; a board has one session")
            _open.add(self._key)
        try:
            self._board = flow.Board(board.id, params)
            self._board.prepare_session()
        except flow.Error as error:
            _forget(self._key)
            raise InputError(f"board {board.name} cannot be reached: {error}") from error
        self._heard = time.perf_counter()

    def start(self) -> None:
        """Begin to stream."""
        flow = load_brainflow()
        try:
            self._board.start_stream()
        except flow.Error as error:
            raise InputError(f"board {self._facts.name} does not begin to send: {error}") from error
        self._heard = time.perf_counter()

    def pull(self, wait_s: float) -> Packet | None:
        """What the driver's buffer holds."""
        flow = load_brainflow()
        end = time.perf_counter() + wait_s
        while True:
            try:
                data = self._board.get_board_data()
            except flow.Error:
                return None
            now = time.perf_counter()
            if data.shape[1] or now >= end:
                break
            time.sleep(_ASKED_S)
        count = data.shape[1]
        if count:
            self._heard = now
        if self._left is not None:
            self._left -= count
            # A recording ends in silence; what its driver skips never comes.
            self.ended = self._left <= 0 or now - self._heard > _PLAYED_SILENCE_S
        numbers = None
        if self._modulo is not None:
            numbers = data[self._facts.numbers].astype(np.int64)
        return Packet(
            self._scale * data[self._columns].T,
            numbers,
            times=data[self._facts.times] - (time.time() - time.perf_counter()),
        )

    def close(self) -> None:
        """End the session."""
        if self._board is not None:
            flow = load_brainflow()
            try:
                self._board.release_session()
            except flow.Error:
                pass  # a board that has gone is released already
            finally:
                self._board = None
                _forget(self._key)


def _forget(key: tuple[str, ...]) -> None:
    with _open_lock:
        _open.discard(key)


def _modulo_of(board: Board, settings: SourceSettings) -> tuple[int | None, tuple[str, ...]]:
    """Where the board's numbers wrap, and what to know where that is not known."""
    asked = settings.options.get("counter")
    if asked is None:
        modulo = _MODULO.get(board.name.rpartition(" of ")[2])
        if modulo is None:
            return None, (
                f"how {board.name} numbers its samples is not known: they are counted, and a loss is found "
                "late; --counter 256 says that its package numbers go on by one and wrap at 256",
            )
        return modulo, ()
    if asked == "none":
        return None, ()
    if not asked.isdigit() or int(asked) < 2 or board.numbers is None:
        raise InputError(
            f"--counter {asked!r} cannot be used; give the number at which the board's package numbers begin "
            "at 0 again, such as 256, or none"
        )
    return int(asked), ()


def _open_board(settings: SourceSettings, stopped: Stopped) -> DeviceSource:
    board = describe(settings)
    channels = choose_channels(board, settings.options.get("channels"))
    modulo, notes = _modulo_of(board, settings)
    names = settings.leads or tuple(f"ch{channel}" for channel in channels)
    if len(names) != len(channels):
        raise InputError(f"--leads names {len(names)} leads, and {len(channels)} channels are played")
    lsl = settings.lsl
    scale = lsl.scale if lsl.scale is not None else millivolts_of(lsl.unit or "uV")
    assert scale is not None  # units are checked by their settings
    options = {name: settings.options[name] for name in _PARAMS if name in settings.options}
    if board.id != board.layout or "file" in settings.options:
        options["file"] = str(Path(settings.option("file")).resolve())
    if "ip_port" in options and not options["ip_port"].isdigit():
        raise InputError(f"--ip-port {options['ip_port']!r} is no port number")
    where = next(iter(options.values()), "")
    info = StreamInfo(
        board.fs,
        names,
        f"BrainFlow {board.name.lower()}",
        "/".join(filter(None, ("brainflow", board.name.lower(), where))),
        notes=notes,
        origin="synthetic" if board.name == "SYNTHETIC" else "record" if "file" in options else "live",
    )
    return DeviceSource(
        info,
        lambda: BoardLink(board, channels, options, scale, modulo),
        Accounting(modulo),
        settings,
        stopped,
    )


SOURCE = LiveKind(
    "a board by BrainFlow",
    _open_board,
    options=("board", "file", "master", "channels", "counter", *_PARAMS),
    why_not=lambda: why_not("brainflow"),
)
