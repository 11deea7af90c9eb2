"""Signal files in FLAC, formats 508, 516, 524 of ``signal(5)``: unpacked while they change, then packed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files.wfdb_formats import BITS, SignalFile
from streamer.errors import InputError, one_line

_BITS = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}
_LEFT = 32
"""soundfile moves samples so that their highest bit is that of the type they are read as."""
_BLOCK = 1 << 18


@dataclass(frozen=True)
class FlacFile(SignalFile):
    """As `SignalFile`; FLAC holds its signals side by side, and `offset` counts their samples.

    Parameters
    ----------
    signals
        That are in it.
    subtype
        Bits of a sample, as soundfile calls them.
    """

    signals: int
    subtype: str

    @property
    def _unpacked(self) -> SignalFile:
        code = "24" if self.code == "524" else "16"
        return SignalFile(f".{self.name}.unpacked", code, 0, self.signals, 0)

    def begin(self, folder: Path) -> None:
        """As `SignalFile.begin`."""
        unpacked = self._unpacked
        with _opened(folder / self.name) as flac:
            with (folder / unpacked.name).open("wb") as made:
                made.truncate(flac.frames * self.signals * BITS[unpacked.code] // 8)
            for first in range(0, flac.frames, _BLOCK):
                unpacked.write(folder, first, _numbers(flac, first, min(first + _BLOCK, flac.frames)))

    def finish(self, folder: Path) -> None:
        """As `SignalFile.finish`."""
        import soundfile

        unpacked = self._unpacked
        with _opened(folder / self.name) as flac:
            rate, count = flac.samplerate, flac.frames
        made = soundfile.SoundFile(folder / self.name, "w", rate, self.signals, self.subtype, format="FLAC")
        with made as flac:
            for first in range(0, count, _BLOCK):
                samples = unpacked.read(folder, first, min(first + _BLOCK, count))
                flac.write((samples << _LEFT - _BITS[self.subtype]).astype(np.int32))
        (folder / unpacked.name).unlink()

    def read(self, folder: Path, first: int, last: int) -> NDArray[np.int64]:
        """As `SignalFile.read`."""
        in_frame = self.width // self.signals
        start, stop = (self.offset + each * in_frame for each in (first, last))
        if (folder / self._unpacked.name).is_file():
            samples = self._unpacked.read(folder, start, stop)
        else:
            with _opened(folder / self.name) as flac:
                samples = _numbers(flac, start, stop)
        return samples.reshape(-1, in_frame, self.signals).swapaxes(1, 2).reshape(-1, self.width)

    def write(self, folder: Path, first: int, frames: NDArray[np.int64]) -> None:
        """As `SignalFile.write`."""
        in_frame = self.width // self.signals
        samples = frames.reshape(-1, self.signals, in_frame).swapaxes(1, 2).reshape(-1, self.signals)
        self._unpacked.write(folder, self.offset + first * in_frame, samples)


def flac_file(file: Path, code: str, offset: int, frame: Sequence[int]) -> FlacFile:
    """As `wfdb_formats.signal_file`."""
    with _opened(file) as flac:
        bits = _BITS.get(flac.subtype, 0)
        if not 0 < bits <= BITS[code] or flac.channels != len(frame) or len(set(frame)) > 1:
            raise InputError(
                f"{file} holds {flac.channels} signals as {flac.subtype}, its header says {len(frame)} of "
                f"{' and '.join(map(str, sorted(set(frame))))} samples a frame in format {code}"
            )
        _numbers(flac, max(0, flac.frames - 1), flac.frames)
        frames = max(0, flac.frames - offset) // frame[0]
        return FlacFile(file.name, code, offset, sum(frame), frames, len(frame), flac.subtype)


def _opened(file: Path) -> Any:
    import soundfile

    try:
        return soundfile.SoundFile(file)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{file} cannot be read as FLAC: {one_line(error)}") from error


def _numbers(flac: Any, start: int, stop: int) -> NDArray[np.int64]:
    """Samples start … stop-1, (samples, signals); raises InputError where the file breaks off before."""
    import soundfile

    try:
        flac.seek(start)
        found: NDArray[np.int64] = flac.read(stop - start, "int32", always_2d=True).astype(np.int64)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{flac.name} is truncated or damaged: {one_line(error)}") from error
    if len(found) < stop - start:
        raise InputError(f"{flac.name} is truncated: {start + len(found)} of {flac.frames} samples are there")
    return found >> _LEFT - _BITS[flac.subtype]
