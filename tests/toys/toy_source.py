"""An ECG in a text file: a line for each sample, a column for each lead, numbers in one unit."""

from pathlib import Path

import numpy as np

from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.settings import SourceSettings
from streamer.source import Block
from streamer.source_kind import PlayedKind

MV_OF_UNIT = {"V": 1000.0, "mV": 1.0, "uV": 0.001}


class TextSignal:
    """The file in memory; played as ``--source text:file=ecg.txt,fs=250,unit=uV``."""

    def __init__(self, settings: SourceSettings) -> None:
        path, unit = Path(settings.option("file")), settings.option("unit", "mV")
        if unit not in MV_OF_UNIT:
            raise InputError(f"unit {unit!r} is unknown; allowed: {', '.join(MV_OF_UNIT)}")
        try:
            rows = np.loadtxt(path, ndmin=2)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read: {error}") from error
        self._data = (MV_OF_UNIT[unit] * rows.T).astype(np.float32)
        leads = tuple(f"lead {number + 1}" for number in range(len(self._data)))
        self.info = StreamInfo(settings.number("fs"), leads, path.stem, f"text/{path}")
        self.length = rows.shape[0]

    def read(self, start: int, count: int) -> Block:
        """`count` samples from index `start`, in mV; without a reference, the data stand in for it."""
        data = self._data[:, start : start + count]
        return Block(data, data)


SOURCE = PlayedKind("a text file", TextSignal, options=("file", "fs", "unit"))
