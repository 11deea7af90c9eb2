"""What a hand does on the traces: the wheel moves and zooms, a drag measures."""

from dataclasses import replace

from PyQt6.QtCore import QEvent, QObject, QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QMouseEvent, QPainter, QWheelEvent

from gui.monitor import Monitor
from gui.review.calipers import Calipers, draw_calipers, millivolts_at
from gui.theme import Theme
from gui.traces.trace_view import TraceView

_NOTCH = 120  # eighths of a degree


class Hand(QObject):
    """Calipers of one trace view, and its wheel.

    Parameters
    ----------
    view
        Over which the calipers are drawn, while it stands still.
    """

    moved = pyqtSignal(float)
    """The page is to move by so many pages."""
    time_zoomed = pyqtSignal(int)
    gain_zoomed = pyqtSignal(int)
    """Paper speed, or gain, is to become the next larger (1) or smaller (-1)."""
    measured = pyqtSignal()

    def __init__(self, view: TraceView, theme: Theme) -> None:
        super().__init__(view)
        self._view, self._theme = view, theme
        self._monitor: Monitor | None = None
        self.calipers: Calipers | None = None
        self.takes_wheel = True
        self._turned = 0
        view.over = self._draw
        view.installEventFilter(self)

    def show_monitor(self, monitor: Monitor) -> None:
        """Measure another stream."""
        self._monitor = monitor
        self.calipers = None

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme

    def put(self, calipers: Calipers | None) -> None:
        """Show calipers; None takes them away."""
        self.calipers = calipers
        self._view.update()
        self.measured.emit()

    def begin(self) -> None:
        """Put calipers on the last two beats of the page, or a second of it where none are known."""
        view, monitor = self._view, self._monitor
        if monitor is None:
            return
        stop = view.until
        start = stop - view.page_samples
        # The widest: of a sheet the rhythm strip, which both beats are in.
        cleaned = [number for number, lane in enumerate(view.lanes) if lane.main == "cleaned"]
        number = max(
            cleaned, key=lambda number: view.lanes[number].right - view.lanes[number].left, default=0
        )
        lane = view.lanes[number]
        beats = [beat for beat in monitor.ticks["cleaned"].found if start < beat < stop]
        middle = (start + stop) / 2
        first, second = beats[-2:] if len(beats) > 1 else (middle, middle + monitor.info.fs)

        def millivolts(sample: float) -> float:
            at = int(sample)
            value = float(monitor.buffer.read(lane.main, lane.lead, at, at + 1)[0])
            return value if value == value else 0.0

        self.put(Calipers(number, first, second, millivolts(first), millivolts(second)))

    def nudge(self, samples: int, *, both: bool) -> None:
        """Move the second line, or both."""
        held = self.calipers
        if held:
            first = held.first + samples if both else held.first
            self.put(replace(held, first=first, second=held.second + samples))

    def march(self, on: bool) -> None:
        """Repeat the interval over the page, or not."""
        if self.calipers:
            self.put(replace(self.calipers, march=on))

    def _draw(self, painter: QPainter) -> None:
        if self.calipers and self._monitor and self._view.frozen:
            draw_calipers(painter, self._view, self.calipers, self._theme, self._monitor.info.fs)

    # Qt

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: D102
        if isinstance(event, QWheelEvent):
            return self._wheel(event)
        if isinstance(event, QMouseEvent) and self._view.frozen:
            if event.type() == QEvent.Type.MouseButtonPress and event.button() == Qt.MouseButton.LeftButton:
                self._press(event.position())
            elif event.type() == QEvent.Type.MouseMove and event.buttons() & Qt.MouseButton.LeftButton:
                self._drag(event.position())
        # The row still hears of a press, and becomes the selected one.
        return False

    def _wheel(self, event: QWheelEvent) -> bool:
        held = event.modifiers()
        zooms = held & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
        if not (self.takes_wheel or self._view.frozen or zooms):
            return False
        # Some systems turn the wheel sideways where Shift is held.
        self._turned += event.angleDelta().y() or event.angleDelta().x()
        notches = int(self._turned / _NOTCH)
        self._turned -= notches * _NOTCH
        if notches and held & Qt.KeyboardModifier.ControlModifier:
            self.time_zoomed.emit(1 if notches > 0 else -1)
        elif notches and held & Qt.KeyboardModifier.ShiftModifier:
            self.gain_zoomed.emit(1 if notches > 0 else -1)
        elif notches:
            self.moved.emit(-0.2 * notches)
        return True

    def _press(self, at: QPointF) -> None:
        lanes = self._view.lanes
        number = self._view.placed.lane_at(at.x(), at.y())
        sample = self._view.sample_at(at.x())
        millivolts = millivolts_at(self._view, lanes[number], at.y())
        march = self.calipers is not None and self.calipers.march
        self.put(Calipers(number, sample, sample, millivolts, millivolts, march))

    def _drag(self, at: QPointF) -> None:
        held = self.calipers
        if held is None or held.lane >= len(self._view.lanes):
            return
        millivolts = millivolts_at(self._view, self._view.lanes[held.lane], at.y())
        self.put(replace(held, second=self._view.sample_at(at.x()), second_mv=millivolts))
