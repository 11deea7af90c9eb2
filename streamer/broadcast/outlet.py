"""Publish any played signal as the Lab Streaming Layer stream of a device, at real speed."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.broadcast.device_profiles import find_profile, packets
from streamer.chunk import Annotation, Chunk
from streamer.errors import InputError
from streamer.lsl.network import load_pylsl
from streamer.open_source import is_played, open_source
from streamer.resample import resample
from streamer.settings import SourceSettings

MARKERS_SUFFIX = "-annotations"
_UNITS = {"V": ("volts", 1e-3), "mV": ("millivolts", 1.0), "uV": ("microvolts", 1e3)}
_KEPT_S = 5.0
_NAP_S = 0.1
_LINGER_S = 0.5
_BUFFERED_S = 60


@dataclass(frozen=True)
class BroadcastSettings:
    """What to publish, and as which device.

    Parameters
    ----------
    source_id
        None derives one from the name, the same at every start, so that listeners find it again.
    profile
        One of `streamer.broadcast.device_profiles.PROFILES`.
    rate
        Rate in Hz; None takes the profile's, or else the signal's.
    reference, counter
        Add the reference of each lead, and a count of the samples, as further channels.
    copies
        Streams with the same signal; beyond one, their names are numbered.
    """

    name: str = "ecg-stream"
    type: str = "ECG"
    source_id: str | None = None
    profile: str = "smooth"
    unit: str = "mV"
    rate: float | None = None
    reference: bool = False
    counter: bool = False
    copies: int = 1

    def __post_init__(self) -> None:
        find_profile(self.profile)
        if self.unit not in _UNITS:
            raise InputError(f"unit {self.unit!r} cannot be published; allowed: {', '.join(_UNITS)}")
        if self.rate is not None and not 1 <= self.rate <= 10_000:
            raise InputError(f"rate must be 1 to 10000 Hz, got {self.rate}")
        if not self.name.strip():
            raise InputError("a stream needs a name, got an empty one")


class Broadcast:
    """Outlets of one signal; `run` publishes it.

    Raises
    ------
    InputError
        If the signal cannot be played or published.
    """

    def __init__(self, source: SourceSettings, settings: BroadcastSettings) -> None:
        if not is_played(source):
            raise InputError(f"source {source.name!r} is live already; publish synthetic or replay")
        self._settings, self._seed = settings, source.seed
        player = open_source(replace(source, speed=0))
        self.fs = settings.rate or find_profile(settings.profile).fs or player.info.fs
        self._signal = _Signal(resample(player.chunks(), player.info, self.fs), round(_KEPT_S * self.fs))
        names = [settings.name]
        if settings.copies > 1:
            names = [f"{settings.name}-{number}" for number in range(1, settings.copies + 1)]
        self.leads = player.info.leads
        self._outlets = [self._outlet(name) for name in names]
        self._markers = [_markers(name, self._source_id(name)) for name in names]
        self.sent = 0

    def _source_id(self, name: str) -> str:
        return self._settings.source_id or f"ecg-stream/broadcast/{name}"

    def _outlet(self, name: str) -> Any:
        pylsl, settings = load_pylsl(), self._settings
        unit = _UNITS[settings.unit][0]
        channels = [(lead, unit, "ECG") for lead in self.leads]
        if settings.reference:
            channels += [(f"{lead} reference", unit, "reference") for lead in self.leads]
        if settings.counter:
            channels.append(("counter", "samples", "counter"))
        info = pylsl.StreamInfo(
            name, settings.type, len(channels), self.fs, pylsl.cf_float32, self._source_id(name)
        )
        described = info.desc().append_child("channels")
        for label, unit_name, kind in channels:
            channel = described.append_child("channel")
            for field, value in (("label", label), ("unit", unit_name), ("type", kind)):
                channel.append_child_value(field, value)
        device = info.desc().append_child("acquisition")
        device.append_child_value("manufacturer", "ecg-stream broadcast")
        device.append_child_value("model", settings.profile)
        return pylsl.StreamOutlet(info, max_buffered=_BUFFERED_S)

    def run(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Publish to the end of the signal, or until `stopped`."""
        clock = load_pylsl().local_clock
        started = clock()
        for packet in packets(self._settings.profile, self.fs, self._seed):
            chunk = self._signal.read(packet.first, len(packet.stamps))
            while (wait := started + packet.due_s - clock()) > 0:
                time.sleep(min(wait, _NAP_S))
                if stopped():
                    return
            frames = self._frames(packet.first, chunk.data, chunk.reference)
            for outlet in self._outlets:
                outlet.push_chunk(frames, started + packet.stamps[: len(frames)])
            self.sent += len(frames)
            for mark in chunk.annotations:
                stamp = float(
                    np.interp(
                        mark.sample - packet.first, np.arange(len(frames)), packet.stamps[: len(frames)]
                    )
                )
                for marker in self._markers:
                    marker.push_sample([mark.symbol], started + stamp)
            if len(frames) < len(packet.stamps) or stopped():
                break
        time.sleep(_LINGER_S)

    def _frames(
        self, first: int, data: NDArray[np.float32], reference: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        factor = np.float32(_UNITS[self._settings.unit][1])
        rows = [data * factor]
        if self._settings.reference:
            rows.append(data * np.nan if reference is None else reference * factor)
        if self._settings.counter:
            rows.append(np.arange(first, first + data.shape[1], dtype=np.float32)[None])
        return np.ascontiguousarray(np.concatenate(rows).T)


def _markers(name: str, source_id: str) -> Any:
    pylsl = load_pylsl()
    info = pylsl.StreamInfo(
        name + MARKERS_SUFFIX, "Markers", 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, source_id + MARKERS_SUFFIX
    )
    return pylsl.StreamOutlet(info, max_buffered=_BUFFERED_S)


class _Signal:
    """Random access to the newest samples of a stream: some devices send packets twice or swapped."""

    def __init__(self, chunks: Iterator[Chunk], kept: int) -> None:
        self._chunks, self._kept = chunks, kept
        self._newest: Chunk | None = None
        self._marks: list[Annotation] = []

    def read(self, first: int, count: int) -> Chunk:
        """Samples from an index on, fewer at the end; each annotation comes once."""
        parts = [] if self._newest is None else [self._newest]
        while not parts or parts[-1].stop < first + count:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(chunk)
            self._marks += chunk.annotations
        if not parts:
            raise InputError("the signal to publish is empty")
        references = [part.reference for part in parts if part.reference is not None]
        data = np.concatenate([part.data for part in parts], axis=1)
        reference = np.concatenate(references, axis=1) if references else None
        start = parts[0].start
        cut = max(0, data.shape[1] - self._kept)
        newest = replace(
            parts[-1],
            start=start + cut,
            data=data[:, cut:],
            reference=None if reference is None else reference[:, cut:],
            annotations=(),
        )
        self._newest = newest
        chosen = slice(max(0, first - start), max(0, first - start) + count)
        stop = min(first + count, newest.stop)
        marks = tuple(mark for mark in self._marks if mark.sample < stop)
        self._marks = self._marks[len(marks) :]
        return replace(
            newest,
            start=first,
            data=data[:, chosen],
            reference=None if reference is None else reference[:, chosen],
            annotations=marks,
        )
