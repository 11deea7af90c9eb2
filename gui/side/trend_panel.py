"""Small curves over hours, and over how many."""

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRect, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from gui.arrows import DropDown
from gui.monitor import Monitor
from gui.theme import Theme
from gui.traces.sweep import runs
from gui.trends import SPANS_S, TrendLog
from gui.writer import Writer

_PLOTS = (
    ("heart rate, bpm", ("raw", "cleaned")),
    ("RR, ms", ("rr_ms",)),
    ("SNR, dB", ("snr_in", "snr_out")),
    ("bypassed, %", ("bypassed",)),
)
_COLOURS = {
    "raw": "raw",
    "snr_in": "raw",
    "cleaned": "cleaned",
    "rr_ms": "cleaned",
    "snr_out": "cleaned",
    "bypassed": "text",
}


class TrendPanel(QWidget):
    """Curves of the selected stream; brought up to date by `refresh`."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.span = DropDown()
        self.span.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for name, seconds in SPANS_S.items():
            self.span.addItem(f"last {name}   Y", seconds)
        self.curves = _Curves(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.span)
        column.addWidget(self.curves, 1)
        self.span.currentIndexChanged.connect(lambda index: self._show_span())

    def set_zoom(self, zoom: float) -> None:
        """Draw everything larger."""
        self.curves.zoom = zoom
        self.curves.update()

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self.curves.theme = theme
        self.curves.update()

    def refresh(self, monitor: Monitor) -> None:
        """Show what is known by now."""
        self.curves.log = monitor.trends
        self.curves.update()

    def next_span(self) -> None:
        """Show the next longer time; after the longest the shortest."""
        self.span.setCurrentIndex((self.span.currentIndex() + 1) % self.span.count())

    def _show_span(self) -> None:
        self.curves.seconds = self.span.currentData()
        self.curves.update()


class _Curves(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme, self.zoom, self.seconds = theme, 1.0, 600.0
        self.log: TrendLog | None = None

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter, theme = QPainter(self), self.theme
        painter.fillRect(self.rect(), QColor(theme.panel))
        painter.scale(self.zoom, self.zoom)
        write = Writer(painter, self.font())
        width, height = round(self.width() / self.zoom), round(self.height() / self.zoom)
        each = height // len(_PLOTS)
        for number, (title, fields) in enumerate(_PLOTS):
            box = QRect(12, number * each + 16, width - 24, each - 22)
            write(QRect(12, number * each, width - 24, 15), title, theme.quiet, 11)
            curves = {field: self.log.last(field, self.seconds) if self.log else None for field in fields}
            known = [values[np.isfinite(values)] for values in curves.values() if values is not None]
            found = np.concatenate(known) if known else np.zeros(0)
            if not found.size:
                write(box, "not known", theme.quiet, 11)
                continue
            low, high = float(found.min()), float(found.max())
            if title.startswith("bypassed"):
                low, high = 0.0, max(high, 1.0)
            head = QRect(12, number * each, width - 24, 15)
            write(head, f"{low:z.0f} … {high:z.0f}", theme.text, 11, right=True)
            painter.fillRect(box.x(), box.bottom(), box.width(), 1, QColor(theme.line))
            for field, values in curves.items():
                if values is not None:
                    self._draw(painter, box, values, (low, high), getattr(theme, _COLOURS[field]))

    @staticmethod
    def _draw(
        painter: QPainter,
        box: QRect,
        values: NDArray[np.float32],
        reach: tuple[float, float],
        colour: str,
    ) -> None:
        low, high = reach
        # A trend that does not move runs through the middle.
        scale = box.height() / (high - low) if high > low else 0.0
        base = box.bottom() if scale else box.center().y()
        painter.setPen(QPen(QColor(colour), 1))
        step = box.width() / max(1, values.size - 1)
        for run in runs(values):
            points = [
                QPointF(box.x() + index * step, base - (float(values[index]) - low) * scale)
                for index in range(run.start, run.stop)
            ]
            if len(points) == 1:
                painter.drawPoint(points[0])
            painter.drawPolyline(QPolygonF(points))
