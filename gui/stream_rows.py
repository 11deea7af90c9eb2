"""The traces of all streams, stacked: a row each, of which one is selected."""

from collections.abc import Sequence
from math import ceil, sqrt

from PyQt6.QtCore import QPoint, Qt, pyqtSignal
from PyQt6.QtGui import QContextMenuEvent, QMouseEvent, QResizeEvent
from PyQt6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QScrollArea, QWidget

from gui.bridge import Life
from gui.lead_names import written
from gui.monitor import Monitor
from gui.review.hand import Hand
from gui.stream_head import NARROW, WIDTH, StreamHead
from gui.theme import Theme
from gui.traces.lane_labels import LaneLabels
from gui.traces.trace_view import TraceView
from gui.view_options import ViewOptions

LOWEST_PX = 36
"""Rows of a ward are not lower; more than fit are scrolled."""
_SCROLLED_FROM = 8
_TILE_PX, _ROOMY_PX = 316, 400
"""Tiles are not narrower; from the other width on their heads are as wide as those of rows."""


class StreamRow(QWidget):
    """Head, labels and traces of one stream; a stream that is alone has no head.

    Parameters
    ----------
    beside
        Whether another row shows the same stream: how late what is painted is, is measured there.
    """

    clicked = pyqtSignal()
    lead_asked = pyqtSignal(str, QPoint)
    """A menu is asked for: of which lead, and where on the screen."""

    def __init__(self, theme: Theme, options: ViewOptions, px_per_mm: float, *, beside: bool = False) -> None:
        super().__init__()
        self._beside = beside
        self.monitor: Monitor | None = None
        self.head = StreamHead(theme)
        self.head.hide()
        self.view = TraceView(theme, options, px_per_mm, beside=beside)
        self.labels = LaneLabels(self.view, theme)
        self.view.painted.connect(self._painted)
        self.hand = Hand(self.view, theme)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.head)
        row.addWidget(self.labels)
        row.addWidget(self.view, 1)

    def set_zoom(self, zoom: float) -> None:
        """Draw everything but the millimetres larger."""
        for part in (self.head, self.labels, self.view):
            part.set_zoom(zoom)

    def show_monitor(self, monitor: Monitor, number: int, *, alone: bool) -> None:
        """Show a run of one stream from its first sample on."""
        self.monitor = monitor
        self.head.setVisible(not alone)
        self.head.show_monitor(monitor, number)
        self.view.setMinimumHeight(100 if alone else LOWEST_PX)
        self.view.show_monitor(monitor, fewer_leads=not alone)
        self.labels.show_monitor(monitor)
        self.hand.show_monitor(monitor)

    def advance(self) -> None:
        """Draw what is new, if the row is visible; otherwise it is drawn when it becomes visible."""
        if not self.view.visibleRegion().isEmpty():
            self.view.update(self.view.advance())
        elif self.monitor and not self._beside:
            self.monitor.painting.drawn(seen=False)

    def refresh(self, life: Life, *, selected: bool) -> None:
        """Bring labels and head up to date."""
        if self.monitor is None:
            return
        self.labels.set_alarms(self.monitor.alarms())
        self.labels.set_reasons(self.monitor.reasons())
        shown = {lane.lead for lane in self.view.lanes}
        self.labels.set_unsure(self.monitor.unsure(shown))
        self.labels.set_off_scale(self.view.off_scale())
        state = self.monitor.state(life, self.view.frozen)
        self.view.set_notice(self.monitor.notice(life, frozen=self.view.frozen))
        hidden = len(self.monitor.info.leads) - len(shown)
        self.head.refresh(state, selected=selected, hidden_leads=hidden)

    def _painted(self) -> None:
        if self.monitor and not self._beside:
            self.monitor.painting.drawn(seen=not self.view.frozen)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: D102
        self.clicked.emit()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: D102
        left = event is not None and event.button() == Qt.MouseButton.LeftButton
        if event and left and self.labels.geometry().contains(event.pos()):
            self._ask_lead(event.pos(), event.globalPosition().toPoint())

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:  # noqa: D102
        if event:
            self.clicked.emit()
            self._ask_lead(event.pos(), event.globalPos())

    def _ask_lead(self, at: QPoint, on_screen: QPoint) -> None:
        if self.monitor and not (self.head.isVisible() and self.head.geometry().contains(at)):
            place = self.view.mapFrom(self, at)
            lane = self.view.lanes[self.view.placed.lane_at(place.x(), place.y())]
            self.lead_asked.emit(written(self.monitor.info.leads[lane.lead]), on_screen)


