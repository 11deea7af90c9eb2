"""What BrainFlow knows of its boards, and which of their channels are meant."""

import difflib
import sys
import types
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from streamer.errors import InputError, some
from streamer.settings import SourceSettings

_PLAYBACK = "PLAYBACK_FILE"


@cache
def load_brainflow() -> types.SimpleNamespace:
    """The library, with its log off, which would write over the view.

    BrainFlow 5.23 finds its drivers on Python 3.11 by `pkg_resources`, which warns, and which setuptools 82
    has dropped.
    """
    stand_in = "pkg_resources" not in sys.modules
    if stand_in:
        module = types.ModuleType("pkg_resources")
        folder = Path(str(find_spec("brainflow").origin)).parent  # type: ignore[union-attr]
        module.resource_filename = lambda _, name: str(folder / name)  # type: ignore[attr-defined]
        sys.modules["pkg_resources"] = module
    try:
        from brainflow import board_shim, data_filter, exit_codes

        # Its libraries are loaded at the first call.
        board_shim.BoardShim.disable_board_logger()
        data_filter.DataFilter.disable_data_logger()
    finally:
        if stand_in:
            del sys.modules["pkg_resources"]
    return types.SimpleNamespace(
        Board=board_shim.BoardShim,
        Ids=board_shim.BoardIds,
        Params=board_shim.BrainFlowInputParams,
        read_file=data_filter.DataFilter.read_file,
        Error=exit_codes.BrainFlowError,
    )


@dataclass(frozen=True)
class Board:
    """What BrainFlow knows of a board.

    Parameters
    ----------
    name
        As in ``BoardIds``, without ``_BOARD``.
    id
        The number of the board that is opened, and of the one whose layout its data have.
    """

    name: str
    id: int
    layout: int
    fs: float
    ecg: tuple[int, ...]
    exg: tuple[int, ...]
    rows: int
    numbers: int | None
    times: int


def _boards() -> dict[str, int]:
    return {each.name.removesuffix("_BOARD"): int(each.value) for each in load_brainflow().Ids}


def find_board(asked: str, option: str = "board") -> tuple[str, int]:
    """Name and number of a board that a user named, in any spelling, or gave the number of.

    Raises
    ------
    InputError
        If there is none.
    """
    boards = _boards()
    name = asked.strip().upper().replace("-", "_").replace(" ", "_").removesuffix("_BOARD")
    name = {"PLAYBACK": _PLAYBACK}.get(name, name)
    for known, number in boards.items():
        if known == name or str(number) == asked.strip():
            return known, number
    near = difflib.get_close_matches(name, boards, 3, 0.4) or list(boards)
    raise InputError(
        f"--{option} {asked!r} is no board of BrainFlow; near it: "
        f"{some([each.lower() for each in near])} (or its number)"
    )


def describe(settings: SourceSettings) -> Board:
    """What BrainFlow says of the board that is asked for.

    Raises
    ------
    InputError
        If it says nothing, or options are missing.
    """
    name, number = find_board(settings.option("board"))
    layout = number
    if name == _PLAYBACK:
        master, layout = find_board(settings.option("master"), "master")
        if not Path(settings.option("file")).is_file():
            raise InputError(
                f"--file {settings.option('file')} does not exist; give a file of BrainFlow's own"
            )
        name = f"{name} of {master}"
    flow = load_brainflow()
    try:
        facts: dict[str, Any] = flow.Board.get_board_descr(layout)
    except flow.Error as error:
        raise InputError(f"BrainFlow describes no board {name}: {error}") from error
    exg = sorted(
        {each for kind in ("ecg", "eeg", "emg", "eog") for each in facts.get(f"{kind}_channels", ())}
    )
    return Board(
        name, number, layout, float(facts["sampling_rate"]), tuple(facts.get("ecg_channels", ())), tuple(exg),
        int(facts["num_rows"]), facts.get("package_num_channel"), int(facts["timestamp_channel"]),
    )  # fmt: skip


def choose_channels(board: Board, asked: str | None) -> tuple[int, ...]:
    """Rows of BrainFlow's data that are played: those that it calls ECG, or those that were asked for.

    Raises
    ------
    InputError
        If it calls none ECG and none were asked for, or there is no such row.
    """
    if asked is None:
        if board.ecg:
            return board.ecg
        said = (
            f"its ExG channels are {some([str(each) for each in board.exg])}" if board.exg else "nor any ExG"
        )
        raise InputError(
            f"BrainFlow says of no channel of {board.name} that it is ECG; {said}; choose with --channels"
        )
    words = asked.replace("+", ",").split(",")
    try:
        rows = tuple(int(word) for word in words)
    except ValueError:
        rows = ()
    if not rows or len(set(rows)) < len(rows) or not set(rows) <= set(board.exg or range(board.rows)):
        allowed = some([str(each) for each in board.exg or range(board.rows)])
        raise InputError(f"--channels {asked!r} is no list of channels of {board.name}; it has: {allowed}")
    return rows
