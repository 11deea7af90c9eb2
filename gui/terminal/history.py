"""The last seconds of one stream's first lead, for drawing."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.guard.wave_doubt import WaveDoubt, unsure_beats
from engine.marks import Mark
from engine.messages import Cleaned, Message
from gui.vitals import disagree
from streamer.chunk import StreamInfo
from streamer.heart_rate import AVERAGED, DOUBTED_S, UNSURE_BEATS, confirmed_rate, heart_rate, rhythm
from streamer.qrs import find_qrs

DISAGREE = "raw and cleaned disagree"


class HeartRates(NamedTuple):
    """Beats per minute in raw and in cleaned, which has none while the guard passes raw.

    Parameters
    ----------
    words
        That they disagree, or what is to be said of the rhythm; empty where nothing is.
    """

    raw: float | None = None
    cleaned: float | None = None
    words: str = ""


class History:
    """Ring of the newest samples; a gap shows as NaN, at its true length.

    Parameters
    ----------
    info
        Stream as the engine sends it.
    seconds
        How far back it reaches.

    Attributes
    ----------
    unsure
        Of the first lead's output, (samples,): by `engine.guard.wave_doubt`.
    """

    def __init__(self, info: StreamInfo, seconds: float = 10.0) -> None:
        self.fs = info.fs
        self._rows = np.full((2, round(seconds * info.fs)), np.nan, np.float32)
        self.unsure = np.zeros(self._rows.shape[1], np.bool_)
        self._doubt = WaveDoubt(len(info.leads), info.fs)
        self._doubted_until: int | None = None
        self._next: int | None = None

    @property
    def raw(self) -> NDArray[np.float32]:
        """Input of the first lead in mV, oldest first."""
        row: NDArray[np.float32] = self._rows[0]
        return row

    @property
    def cleaned(self) -> NDArray[np.float32]:
        """Output of the first lead in mV, oldest first."""
        row: NDArray[np.float32] = self._rows[1]
        return row

    def push(self, message: Message) -> None:
        """Move on to a message; messages that the screen never got are a gap as well."""
        length = self._rows.shape[1]
        ahead = message.stop - (message.start if self._next is None else self._next)
        self._next = message.stop
        moved = min(ahead, length)
        self._rows[:, : length - moved] = self._rows[:, moved:]
        self._rows[:, length - moved :] = np.nan
        self.unsure[: length - moved] = self.unsure[moved:]
        self.unsure[length - moved :] = False
        if isinstance(message, Cleaned):
            count = min(message.raw.shape[1], length)
            self._rows[0, length - count :] = message.raw[0, -count:]
            self._rows[1, length - count :] = message.cleaned[0, -count:]
            doubted = np.flatnonzero(message.marks[0] == Mark.BYPASSED)
            if doubted.size:
                self._doubted_until = message.start + int(doubted[-1]) + 1
        first, unsure = self._doubt.push(message)
        if unsure.any():
            at = np.arange(first, first + unsure.shape[1]) - message.stop + length
            self.unsure[at[at >= 0]] = unsure[0, at >= 0]

    def heart_rates(self) -> HeartRates:
        """Those of all that is kept."""
        raw_beats, beats = find_qrs(self.raw, self.fs), find_qrs(self.cleaned, self.fs, self.raw)
        raw = heart_rate(raw_beats, self.raw, self.fs)
        if self._doubted:
            return HeartRates(raw, None, rhythm(raw_beats, self.raw, self.fs))
        unsure = unsure_beats(beats, self.unsure, self.fs)
        cleaned = confirmed_rate(raw, beats, self.cleaned, self.fs, unsure)
        if unsure[-AVERAGED - 1 :].any():
            return HeartRates(raw, cleaned, UNSURE_BEATS)
        if disagree(raw, cleaned):
            return HeartRates(raw, cleaned, DISAGREE)
        return HeartRates(raw, cleaned, rhythm(beats, self.cleaned, self.fs) if cleaned else "")

    @property
    def _doubted(self) -> bool:
        until, now = self._doubted_until, self._next
        return until is not None and now is not None and now - until < DOUBTED_S * self.fs
