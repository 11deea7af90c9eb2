"""Describe the streams on the network: leads, units, and their measured rates."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from streamer.lsl.metadata import read_channels
from streamer.lsl.network import LslStream, full_info, load_pylsl, look_around

LISTEN_S = 2.0
_AT_ONCE = 16


@dataclass(frozen=True)
class Surveyed:
    """One stream; `measured_hz` is None where too few samples came."""

    name: str
    type: str
    fs: float
    leads: tuple[str, ...]
    unit: str
    source_id: str
    host: str
    measured_hz: float | None


def survey(listen_s: float = LISTEN_S) -> list[Surveyed]:
    """Every stream that answers, listened to for a while; all at once."""
    found = look_around()
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(lambda stream: _listen(stream, listen_s), found))


def _listen(stream: LslStream, seconds: float) -> Surveyed:
    pylsl = load_pylsl()
    inlet = pylsl.StreamInlet(stream.handle, max_buflen=round(seconds) + 1, recover=False, as_numpy=True)
    info = full_info(inlet)
    channels = read_channels(info) if info else []
    units = sorted({channel.unit or "?" for channel in channels})
    measured = None
    if not stream.is_text and stream.fs > 0:
        measured = _rate(inlet, seconds)
    return Surveyed(
        stream.name,
        stream.type,
        stream.fs,
        tuple(channel.label for channel in channels),
        ", ".join(units),
        stream.source_id,
        stream.host,
        measured,
    )


def _rate(inlet: object, seconds: float) -> float | None:
    """Samples per second by their stamps, which bursts do not disturb as they do arrival times."""
    pylsl = load_pylsl()
    stamps = [np.empty(0)]
    begun = time.perf_counter()
    try:
        while time.perf_counter() - begun < seconds:
            stamps.append(inlet.pull_chunk(timeout=0.1, max_samples=4096, min_samples=1)[1])  # type: ignore[attr-defined]
    except (pylsl.util.LostError, pylsl.util.TimeoutError):
        pass
    together = np.concatenate(stamps)
    span = np.ptp(together) if together.size else 0.0
    return float((together.size - 1) / span) if span > seconds / 4 else None
