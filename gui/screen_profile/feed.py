"""Signal for a screen, as the engine would send it, at any speed."""

import time
from dataclasses import dataclass

import numpy as np

from engine.messages import Cleaned, Preview
from engine.run.protocol import CleanSettings, Frame, Setup, StartedStream
from streamer.chunk import StreamInfo
from streamer.synthetic import SyntheticPatient

HOP_S = 0.04
LOOKAHEAD_S = 0.3
SPREAD_MV = 0.02
"""Of the network's predictions: it is sure of all waves."""
_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True)
class Load:
    """How much there is to draw: leads at a rate, each in `lanes_per_lead` lanes."""

    name: str
    leads: int
    fs: float
    residual: bool

    @property
    def lanes(self) -> int:
        """Lanes on the screen."""
        return self.leads * (4 if self.residual else 2)


class Feed:
    """Hops of a noisy signal as the engine would send them, at any speed."""

    def __init__(self, load: Load, name: str = "profile") -> None:
        leads = _LEADS[: load.leads]
        patient = SyntheticPatient(fs=load.fs, leads=leads)
        self.info = StreamInfo(load.fs, leads, name, name, has_reference=load.residual)
        self._hop, self._ahead = round(HOP_S * load.fs), round(LOOKAHEAD_S * load.fs)
        reference = patient.read(0, round(60 * load.fs)).data
        noise = np.random.default_rng(0).normal(0, 0.05, reference.shape).astype(np.float32)
        self._reference, self._raw = reference, reference + noise
        self._mean_square = reference**2 + np.float32(SPREAD_MV**2)
        self._marks = np.zeros((len(leads), self._hop), np.uint8)
        self.start = 0

    def hop(self) -> list[Frame]:
        """The next hop, and what is known ahead of it."""
        at = self.start % (self._reference.shape[1] - self._hop - self._ahead)
        emitted, ahead = slice(at, at + self._hop), slice(at + self._hop, at + self._hop + self._ahead)
        raw, reference = self._raw, self._reference
        times = time.perf_counter() - LOOKAHEAD_S + np.arange(-self._hop, 0) / self.info.fs
        message = Cleaned(
            self.info.source_id,
            self.start,
            raw[:, emitted],
            reference[:, emitted],
            self._mean_square[:, emitted],
            reference[:, emitted] if self.info.has_reference else None,
            self._marks,
            times,
            (),
        )
        self.start += self._hop
        return [message, Preview(self.info.source_id, self.start, raw[:, ahead], reference[:, ahead])]

    def started(self) -> StartedStream:
        """What the engine would say of this stream at its start."""
        clean = CleanSettings(backend="onnx", lookahead_ms=1000 * LOOKAHEAD_S, hop_ms=1000 * HOP_S)
        return StartedStream(self.info, Setup(clean, 340.0))
