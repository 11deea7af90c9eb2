"""Publish what leaves the engine to Lab Streaming Layer: the cleaned ECG, and its states and gaps."""

import json
import time

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.ledger.position import Position
from engine.marks import Verdict, explain
from engine.messages import Cleaned, Gap
from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.lsl.inlet import lsl_clock_offset_s
from streamer.lsl.network import OWN_OUTPUT, load_pylsl
from streamer.plain import plain
from streamer.watchdog import StreamState

EVENTS_SUFFIX = "-events"
REPEAT_S = 5.0
"""So often those who listen are told how things stand."""
_LOOK_S = 0.2
_BUFFERED_S = 60
_UNFINDABLE = "'"
"""liblsl 1.18 looks for a name or an id by a query in which it does not escape this letter."""
_LINGER_S = 0.2


class LslOutlet:
    """Two LSL streams: ``name``, type ECG, in mV, and ``name-events``, text of type Markers.

    A cleaned sample has the time stamp of its source, so that it lies on the raw one in any
    recorder, however late it leaves; where that time is unknown, the time of leaving, of which an event
    tells. Samples of a gap are not sent. An event is a JSON object:
    ``{"event": "state", "state": "LOST"}``, ``{"event": "gap", "start": 360, "stop": 433}`` or
    ``{"event": "bypassed", "start": 720, "reasons": {"II": "lead off"}}``, where from a sample on
    something else leaves than before (a `Mark` by name), or ``{"event": "user mark", "start": 800,
    "note": "moved"}``, what a person marked; in samples of the cleaned stream. Whoever begins to listen later
    has missed these: ``{"event": "current", "state": "LOST", "mark": "bypassed",
    "reasons": {"II": "lead off"}, "step": ""}`` tells how things stand, as soon as the first one listens and
    every `REPEAT_S` as long as one does. liblsl tells whether anybody listens, not how many do.

    Parameters
    ----------
    info
        The stream, at the rate at which it leaves.
    model
        Name of the network, for the metadata.
    algorithmic_delay_s
        Of the engine, in s, for the metadata.

    Raises
    ------
    InputError
        If the name is empty or has an apostrophe, or LSL cannot be loaded.
    """

    def __init__(
        self, name: str, info: StreamInfo, model: str, config: EngineConfig, algorithmic_delay_s: float
    ) -> None:
        if not name.strip() or plain(name) != name or _UNFINDABLE in name:
            raise InputError(
                f"--lsl-out {name!r} is no name for the cleaned stream; give 1 to 80 printable letters, "
                f"without {_UNFINDABLE}, by which no LSL client finds a stream again"
            )
        pylsl = load_pylsl()
        self._fs, self._leads = info.fs, info.leads
        self._verdict: Verdict | None = None
        self._state = self._step = ""
        self._heard = False
        self._looked_s = self._repeated_s = float("-inf")
        source_id = f"{OWN_OUTPUT}{name}/{info.source_id.replace(_UNFINDABLE, '_')}"
        signal = pylsl.StreamInfo(name, "ECG", len(info.leads), info.fs, pylsl.cf_float32, source_id)
        channels = signal.desc().append_child("channels")
        for lead in info.leads:
            channel = channels.append_child("channel")
            for field, value in (("label", lead), ("unit", "millivolts"), ("type", "ECG")):
                channel.append_child_value(field, value)
        processing = signal.desc().append_child("processing")
        for field, value in (
            ("software", "ecg-stream"),
            ("network", model),
            ("lookahead_ms", f"{1000 * config.lookahead / config.fs:g}"),
            ("hop_ms", f"{1000 * config.hop / config.fs:g}"),
            ("algorithmic_delay_ms", f"{1000 * algorithmic_delay_s:g}"),
            ("time_stamps", "of the source"),
            ("source", info.name),
            ("source_id", info.source_id),
        ):
            processing.append_child_value(field, value)
        events = pylsl.StreamInfo(
            name + EVENTS_SUFFIX,
            "Markers",
            1,
            pylsl.IRREGULAR_RATE,
            pylsl.cf_string,
            source_id + EVENTS_SUFFIX,
        )
        label = events.desc().append_child("channels").append_child("channel")
        label.append_child_value("label", "event")
        label.append_child_value("type", "Markers")
        self._signal = pylsl.StreamOutlet(signal, max_buffered=_BUFFERED_S)
        self._events = pylsl.StreamOutlet(events, max_buffered=_BUFFERED_S)
        self._offset_s = lsl_clock_offset_s()
        self._newest = (0, time.perf_counter())
        self._timed = True
        self._position = Position()
        self._sent = 0

    def push(self, message: Cleaned | Gap) -> None:
        """Publish; never blocks, liblsl sends in threads of its own."""
        self._position.note(message)
        if isinstance(message, Gap):
            stamp = self._newest[1] + 1 / self._fs
            self._tell(stamp, event="gap", start=message.start, stop=message.stop)
            self._verdict = None
            return
        stamps = self._stamps(message)
        verdict = message.verdict
        if verdict != self._verdict:
            self._verdict = verdict
            reasons = explain(verdict, self._leads)
            self._tell(float(stamps[0]), event=verdict[0].name.lower(), start=message.start, reasons=reasons)
        self._newest = (message.stop - 1, float(stamps[-1]))
        frames = np.ascontiguousarray(message.cleaned.T)
        self._signal.push_chunk(frames, stamps - self._offset_s)
        self._sent += len(frames)

    def _stamps(self, message: Cleaned) -> NDArray[np.float64]:
        """Times of the source, or those of leaving where these are unknown; an event tells which."""
        timed = bool(np.isfinite(message.source_time).all())
        count = message.cleaned.shape[1]
        now = time.perf_counter()
        stamps = message.source_time if timed else now + np.arange(1 - count, 1) / self._fs
        if timed != self._timed:
            self._timed = timed
            self._tell(now, event="time stamps", of="the source" if timed else "leaving", start=message.start)
        return stamps

    @property
    def unaccounted(self) -> int:
        """Samples that were neither sent nor told of as a gap."""
        return self._position.unaccounted(self._sent + self._position.gap_samples)

    def note_state(self, state: StreamState) -> None:
        """Publish a new state of the source, stamped with now."""
        self._state = str(state)
        self._tell(time.perf_counter(), event="state", state=self._state)

    def repeat(self) -> None:
        """Publish how things stand, where it is time; to be called often, and never blocks."""
        now = time.perf_counter()
        if now - self._looked_s < _LOOK_S:
            return
        self._looked_s = now
        heard, self._heard = self._heard, self._events.have_consumers()
        if not self._heard or (heard and now - self._repeated_s < REPEAT_S):
            return
        self._repeated_s = now
        mark = self._verdict[0].name.lower() if self._verdict else ""
        reasons = explain(self._verdict, self._leads) if self._verdict else {}
        self._tell(now, event="current", state=self._state, mark=mark, reasons=reasons, step=self._step)

    def mark(self, sample: int, note: str) -> None:
        """Publish a person's mark, with the time of its sample; from any thread."""
        newest, stamp = self._newest
        self._tell(stamp + (sample - newest) / self._fs, event="user mark", start=sample, note=note)

    def note_step(self, step: str, why: str) -> None:
        """Publish that something else cleans, stamped with now."""
        self._step = step
        self._tell(time.perf_counter(), event="step", step=step, why=why)

    def _tell(self, stamp: float, **event: str | int | dict[str, str]) -> None:
        self._events.push_sample([json.dumps(event)], stamp - self._offset_s)

    def close(self) -> None:
        """Take both streams from the network, once who listens has had time for the rest."""
        if self._signal.have_consumers() or self._events.have_consumers():
            time.sleep(_LINGER_S)
        del self._signal, self._events
