"""XDF: the values of the ECG change in a copy, every other byte stays."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files.leads import told_apart
from engine.files.opened import Channel, Opened, Rows, Stated, Told
from engine.files.stretches import LONGEST_S, Stretch, samples_of, stored_in
from engine.files.verdicts import Span
from engine.files.xdf_samples import sample_places
from streamer.console.installed import how_to_install
from streamer.errors import InputError, one_line
from streamer.lsl.metadata import Channel as Described
from streamer.lsl.metadata import described, says_ecg
from streamer.plain import plain
from streamer.regularise import Regulariser
from streamer.stamped import CHECKED_S
from streamer.stated_rate import other_rate, plain_rate


@dataclass(frozen=True)
class _Stream:
    """A regular stream of numbers.

    Parameters
    ----------
    values
        (samples, channels), as the file holds them.
    stamps
        Seconds of the recorder's clock.
    places
        Bytes of the file before the values of each sample.
    """

    values: NDArray[Any]
    stamps: NDArray[np.float64]
    places: NDArray[np.int64]
    stretches: list[Stretch]


class Xdf(Opened):
    """One XDF file; see `engine.files.opened.Opened`. It is held whole.

    Of every regular stream the samples lie in time as their stamps say, by the rules of a live stream: a gap
    is left only where the stamps prove one.
    """

    def __init__(self, file: Path, stated: Stated) -> None:
        self.files, self._target = (file,), file
        found = _load(file)
        self._markers = [each for each in found if each["info"]["channel_format"][0] == "string"]
        regular = [
            each
            for each in found
            if each not in self._markers and float(each["info"]["nominal_srate"][0] or 0) > 0
        ]
        if not regular:
            raise InputError(
                f"{file} has no stream of numbers at a stated rate; those without one are no signal"
            )
        sizes = {
            each["info"]["stream_id"]: each["time_series"].dtype.itemsize * each["time_series"].shape[1]
            for each in regular
        }
        places = sample_places(file, sizes)
        self._streams: list[_Stream] = []
        self._at: list[tuple[int, int, float]] = []
        channels: list[Channel] = []
        for number, each in enumerate(regular):
            info, stamps = each["info"], each["time_stamps"]
            fs = _rate(stamps, float(info["nominal_srate"][0]))
            chunks = places[info["stream_id"]]
            if sum(map(len, chunks)) < len(stamps):
                raise InputError(f"{file} cannot be read as XDF: samples of its stream {number + 1} are lost")
            stretches = _stretches(file, stamps, fs, [len(chunk) for chunk in chunks])
            at = np.concatenate(chunks)[: len(stamps)] if chunks else np.empty(0, np.int64)
            self._streams.append(_Stream(each["time_series"], stamps, at, stretches))
            for column, channel in enumerate(_described(info)):
                self._at.append((number, column, channel.factor))
                unit = channel.unit or stated.unit or ""
                channels.append(
                    Channel(channel.label, unit, fs, samples_of(stretches), says_ecg(channel.type))
                )
        names = told_apart([channel.name for channel in channels])
        self.channels = tuple(replace(each, name=name) for name, each in zip(names, channels, strict=True))

    def told(self, place: int) -> list[Told]:
        """As `Opened.told`: the markers of all streams of text."""
        if not self._at:
            return []
        stream = self._streams[self._at[place][0]]
        at = np.concatenate([np.arange(each.length) + each.at for each in stream.stretches])
        stored = np.concatenate([np.arange(each.length) + each.stored for each in stream.stretches])
        fs, stamps = self.channels[place].fs, stream.stamps[stored]
        found = []
        for marker in self._markers:
            for stamp, texts in zip(marker["time_stamps"], marker["time_series"], strict=True):
                if stamps[0] <= stamp <= stamps[-1]:
                    moment = float(np.interp(stamp, stamps, at)) / fs
                    found += [Told(moment, shown) for text in texts if (shown := plain(text))]
        return sorted(found)

    def read(self, places: Sequence[int], start: int, stop: int) -> Rows:
        """As `Opened.read`."""
        rows = np.full((len(places), stop - start), np.nan)
        for row, place in enumerate(places):
            number, column, factor = self._at[place]
            stream = self._streams[number]
            for part in stored_in(stream.stretches, start, stop):
                rows[row, part.here] = stream.values[part.start : part.stop, column] * factor
        return rows

    def begin(self, folder: Path) -> None:
        """As `Opened.begin`."""
        self._target = folder / self.files[0].name
        shutil.copyfile(self.files[0], self._target)

    def write(self, places: Sequence[int], start: int, rows: Rows) -> None:
        """As `Opened.write`."""
        content = np.memmap(self._target, np.uint8, "r+")
        for row, place in zip(rows, places, strict=True):
            number, column, factor = self._at[place]
            stream = self._streams[number]
            for part in stored_in(stream.stretches, start, start + len(row)):
                new = self.into(stream.values[part.start : part.stop, column], row[part.here] / factor)
                kind = new.dtype.newbyteorder("<")
                at = stream.places[part.start : part.stop] + column * kind.itemsize
                raw = new.astype(kind).view(np.uint8).reshape(len(new), -1)
                content[at[:, None] + np.arange(kind.itemsize)] = raw
        content.flush()

    def finish(self, spans: Sequence[Span]) -> None:
        """As `Opened.finish`: another stream would need a clock of its own, so the guard has no place."""


def _load(file: Path) -> list[dict[str, Any]]:
    """What pyxdf reads: stamps by the recorder's clock, and no gap smoothed away."""
    try:
        import pyxdf
    except ImportError as error:
        raise InputError(f"{file} needs pyxdf: {how_to_install('files')}") from error
    # What it reports is checked here, and is no news for the user of a terminal.
    logging.getLogger("pyxdf").addHandler(logging.NullHandler())
    sample_places(file, {})
    try:
        streams: list[dict[str, Any]]
        streams, _ = pyxdf.load_xdf(file, dejitter_timestamps=False, verbose=False)
    except Exception as error:
        # pyxdf trusts a file, and fails in any way where it is wrong.
        raise InputError(f"{file} cannot be read as XDF: {one_line(error)}") from error
    return streams


