"""The run that is on the screen: its engine, a monitor for each stream, and which one is selected."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import numpy as np

from engine.run.commands import UserMark
from engine.run.protocol import CleanSettings, Job, Outcome, Started
from gui.bridge import Bridge, Life
from gui.monitor import RANGE_MV, Monitor, share
from gui.trace_buffer import seconds_for
from gui.trends import EVERY_S
from gui.vitals import BeatFinder
from streamer.noise import NoiseSettings
from streamer.open_source import is_played

_RR_S = 5.0  # RR is a mean over so much more than a value of the trend


class ShownRun:
    """One run after another, each with an engine of its own; knows no widget.

    Parameters
    ----------
    job
        What is to be played first.
    range_mv
        The amplifier takes −range_mv … +range_mv; for the saturation alarm.

    Attributes
    ----------
    job
        What plays, with the noise that was chosen meanwhile.
    bridge
        To the engine; None while none runs.
    monitors
        One for each stream, in the order of the job; empty until the engine plays.
    outcome
        What the last run that has ended came to.
    """

    def __init__(self, job: Job, range_mv: float = RANGE_MV) -> None:
        self.job = job
        self.bridge: Bridge | None = None
        self.monitors: Sequence[Monitor] = ()
        self.outcome: Outcome | None = None
        self._selected = 0
        self._range_mv = range_mv
        self._beats = BeatFinder()
        self._next_searched: Iterator[Monitor] = iter(())

    # its life

    def start(self, job: Job) -> None:
        """Start an engine for a job, in place of the one that plays."""
        self.stop()
        self.job, self.monitors = job, ()
        self.bridge = Bridge(job)

    def stop(self) -> None:
        """End the engine, if one runs; what its run came to is kept."""
        if self.bridge:
            self.bridge.close()
            self.outcome = self.bridge.outcome or self.outcome
            self.bridge = None

    def close(self) -> None:
        """End everything."""
        self.stop()
        self._beats.close()

    @property
    def life(self) -> Life:
        """Whether the engine starts, plays, has ended or died."""
        return self.bridge.life if self.bridge else Life.ENDED

    def poll(self) -> bool:
        """Hand what the engine sent to the monitors; returns whether its life has changed."""
        bridge = self.bridge
        if bridge is None:
            return False
        before = bridge.life
        frames = bridge.poll()
        if not self.monitors and bridge.started:
            self.attach(bridge.started)
        elif bridge.started and len(bridge.started.streams) > len(self.monitors):
            self._join(bridge.started)
        if self.monitors:
            share(frames, self.monitors)
        self.outcome = bridge.outcome or self.outcome
        return bridge.life is not before

    def attach(self, started: Started) -> None:
        """Have a monitor for each stream that an engine plays; the first one is selected."""
        kept_s = seconds_for([each.info for each in started.streams])
        self.monitors = [Monitor(each, self._range_mv, kept_s) for each in started.streams]
        self._next_searched = cycle(self.monitors)
        self._selected = 0

    def _join(self, started: Started) -> None:
        """Have a monitor for each stream that has joined; the same one stays selected."""
        new = started.streams[len(self.monitors) :]
        kept_s = seconds_for([each.info for each in started.streams])
        self.monitors = [*self.monitors, *(Monitor(each, self._range_mv, kept_s) for each in new)]
        self._next_searched = cycle(self.monitors)

    def job_in_force(self) -> Job:
        """The job with what was changed while it played."""
        monitor = self.monitor
        if monitor is None or monitor.status is None:
            return self.job
        # Whole samples seldom make whole milliseconds: the hop that was asked for stays.
        return replace(self.job, clean=replace(monitor.status.setup.clean, hop_ms=self.job.clean.hop_ms))

    # its streams

    @property
    def monitor(self) -> Monitor | None:
        """Of the selected stream; None until the engine plays."""
        return self.monitors[self._selected] if self.monitors else None

    def select(self, number: int) -> bool:
        """Select a stream; False where there is none of that number."""
        there = 0 <= number < len(self.monitors)
        if there:
            self._selected = number
        return there

    def neighbour(self, by: int) -> int:
        """Number of the stream so many below the selected one; after the last comes the first."""
        return (self._selected + by) % max(1, len(self.monitors))

    def take_refused(self) -> str:
        """Why the engine refused a command since the last call; empty where it did not."""
        if not self.monitors:
            return ""
        reason, self.monitors[0].refused = self.monitors[0].refused, ""
        return reason

    def take_told(self) -> str:
        """What has happened to the streams since the last call; empty where nothing did."""
        if self.bridge is None:
            return ""
        told, self.bridge.told = self.bridge.told, ""
        return told

    # heart rates, searched for on a thread

    def take_vitals(self) -> None:
        """Hand what was found to its monitor, and with several streams search the next one.

        In turn: four streams have a search a second each.
        """
        while found := self._beats.take():
            for monitor in self.monitors:
                # A search may outlast the run that it was for.
                if found.buffer is monitor.buffer:
                    monitor.take_vitals(found)
        if len(self.monitors) > 1:
            self._search(next(self._next_searched))

    def search_if_alone(self) -> None:
        """Search for beats where there is one stream."""
        if len(self.monitors) == 1:
            self._search(self.monitors[0])

    def _search(self, monitor: Monitor) -> None:
        if not monitor.buffer.empty and not monitor.paused:
            self._beats.ask(monitor.buffer, 0)

    def take_trends(self) -> None:
        """Have the trends of every stream take the values of this moment, where they are due."""
        for monitor in self.monitors:
            buffer, fs = monitor.buffer, monitor.info.fs
            seconds = buffer.final / fs
            if buffer.empty or not monitor.has_figures or not monitor.trends.due(seconds):
                continue
            start = buffer.final - round(EVERY_S * fs)
            beats = [beat for beat in monitor.ticks["cleaned"].found if beat > start - _RR_S * fs]
            raw, cleaned = monitor.bpm
            share = buffer.bypassed(start, buffer.final, range(len(monitor.info.leads)))
            status = monitor.status
            monitor.trends.take(
                seconds,
                {
                    "raw": raw,
                    "cleaned": cleaned,
                    "rr_ms": 1000 * float(np.mean(np.diff(beats))) / fs if len(beats) > 1 else None,
                    "snr_in": status.snr_in_db if status else None,
                    "snr_out": status.snr_out_db if status else None,
                    "bypassed": 100 * share,
                },
            )

    # what a person asks for

    def set_noise(self, settings: NoiseSettings, noise: str) -> None:
        """Change the noise of what is played.

        Parameters
        ----------
        noise
            Its kinds, as on the command line; a restart begins with it.
        """
        sources = (
            replace(each, noise=noise, snr=settings.snr_db) if is_played(each) else each
            for each in self.job.sources
        )
        self.job = replace(self.job, sources=tuple(sources))
        if self.bridge:
            self.bridge.set_noise(settings)

    def retune(self, wanted: CleanSettings) -> None:
        """Change network, backend, look-ahead or hop."""
        if self.bridge:
            self.bridge.retune(wanted)

    def pause(self, paused: bool) -> bool:
        """Hold the signals that are played; False where all are live, and nothing can be held."""
        if self.bridge is None or not any(map(is_played, self.job.sources)):
            return False
        self.bridge.pause(paused)
        for monitor in self.monitors:
            monitor.paused = paused and monitor.played
        return True

    def mark(self, monitor: Monitor, sample: int, note: str) -> None:
        """Put a person's mark on a sample of a stream: on the screen, in the recording, among the events."""
        monitor.mark(sample, note)
        if self.bridge:
            self.bridge.mark(UserMark(monitor.info.source_id, sample, note))

    def record(self, folder: Path | None) -> None:
        """Record into a folder; None ends the recording."""
        if self.bridge:
            self.bridge.record(folder)
