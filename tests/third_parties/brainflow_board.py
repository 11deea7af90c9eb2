"""BrainFlow's synthetic board on LSL, as people's own scripts do it: ``python brainflow_board.py STREAM``.

It asks the board every few milliseconds for what it has and pushes that without stamps, until its input
ends. Lead ``board`` is a channel of the board; ``counter`` counts samples, after the board's own numbers have
shown that BrainFlow has lost none.
"""

import sys
import threading
import types
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pylsl

try:
    import pkg_resources
except ModuleNotFoundError:
    # BrainFlow 5.23 finds its libraries on Python 3.11 by what setuptools 82 has dropped.
    pkg_resources = types.ModuleType("pkg_resources")
    folder = Path(find_spec("brainflow").origin).parent
    pkg_resources.resource_filename = lambda module, name: str(folder / name)
    sys.modules["pkg_resources"] = pkg_resources

from brainflow.board_shim import BoardIds, BoardShim, BrainFlowInputParams

_ASKED_S = 0.02
_NUMBERS = 256


def main() -> None:
    """Publish the board."""
    board_id = BoardIds.SYNTHETIC_BOARD.value
    BoardShim.disable_board_logger()
    fs, numbers = BoardShim.get_sampling_rate(board_id), BoardShim.get_package_num_channel(board_id)
    signal = BoardShim.get_ecg_channels(board_id)[0]
    info = pylsl.StreamInfo(sys.argv[1], "ECG", 2, fs, pylsl.cf_float32, "brainflow")
    channels = info.desc().append_child("channels")
    for label in ("board", "counter"):
        channel = channels.append_child("channel")
        for field, text in (("label", label), ("unit", "microvolts"), ("type", "ECG")):
            channel.append_child_value(field, text)
    outlet = pylsl.StreamOutlet(info)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    print("ready", flush=True)
    board = BoardShim(board_id, BrainFlowInputParams())
    board.prepare_session()
    board.start_stream()
    sent, last = 0, None
    while not ended.wait(_ASKED_S):
        data = board.get_board_data()
        count = data.shape[1]
        if not count:
            continue
        came = data[numbers].astype(int)
        expected = ((came[0] if last is None else last + 1) + np.arange(count)) % _NUMBERS
        if not np.array_equal(came, expected):
            raise SystemExit("BrainFlow itself has lost samples")
        last = int(came[-1])
        outlet.push_chunk(np.stack([data[signal], sent + np.arange(count)], axis=1).astype(np.float32))
        sent += count
    board.stop_stream()
    board.release_session()


if __name__ == "__main__":
    main()
