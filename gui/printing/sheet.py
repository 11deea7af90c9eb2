"""One sheet of ECG paper: grid, traces, calibration pulse and what was recorded how; in millimetres."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QPainter, QPen, QPolygonF

from gui.calibration import LARGE_MM, SMALL_MM
from gui.theme import LIGHT
from gui.traces.sweep import runs

WIDTH_MM, HEIGHT_MM = 297.0, 210.0
"""A4, across."""
SPEED, GAIN = 25.0, 10.0
"""mm/s and mm/mV, as ECG is printed."""
ROW_S = 10.0
"""Seconds in a row."""
LEFT_MM, TOP_MM, BOTTOM_MM = 28.0, 36.0, 200.0
"""Where the paper begins and ends."""
_TALLEST_MM = 40.0
_PULSE_MM = 5.0
_HEAD_MM, _LINE_MM = 10.0, 5.0


@dataclass(frozen=True)
class Trace:
    """One curve.

    Parameters
    ----------
    millivolts
        Shape (samples,); NaN where there is nothing to draw.
    colour
        As ``#rrggbb``.
    bypassed
        Samples that are not the network's output, shape (samples,); they are underlined.
    """

    millivolts: NDArray[np.float32]
    colour: str
    bypassed: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Row:
    """What a row shows: up to `ROW_S` seconds; traces lie on each other, the last one on top."""

    label: str
    traces: tuple[Trace, ...]


@dataclass(frozen=True)
class Sheet:
    """A page: its rows, lines of text above them, and one below.

    Parameters
    ----------
    fs
        Samples in a second of all traces.
    """

    title: str
    lines: tuple[str, ...]
    foot: str
    rows: Sequence[Row]
    fs: float

    @property
    def row_mm(self) -> float:
        """Height of a row."""
        return min(_TALLEST_MM, (BOTTOM_MM - TOP_MM) / max(1, len(self.rows)))

    def paint(self, painter: QPainter, px_per_mm: float) -> None:
        """Draw it.

        Parameters
        ----------
        px_per_mm
            Of the device that is drawn on.
        """
        pen = _Pen(painter, px_per_mm)
        pen.text(LEFT_MM, 8.0, self.title, 4.2, bold=True)
        for number, line in enumerate(self.lines):
            pen.text(LEFT_MM, _HEAD_MM + 4.0 + _LINE_MM * number, line, 3.0)
        pen.text(LEFT_MM, 202.0, self.foot, 2.8)
        width = ROW_S * SPEED
        height = self.row_mm * len(self.rows)
        self._draw_grid(pen, width, height)
        for number, row in enumerate(self.rows):
            # Most QRS complexes point up.
            zero = TOP_MM + self.row_mm * (number + 0.6)
            top = TOP_MM + self.row_mm * number
            foot = LEFT_MM - 9.0
            pulse = [(0, 0), (1, 0), (1, -GAIN), (_PULSE_MM, -GAIN), (_PULSE_MM, 0), (7, 0)]
            pen.line([(foot + x, zero + y) for x, y in pulse], "#000000", 0.25)
            pen.text(6.0, top + 1.0, row.label, 3.2, bold=True)
            for trace in row.traces:
                self._draw_trace(pen, trace, zero, top + self.row_mm)

    def _draw_grid(self, pen: "_Pen", width: float, height: float) -> None:
        for step, colour, thick in (
            (SMALL_MM, LIGHT.grid_small, 0.08),
            (LARGE_MM, LIGHT.grid_large, 0.16),
        ):
            for index in range(round(width / step) + 1):
                x = LEFT_MM + index * step
                pen.line([(x, TOP_MM), (x, TOP_MM + height)], colour, thick)
            for index in range(int(height / step + 1e-6) + 1):
                y = TOP_MM + index * step
                pen.line([(LEFT_MM, y), (LEFT_MM + width, y)], colour, thick)

    def _draw_trace(self, pen: "_Pen", trace: Trace, zero: float, bottom: float) -> None:
        x = LEFT_MM + np.arange(trace.millivolts.size) / self.fs * SPEED
        y = zero - trace.millivolts * GAIN
        for run in runs(trace.millivolts):
            pen.line(list(zip(x[run].tolist(), y[run].tolist(), strict=True)), trace.colour, 0.25)
        if trace.bypassed is not None:
            for run in runs(np.where(trace.bypassed, np.float32(0), np.float32(np.nan))):
                ends = [(x[run.start], bottom - 0.6), (x[run.stop - 1], bottom - 0.6)]
                pen.line(ends, LIGHT.bad, 0.8)


class _Pen:
    """Draws in millimetres on a device of any resolution."""

    def __init__(self, painter: QPainter, px_per_mm: float) -> None:
        self._painter, self._scale = painter, px_per_mm
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)

    def line(self, points: Sequence[tuple[float, float]], colour: str, thick: float) -> None:
        """Join points."""
        pen = QPen(QColor(colour), thick * self._scale)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        self._painter.setPen(pen)
        self._painter.drawPolyline(QPolygonF([QPointF(x * self._scale, y * self._scale) for x, y in points]))

    def text(self, x: float, y: float, text: str, height: float, *, bold: bool = False) -> None:
        """Write a line of letters so high, its upper left corner at a point; cut off at the paper's edge."""
        font = QFont(self._painter.font())
        font.setPixelSize(max(1, round(height * self._scale)))
        font.setBold(bold)
        self._painter.setFont(font)
        self._painter.setPen(QColor("#000000"))
        box = QRectF(
            x * self._scale,
            y * self._scale,
            (WIDTH_MM - 6 - x) * self._scale,
            1.6 * height * self._scale,
        )
        self._painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, text)
