"""Draw a few columns of one lane: traces, band, gaps, marks."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QBrush, QColor, QPainter, QPen
from pyqtgraph.functions import arrayToQPolygonF

from engine.marks import Mark
from gui.calibration import Calibration
from gui.events import EventLog
from gui.lanes import Lane
from gui.theme import Theme
from gui.trace_buffer import TraceBuffer
from gui.traces.letters import draw_annotations, draw_beats
from gui.traces.notes import draw_notes
from gui.traces.sweep import Piece, Sweep, points, runs
from gui.view_options import ViewOptions
from gui.vitals import Ticks

Rows = NDArray[np.float32] | NDArray[np.float64]
_EDGE_PX = 3
DIM = 105
"""Opacity, of 255, of cleaned that is a first guess, or a wave that is smaller than its uncertainty."""
SWITCH_COLUMNS = 160
"""Columns that the name of a network reaches to the right."""
_LETTERS_PX_PER_S = 20.0  # on slower paper the letters would hide each other


@dataclass(frozen=True)
class LanePainter:
    """Draws samples with fixed settings; a change of theme, scale or options makes a new one.

    Parameters
    ----------
    ticks
        Beats that were found, by kind of trace.
    switches
        Samples from which on another network cleans, and what it is called.
    offsets_mv
        What is taken off each lead's raw trace.
    rhythm_lead
        The lead in which beats are looked for.
    zoom
        How much larger than usual letters, and how much thicker lines are drawn.
    until
        Samples from here on are not drawn; None draws all.
    events
        Of which the marks of a person are drawn.
    """

    buffer: TraceBuffer
    ticks: dict[str, Ticks]
    switches: deque[tuple[int, str]]
    theme: Theme
    options: ViewOptions
    calibration: Calibration
    sweep: Sweep
    offsets_mv: NDArray[np.float64]
    rhythm_lead: int
    zoom: float = 1.0
    until: int | None = None
    events: EventLog | None = None

    @property
    def newest(self) -> int:
        """The first sample that is not drawn."""
        return self.buffer.newest if self.until is None else min(self.until, self.buffer.newest)

    @property
    def final(self) -> int:
        """The first sample that is not drawn as what the engine released."""
        return self.buffer.final if self.until is None else min(self.until, self.buffer.final)

    def draw(self, painter: QPainter, piece: Piece, lane: Lane) -> None:
        """Draw what a lane holds in the columns of a piece; the painter is clipped to both."""
        buffer, options = self.buffer, self.options
        start, stop = self.sweep.samples(piece.start - 2, piece.stop + 2)
        start = max(start, buffer.oldest)
        self._hatch_gaps(painter, piece, lane)
        rows = QRect(piece.x, lane.ceiling, piece.stop - piece.start, lane.height)
        painter.save()
        painter.setClipRect(rows, Qt.ClipOperation.IntersectClip)
        for kind in lane.kinds:
            end = self.newest if kind in ("raw", "cleaned") else self.final
            if options.align and kind == "raw":
                end = self.final
            if min(stop, end) <= start:
                continue
            colour = QColor(getattr(self.theme, kind))
            if kind != lane.main:
                colour.setAlpha(175)
            if kind == "cleaned":
                if options.band:
                    self._draw_band(painter, piece, lane, start, min(stop, self.final))
                passed = self._draw_released(painter, piece, lane, start, min(stop, self.final), colour)
                if not options.align:
                    dim = QColor(colour)
                    dim.setAlpha(DIM)
                    first = max(start, self.final - 1)
                    self._draw_trace(painter, piece, lane, kind, first, min(stop, end), dim)
                if passed is not None:
                    self._mark_bypass(painter, piece, lane, start, passed)
            else:
                self._draw_trace(painter, piece, lane, kind, start, min(stop, end), colour)
        painter.restore()
        if "cleaned" in lane.kinds:
            self._draw_switches(painter, piece, lane)
        if (
            options.marks
            and lane.main in ("raw", "cleaned")
            and self.calibration.px_per_s >= _LETTERS_PX_PER_S
        ):
            annotations = buffer.annotations
            draw_annotations(painter, piece, lane, self.sweep, annotations, self.theme, self.zoom)
            if lane.lead == self.rhythm_lead:
                draw_beats(painter, piece, lane, self.sweep, self.ticks, self.theme, self.zoom)
        if self.events:
            draw_notes(painter, piece, lane, self.sweep, self.events, self.theme)

    def _rows(self, lane: Lane, kind: str, values: NDArray[np.float32]) -> Rows:
        # Draw through the middle of a pixel row: on its edge, antialiasing would smear a flat line over two.
        px_per_mv = self.calibration.px_per_mv * lane.gain
        middle = lane.zero + 0.5
        if kind in ("raw", "residual"):
            shifted: NDArray[np.float64] = middle - (values - self.offsets_mv[lane.lead]) * px_per_mv
            return shifted
        return middle - values * px_per_mv

    def _draw_released(
        self, painter: QPainter, piece: Piece, lane: Lane, start: int, stop: int, colour: QColor
    ) -> NDArray[np.bool_] | None:
        """Draw what the engine released: what is not the network's output does not look like it.

        Returns which samples are not, or None where all are.
        """
        if stop <= start:
            return None
        marks = self.buffer.marks(lane.lead, start, stop)
        unsure = self.buffer.unsure(lane.lead, start, stop)
        if not (marks.any() or unsure.any()):
            self._draw_trace(painter, piece, lane, "cleaned", start, stop, colour)
            return None
        passed, filtered = marks == int(Mark.BYPASSED), marks == int(Mark.FILTERED)
        other = passed | filtered
        unsure &= ~other
        sure = ~(other | unsure)
        if sure.any():
            only = None if sure.all() else sure
            self._draw_trace(painter, piece, lane, "cleaned", start, stop, colour, only)
        dim = QColor(colour)
        dim.setAlpha(DIM)
        raw, text = QColor(self.theme.raw), QColor(self.theme.text)
        for where, own in ((passed, raw), (filtered, text), (unsure, dim)):
            if where.any():
                # One sample more to either side joins the lines.
                joined = where.copy()
                joined[:-1] |= where[1:]
                joined[1:] |= where[:-1]
                self._draw_trace(painter, piece, lane, "cleaned", start, stop, own, joined)
        return other if other.any() else None

    def _draw_trace(
        self,
        painter: QPainter,
        piece: Piece,
        lane: Lane,
        kind: str,
        start: int,
        stop: int,
        colour: QColor,
        where: NDArray[np.bool_] | None = None,
    ) -> None:
        """Draw samples start … stop-1 of a kind, or only those of them that `where` names."""
        if stop <= start:
            return
        values = whole = self.buffer.read(kind, lane.lead, start, stop)
        complete = bool(np.isfinite(whole).all())
        if where is not None:
            values = np.where(where, values, np.float32(np.nan))
        x, y = points(values, start, self.sweep.columns_per_sample)
        x = x + (piece.x - piece.start)
        rows = self._rows(lane, kind, y)
        painter.setPen(QPen(colour, max(1, int(self.zoom))))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        for run in [slice(0, y.size)] if complete and where is None else runs(y):
            if run.stop - run.start == 1:
                painter.drawPoint(round(x[run.start]), round(rows[run.start]))
            else:
                painter.drawPolyline(arrayToQPolygonF(x[run], rows[run]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        self._mark_off_scale(painter, lane, x, rows, colour)
        if kind in ("raw", "cleaned") and not complete:
            self._dash_missing(painter, piece, lane, start, whole)

    def _mark_off_scale(
        self,
        painter: QPainter,
        lane: Lane,
        x: NDArray[np.float64],
        rows: Rows,
        colour: QColor,
    ) -> None:
        """A bar at the edge of the lane beyond which a trace runs."""
        ceiling, bottom = lane.ceiling, lane.bottom
        # A comparison with NaN, which is what there is of a trace that is nowhere, is false.
        above, below = np.fmin.reduce(rows) < ceiling, np.fmax.reduce(rows) > bottom
        if not (above or below):
            return
        for beyond, edge in ((rows < ceiling, ceiling), (rows > bottom, bottom - _EDGE_PX)):
            for column in np.unique(np.floor(x[beyond])):
                painter.fillRect(round(column), edge, 1, _EDGE_PX, colour)

    def _draw_band(self, painter: QPainter, piece: Piece, lane: Lane, start: int, stop: int) -> None:
        """Fill the cleaned trace ± its spread."""
        if stop - start < 2:
            return
        buffer = self.buffer
        middle = buffer.read("cleaned", lane.lead, start, stop)
        spread = buffer.read("spread", lane.lead, start, stop)
        colour = QColor(self.theme.cleaned)
        colour.setAlpha(70)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        x = np.arange(start, stop) * self.sweep.columns_per_sample + (piece.x - piece.start)
        above = middle + spread
        low, high = self._rows(lane, "cleaned", middle - spread), self._rows(lane, "cleaned", above)
        for run in runs(above):
            outline_x = np.concatenate([x[run], x[run][::-1]])
            outline_y = np.concatenate([low[run], high[run][::-1]])
            painter.drawPolygon(arrayToQPolygonF(outline_x, outline_y))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _hatch_gaps(self, painter: QPainter, piece: Piece, lane: Lane) -> None:
        for first, last in reversed(self.buffer.gaps):
            left, right = self.sweep.column(first), max(self.sweep.column(last), self.sweep.column(first) + 1)
            if right <= piece.start:
                return
            left, right = max(left, piece.start), min(right, piece.stop)
            if left < right:
                box = QRect(left - piece.start + piece.x, lane.top, right - left, lane.bottom - lane.top)
                painter.fillRect(box, QBrush(QColor(self.theme.quiet), Qt.BrushStyle.BDiagPattern))

    def _dash_missing(
        self, painter: QPainter, piece: Piece, lane: Lane, start: int, values: NDArray[np.float32]
    ) -> None:
        """Dashed line at 0 mV where a lead is off; gaps are hatched instead."""
        lost = np.isnan(values)
        if not lost.any():
            return
        for first, last in reversed(self.buffer.gaps):
            if last <= start:
                break
            lost[max(0, first - start) : max(0, last - start)] = False
        painter.setPen(QPen(QColor(self.theme.bad), 1))
        for run in runs(np.where(lost, np.float32(0), np.float32(np.nan))):
            left = self.sweep.column(start + run.start) - piece.start + piece.x
            right = self.sweep.column(start + run.stop) - piece.start + piece.x
            for x in range(left - left % 8, right, 8):
                if x + 4 > left:
                    painter.drawLine(max(x, left), lane.zero, min(x + 3, right - 1), lane.zero)

    def _mark_bypass(
        self, painter: QPainter, piece: Piece, lane: Lane, start: int, passed: NDArray[np.bool_]
    ) -> None:
        """Underline samples that are not the network's output."""
        for run in runs(np.where(passed, np.float32(0), np.float32(np.nan))):
            left = self.sweep.column(start + run.start) - piece.start + piece.x
            right = self.sweep.column(start + run.stop) - piece.start + piece.x
            painter.fillRect(left, lane.bottom - 4, right - left, 3, QColor(self.theme.bad))

    def _draw_switches(self, painter: QPainter, piece: Piece, lane: Lane) -> None:
        """Where another network or look-ahead began, and which: what is left of the line is not its work."""
        for sample, name in reversed(self.switches):
            column = self.sweep.column(sample)
            if column < piece.start - SWITCH_COLUMNS:
                break
            if column < piece.stop:
                x = column + piece.x - piece.start
                painter.setPen(QPen(QColor(self.theme.quiet), 1, Qt.PenStyle.DashLine))
                painter.drawLine(x, lane.top + 1, x, lane.bottom - 1)
                painter.drawText(x + 4, lane.bottom - 7, name)