class StreamRows(QScrollArea):
    """Rows that share the height; `selected` tells which one a person chose.

    Parameters
    ----------
    beside
        Whether other rows show the same streams; see `StreamRow`.
    """

    selected = pyqtSignal(int)
    hand_moved = pyqtSignal(float)
    time_zoomed = pyqtSignal(int)
    gain_zoomed = pyqtSignal(int)
    measured = pyqtSignal()
    """What hands do on the rows; see `gui.review.hand.Hand`."""
    lead_asked = pyqtSignal(str, QPoint)
    """See `StreamRow`."""

    def __init__(self, theme: Theme, options: ViewOptions, px_per_mm: float, *, beside: bool = False) -> None:
        super().__init__()
        self._beside, self._one = beside, False
        self._theme, self._options, self._px_per_mm = theme, options, px_per_mm
        self._zoom = 1.0
        self.chosen_lead = ""
        """Which keys change; empty until one is chosen."""
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Without this PageDown would scroll here, and never reach the window, which selects a stream.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inside = QFrame()
        inside.setObjectName("line")
        self._tiles = QGridLayout(inside)
        self._tiles.setContentsMargins(0, 0, 0, 0)
        self._tiles.setSpacing(2)
        self._wall, self._columns = False, 1
        self.setWidget(inside)
        self.rows: list[StreamRow] = []
        self._set_count(1)
        self.current = self.rows[0]

    def show_monitors(self, monitors: Sequence[Monitor]) -> None:
        """Show as many streams."""
        # A row that is left over is not the current one any more.
        self.current = self.rows[0]
        self._set_count(len(monitors))
        for number, (row, monitor) in enumerate(zip(self.rows, monitors, strict=True), 1):
            row.show_monitor(monitor, number, alone=len(monitors) == 1)
            # Where rows are scrolled, the wheel scrolls them.
            row.hand.takes_wheel = len(monitors) <= _SCROLLED_FROM

    def add_monitors(self, monitors: Sequence[Monitor]) -> None:
        """Show more streams; those that are shown already are the first of them, and stay as they are."""
        shown = len(self.rows)
        self._set_count(len(monitors))
        # One that was alone had no head.
        first = 0 if shown == 1 else shown
        for number in range(first, len(monitors)):
            self.rows[number].show_monitor(monitors[number], number + 1, alone=False)
        for row in self.rows:
            row.hand.takes_wheel = len(monitors) <= _SCROLLED_FROM

    def _set_count(self, count: int) -> None:
        while len(self.rows) > count:
            row = self.rows.pop()
            self._tiles.removeWidget(row)
            row.deleteLater()
        while len(self.rows) < count:
            row = StreamRow(self._theme, self._options, self._px_per_mm, beside=self._beside)
            row.set_zoom(self._zoom)
            number = len(self.rows)
            row.clicked.connect(lambda number=number: self.selected.emit(number))
            row.lead_asked.connect(self.lead_asked)
            row.labels.choose(self.chosen_lead)
            row.hand.moved.connect(self.hand_moved)
            row.hand.time_zoomed.connect(self.time_zoomed)
            row.hand.gain_zoomed.connect(self.gain_zoomed)
            row.hand.measured.connect(self.measured)
            self.rows.append(row)
        self._arrange()

    def set_wall(self, wall: bool) -> None:
        """Show tiles side by side, as on a wall of a central station, or a row for each stream."""
        self._wall = wall
        self._arrange()

    def set_one(self, one: bool) -> None:
        """Show the selected stream alone, or all."""
        self._one = one
        self._arrange()

    @property
    def options(self) -> ViewOptions:
        """How the traces are shown."""
        return self._options

    @property
    def columns(self) -> int:
        """Tiles side by side."""
        return self._columns

    def _arrange(self) -> None:
        """Place the rows: alone below each other, or as many side by side as the width has room for."""
        count, fitting = len(self.rows), max(1, int(self.width() / (_TILE_PX * self._zoom)))
        self._columns = min(fitting, ceil(sqrt(count))) if self._wall and not self._one else 1
        for number in range(max(count, self._tiles.rowCount())):
            used = (
                self.rows.index(self.current) == number if self._one else number < ceil(count / self._columns)
            )
            self._tiles.setRowStretch(number, 1 if used else 0)
        for number, row in enumerate(self.rows):
            row.labels.setVisible(self._one or not (self._wall and count > 1))
            self._tiles.addWidget(row, number // self._columns, number % self._columns)
            row.setVisible(not self._one or row is self.current)
        roomy = self.width() / self._columns >= _ROOMY_PX * self._zoom
        for row in self.rows:
            row.head.set_width(WIDTH if roomy else NARROW)
        for number in range(max(self._columns, self._tiles.columnCount())):
            self._tiles.setColumnStretch(number, 1 if number < self._columns else 0)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: D102
        super().resizeEvent(event)
        if self._wall:
            self._arrange()

    def select(self, number: int) -> None:
        """Mark a row, and bring it into sight."""
        if self.current is not self.rows[number]:
            self.current = self.rows[number]
            if self._one:
                self._arrange()
        self.ensureWidgetVisible(self.current, 0, 0)

    def choose_lead(self, name: str) -> None:
        """Mark a lead in all rows that have it."""
        self.chosen_lead = name
        for row in self.rows:
            row.labels.choose(name)

    def advance(self) -> None:
        """Draw what is new."""
        for row in self.rows:
            row.advance()

    def refresh(self, life: Life) -> None:
        """Bring labels up to date."""
        for row in self.rows:
            row.refresh(life, selected=row is self.current)

    def settle(self) -> None:
        """Bring back what ran off the screen."""
        for row in self.rows:
            row.view.settle()
            row.labels.update()

    def freeze(self, frozen: bool) -> None:
        """Hold all pictures while the run goes on, or catch up with it."""
        for row in self.rows:
            row.view.freeze(frozen)

    def set_options(self, options: ViewOptions) -> None:
        """Show the same otherwise."""
        self._options = options
        for row in self.rows:
            row.view.set_options(options)

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme
        for row in self.rows:
            for part in (row.view, row.labels, row.head, row.hand):
                part.set_theme(theme)

    def set_zoom(self, zoom: float) -> None:
        """Draw everything but the millimetres larger."""
        self._zoom = zoom
        for row in self.rows:
            row.set_zoom(zoom)

    def set_px_per_mm(self, px_per_mm: float) -> None:
        """Another screen, or one that was measured."""
        self._px_per_mm = px_per_mm
        for row in self.rows:
            row.view.set_px_per_mm(px_per_mm)
