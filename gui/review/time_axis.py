"""The line below the traces: times of day, or places in the record."""

from math import ceil

from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from gui.monitor import Monitor
from gui.review.when import when, when_began
from gui.theme import Theme
from gui.traces.trace_view import TraceView

HEIGHT = 16
_STEPS_S = (1, 2, 5, 10, 30, 60, 120, 300)
_LABEL_PX, _NEEDED_PX = 70, 50


class TimeAxis(QWidget):
    """Labels under the columns of a trace view; brought up to date by `refresh`."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT)
        self._theme = theme
        self._zoom = 1.0
        self._view: TraceView | None = None
        self._monitor: Monitor | None = None

    def set_zoom(self, zoom: float) -> None:
        """Draw everything larger."""
        self._zoom = zoom
        self.setFixedHeight(round(HEIGHT * zoom))

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme
        self.update()

    def refresh(self, view: TraceView, monitor: Monitor) -> None:
        """Show the times of a view."""
        self._view, self._monitor = view, monitor
        self.update()

    def labels(self) -> list[tuple[int, str]]:
        """Column of this widget, and text, of each label."""
        view, monitor = self._view, self._monitor
        if view is None or monitor is None or monitor.buffer.empty or not view.isVisible():
            return []
        fs, rate = monitor.info.fs, view.sweep.columns_per_sample
        stop = view.until
        start = max(monitor.buffer.oldest, stop - view.page_samples)
        step = next((s for s in _STEPS_S if s * fs * rate >= _LABEL_PX * self._zoom), _STEPS_S[-1])
        left = (
            view.mapTo(self.window(), view.rect().topLeft()).x()
            - self.mapTo(self.window(), self.rect().topLeft()).x()
        )
        found = []
        # Labels stand at whole seconds of what they show.
        zero = when_began(monitor)
        for index in range(ceil((zero + start / fs) / step), int((zero + stop / fs) / step) + 1):
            sample = (index * step - zero) * fs
            # One that would be cut at the right is left out.
            if sample < stop and view.x_of(sample) < view.sweep.width - _NEEDED_PX * self._zoom:
                found.append((left + round(view.x_of(sample)), when(monitor, sample + 0.5)))
        return found

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: D102
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._theme.background))
        font = QFont(self.font())
        font.setPixelSize(round(10 * self._zoom))
        painter.setFont(font)
        painter.setPen(QColor(self._theme.quiet))
        for x, text in self.labels():
            painter.drawLine(x, 0, x, round(3 * self._zoom))
            box = QRect(x + 3, 0, round(_LABEL_PX * self._zoom), self.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
