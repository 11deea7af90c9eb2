"""The live view where there is no display: two traces and the figures, in a terminal."""

import time
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from engine.messages import Cleaned, Gap
from engine.run.protocol import Frame, Started, Status
from gui.terminal.braille import braille
from gui.terminal.history import HeartRates, History
from streamer.several import EVERY

WARNING = "research prototype: not for diagnosis, alarms or cardioversion timing"
_LINES = 6


class TerminalView:
    """Shows raw and cleaned lead, heart rates, SNR and delay; use in a ``with``.

    Of several streams it draws the first, and has a line of figures for each.

    Parameters
    ----------
    started
        What the engine plays and how.
    model
        Name of the network, for the label.
    """

    def __init__(self, started: Started, model: str, console: Console) -> None:
        self._started, self._model = started, model
        self._first = started.streams[0]
        self._console = console
        self.history = History(self._first.info)
        self.statuses: dict[str, Status] = {}
        self.note = ""
        """What happened last to the streams of the run; a line below the figures."""
        self._rates = HeartRates()
        self._rated = time.perf_counter()
        self._live = Live(console=console, refresh_per_second=8, transient=True)

    def take(self, frame: Frame) -> None:
        """Take what the engine sent: traces of the first stream, figures of all."""
        if isinstance(frame, Status):
            self.statuses[frame.stream] = frame
        elif isinstance(frame, Cleaned | Gap) and frame.stream == self._first.info.source_id:
            self.history.push(frame)

    def join(self, started: Started, note: str) -> None:
        """Show the streams that play from now on; the first is the same."""
        self._started, self.note = started, note

    def __enter__(self) -> "TerminalView":
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def draw(self, problem: str = "") -> None:
        """Bring the screen up to date; heart rates once a second.

        Parameters
        ----------
        problem
            Why what came last is no longer true; stands there alone.
        """
        if problem:
            self._live.update(Text(problem, style="bold red"))
            return
        if time.perf_counter() - self._rated >= 1:
            self.rate()
        self._live.update(self.render())

    def rate(self) -> None:
        """Bring the heart rates up to date."""
        self._rates = self.history.heart_rates()
        self._rated = time.perf_counter()

    def render(self) -> RenderableType:
        """The whole view."""
        columns = max(20, self._console.width - 6)
        info, clean = self._first.info, self._first.setup.clean
        lead = info.leads[0]
        raw, cleaned, unsure = self.history.raw, self.history.cleaned, self.history.unsure
        title = Text(f"{lead} cleaned{' · dim: wave unsure' if unsure.any() else ''}")
        label = (
            f"{info.name} · {self._model} · look-ahead {clean.lookahead_ms:.0f} ms · "
            f"hop {clean.hop_ms:.0f} ms · {clean.backend}"
        )
        if EVERY in self._started.awaited:
            label += f" · {EVERY}: {len(self._started.streams)} so far"
        each = self._started.streams if len(self._started.streams) > 1 else ()
        known = [(one.info.name, self.statuses.get(one.info.source_id)) for one in each]
        lines = [f"{name}: {describe(status)}" for name, status in known if status]
        lines += [self.note] if self.note else []
        return Group(
            Panel(self._trace(raw, columns, "yellow"), title=Text(f"{lead} raw"), title_align="left"),
            Panel(self._trace(cleaned, columns, "green", unsure), title=title, title_align="left"),
            self._figures(),
            *(Text(line, no_wrap=True, overflow="ellipsis") for line in lines),
            Text(f"{label}\n{WARNING} · Ctrl-C ends", style="dim"),
        )

    @staticmethod
    def _trace(trace: np.ndarray, columns: int, colour: str, unsure: NDArray[np.bool_] | None = None) -> Text:
        known = trace[np.isfinite(trace)]
        # Show at least 2 mV, so that a quiet lead is not blown up.
        middle = float(np.median(known)) if known.size else 0.0
        reach = max(1.0, float(np.percentile(np.abs(known - middle), 99.5)) if known.size else 0.0)
        text = Text(braille(trace, columns, _LINES, middle - reach, middle + reach), style=colour)
        if unsure is not None and unsure.any():
            for column, part in enumerate(np.array_split(unsure, columns)):
                for line in range(_LINES if part.any() else 0):
                    at = line * (columns + 1) + column
                    text.stylize("dim", at, at + 1)
        return text

    def _figures(self) -> Table:
        table = Table.grid(padding=(0, 3))
        status = self.statuses.get(self._first.info.source_id)
        raw, cleaned = (f"{rate:.0f}" if rate else "--" for rate in self._rates[:2])
        rate = f"{self._first.info.fs:g} Hz"
        if status is None:
            table.add_row(rate, "waiting for the first samples …")
            return table
        if status.ppm is not None:
            rate += f" ({status.ppm:+.0f} ppm)"
        pulse = f"heart rate raw [b]{raw}[/b] · cleaned [b]{cleaned}[/b] bpm"
        pulse += f" · {self._rates.words}" if self._rates.words else ""
        # A stream chooses its own name: print it as plain text, so that rich reads no markup in it.
        table.add_row(pulse, Text(describe(status)), rate)
        return table


def describe(status: Status) -> str:
    """One line of figures: state of a stream that is not live, SNR, delay, missed deadlines, loss."""
    state = ""
    if status.ended:
        state = f"ENDED{f' ({status.problem})' if status.problem else ''} · "
    elif status.state != "LIVE":
        problem = f" ({status.problem})" if status.problem else ""
        state = f"{status.state}, newest sample {status.sample_age_s:.1f} s ago{problem} · "
    state += describe_guard(status)
    snr = (
        f"SNR in {status.snr_in_db:+.1f} → out {status.snr_out_db:+.1f} dB (last 10 s)"
        if np.isfinite(status.snr_in_db)
        else "no reference"
    )
    ended = f" · {status.recording_problem}" if status.recording_problem else ""
    delay = f"delay p50 {status.delay_p50_ms:.0f} · p99 {status.delay_p99_ms:.0f} ms"
    if status.untimed:
        delay = status.untimed
    return (
        f"{state}{snr} · {delay} · "
        f"late {status.deadline_misses} · gaps {status.gaps} ({status.gap_samples} samples){ended}"
    )


def describe_guard(status: Status) -> str:
    """What replaces the network and why, followed by a dot; empty where nothing does."""
    setup = status.setup
    parts = [f"{setup.step.upper()} (machine too slow)"] if setup.step else []
    if status.reasons:
        why = ", ".join(f"{lead}: {reason}" for lead, reason in status.reasons.items())
        parts.append(f"RAW ({why})")
    if setup.failure:
        parts.append(setup.failure)
    return "".join(f"{part} · " for part in parts)
