"""The delay panel: how much of the delay from patient to screen each stage takes."""

import math

from PyQt6.QtCore import QPointF, QRect, QRectF
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PyQt6.QtWidgets import QWidget

from engine.ledger.delays import Delays
from gui.monitor import Monitor
from gui.theme import Theme
from gui.writer import Writer

PARTS = {
    "transport": ("transport",),
    "wait": ("wait",),
    "hold": ("hold",),
    "compute": ("queue", "host_to_device", "compute", "device_to_host"),
    "overlap-add": ("overlap_add",),
    "hand-over": ("hand_over",),
}
"""Parts of the bar and the ledger's stages in each; what the screen adds comes behind them."""
_LOWEST = 300


class LatencyPanel(QWidget):
    """Stacked bar of medians, percentiles, histogram, and a sparkline of the last minute.

    It is drawn in greys: colours tell the traces apart, and mean nothing else.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setMinimumHeight(_LOWEST)
        self._theme = theme
        self._zoom = 1.0
        self._monitor: Monitor | None = None

    def set_zoom(self, zoom: float) -> None:
        """Draw everything larger."""
        self._zoom = zoom
        self.setMinimumHeight(round(_LOWEST * zoom))
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme
        self.update()

    def refresh(self, monitor: Monitor) -> None:
        """Show the figures of this moment."""
        self._monitor = monitor
        self.update()

    def parts_ms(self) -> dict[str, float]:
        """Median of each part of the bar, ms; empty before the engine has sent any."""
        delays = self._monitor.delays if self._monitor else None
        if delays is None or self._monitor is None:
            return {}
        stages = delays.stages_ms
        parts = {name: sum(stages[stage] for stage in inside) for name, inside in PARTS.items()}
        return parts | {"painted": self._monitor.painting.painted_ms}

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: D102
        painter, theme = QPainter(self), self._theme
        painter.fillRect(self.rect(), QColor(theme.panel))
        painter.scale(self._zoom, self._zoom)
        write = Writer(painter, self.font())
        width = round(self.width() / self._zoom) - 24
        write(QRect(12, 6, width, 16), "DELAY  patient to screen, median ms", theme.quiet, 11)
        delays = self._monitor.delays if self._monitor else None
        untimed = self._monitor.status.untimed if self._monitor and self._monitor.status else ""
        if untimed:
            write(QRect(12, 26, width, 60), untimed, theme.bad, 12)
            return
        if delays is None or self._monitor is None or not math.isfinite(delays.p50_ms):
            write(QRect(12, 26, width, 18), "waiting for the first samples …", theme.quiet, 12)
            return
        if not self._monitor.has_figures:
            write(QRect(12, 26, width, 18), "nothing comes, and nothing is delayed", theme.quiet, 12)
            return
        y = self._draw_parts(painter, write, 26, width)
        status, shown = self._monitor.status, self._monitor.painting.delay
        for row in (
            (("p50", shown.p50), ("p95", shown.p95)),
            (("p99", shown.p99), ("max", shown.highest)),
        ):
            for column, (name, value) in enumerate(row):
                x = 12 + column * (width // 2 + 4)
                write(QRect(x, y, 30, 16), name, theme.quiet, 11)
                write(QRect(x + 30, y, width // 2 - 40, 16), _ms(value), theme.text, 13, bold=True)
            y += 17
        missed = status.deadline_misses if status else 0
        late = f"{missed} deadline{'' if missed == 1 else 's'} missed"
        engine = f"without painting: p50 {delays.p50_ms:.1f} · p99 {delays.p99_ms:.1f}"
        write(QRect(12, y, width, 16), engine, theme.quiet, 10)
        y += 14
        write(
            QRect(12, y, width, 16),
            f"{late} · real-time factor {f'{delays.realtime_factor:.3f}'[:5]}",
            theme.bad if missed else theme.quiet,
            10,
        )
        y += 20
        rest = max(0, round(self.height() / self._zoom) - y - 8)
        if rest >= 90:
            self._draw_histogram(painter, write, QRect(12, y, width, rest // 2 - 4), delays)
            self._draw_minute(painter, write, QRect(12, y + rest // 2, width, rest // 2))

    def _draw_parts(self, painter: QPainter, write: Writer, y: int, width: int) -> int:
        parts = self.parts_ms()
        known = {name: value for name, value in parts.items() if math.isfinite(value)}
        total = sum(known.values()) or 1.0
        x = 12.0
        greys = self._greys(len(parts))
        for (name, value), hue in zip(parts.items(), greys, strict=True):
            if name in known:
                share = width * value / total
                painter.fillRect(QRectF(x, y, share, 14), QColor(hue))
                x += share
        y += 18
        for index, ((name, value), hue) in enumerate(zip(parts.items(), greys, strict=True)):
            left = 12 + (index % 2) * (width // 2 + 4)
            row = y + index // 2 * 15
            painter.fillRect(left, row + 4, 8, 8, QColor(hue))
            text = f"{name} {_ms(value)}"
            write(QRect(left + 12, row, width // 2 - 8, 15), text, self._theme.text, 11)
        return y + 15 * ((len(parts) + 1) // 2) + 4

    def _greys(self, count: int) -> list[QColor]:
        """From the panel's colour to that of the text, in the order of the bar."""
        dark, light = QColor(self._theme.panel), QColor(self._theme.text)
        shares = [0.25 + 0.75 * index / (count - 1) for index in range(count)]
        mixed = [
            [round(a + share * (b - a)) for a, b in zip(dark.getRgb()[:3], light.getRgb()[:3], strict=True)]
            for share in shares
        ]
        return [QColor(*rgb) for rgb in mixed]

    def _draw_histogram(self, painter: QPainter, write: Writer, box: QRect, delays: Delays) -> None:
        write(
            QRect(box.x(), box.y(), box.width(), 13),
            "samples by delay without painting, ms",
            self._theme.quiet,
            10,
        )
        if not delays.counts:
            return
        low, high, highest = delays.edges_ms[0], delays.edges_ms[-1], max(delays.counts)
        top, bottom = box.y() + 14, box.bottom() - 12
        scale = box.width() / max(high - low, 1e-9)
        for left, right, count in zip(delays.edges_ms, delays.edges_ms[1:], delays.counts, strict=False):
            # The square root keeps the tail visible: its few samples would be less than a pixel high.
            height = (bottom - top) * math.sqrt(count / highest) if highest else 0.0
            bar = QRectF(box.x() + (left - low) * scale, bottom - height, (right - left) * scale, height)
            painter.fillRect(bar, QColor(self._theme.quiet))
        painter.fillRect(box.x(), bottom, box.width(), 1, QColor(self._theme.line))
        write(QRect(box.x(), bottom + 1, 60, 12), f"{low:.0f}", self._theme.quiet, 10)
        write(QRect(box.right() - 60, bottom + 1, 60, 12), f"{high:.0f}", self._theme.quiet, 10, right=True)

    def _draw_minute(self, painter: QPainter, write: Writer, box: QRect) -> None:
        """Median and maximum of every half second."""
        if self._monitor is None:
            return
        latest = list(self._monitor.latest_ms)
        label = f"last minute, without painting: maximum {latest[-1][1]:.0f} ms" if latest else "last minute"
        write(QRect(box.x(), box.y(), box.width(), 13), label, self._theme.quiet, 10)
        if len(latest) < 2:
            return
        low, high = min(m for m, _ in latest), max(m for _, m in latest)
        top, bottom = box.y() + 16, box.bottom() - 3
        scale = (bottom - top) / max(high - low, 1.0)
        step = box.width() / (self._monitor.latest_ms.maxlen or 1)
        left = box.right() - step * (len(latest) - 1)
        for series, colour in ((1, self._theme.quiet), (0, self._theme.text)):
            painter.setPen(QPen(QColor(colour), 1))
            line = [
                QPointF(left + index * step, bottom - (each[series] - low) * scale)
                for index, each in enumerate(latest)
            ]
            painter.drawPolyline(QPolygonF(line))


def _ms(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "--"