def _rate(stamps: NDArray[np.float64], stated_hz: float) -> float:
    """The rate that a stream states, or the one that its first stamps show where that is another."""
    other = other_rate(stamps[: round(CHECKED_S * stated_hz)], stated_hz)
    return plain_rate(other) if other else stated_hz


def _described(info: dict[str, Any]) -> list[Described]:
    """Channels of a stream, as many as it has."""
    try:
        listed = info["desc"][0]["channels"][0]["channel"]
    except (KeyError, IndexError, TypeError):
        listed = []
    of_stream = plain(info["type"][0] or "")
    fields = [{name: (each[name][0] or "") for name in each} if each else {} for each in listed]
    channels = described(int(info["channel_count"][0]), fields)
    return [replace(channel, type=channel.type or of_stream) for channel in channels]


def _stretches(file: Path, stamps: NDArray[np.float64], fs: float, counts: Sequence[int]) -> list[Stretch]:
    """Where in time the samples lie that came in chunks of so many."""
    order = Regulariser(fs)
    pieces = []
    stamps = stamps[: sum(counts)]
    arrived = np.maximum.accumulate(stamps) if len(stamps) else stamps
    at = 0
    for count in counts:
        chunk = slice(at, min(at + count, len(stamps)))
        at += count
        if chunk.start < chunk.stop:
            numbers = np.arange(chunk.start, chunk.stop)[:, None]
            now_ns = round(1e9 * float(arrived[chunk.stop - 1] - arrived[0]))
            pieces += order.push(stamps[chunk], numbers, now_ns)
    stretches: list[Stretch] = []
    for piece in pieces + order.flush():
        stored = piece.rows[:, 0]
        cuts = np.flatnonzero(np.diff(stored) != 1) + 1
        for first, last in zip([0, *cuts], [*cuts, len(stored)], strict=True):
            if first < last:
                stretches.append(Stretch(piece.start + int(first), int(stored[first]), int(last - first)))
    if samples_of(stretches) > LONGEST_S * fs:
        raise InputError(
            f"{file} has a stream of {samples_of(stretches) / fs / 86400:.0f} days with its gaps; allowed: "
            f"{LONGEST_S / 86400:.0f} days"
        )
    return stretches
