"""Widget that paints the traces on one page, of which each tick redraws only the columns that changed.

All lanes share a page, because they share a time axis. What one tick costs depends on how many
columns are new, never on how long the run has lasted.
"""

from collections.abc import Callable
from math import floor

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRect, Qt, pyqtSignal
from PyQt6.QtGui import QFont, QPainter, QPaintEvent, QRegion, QResizeEvent
from PyQt6.QtWidgets import QWidget

from gui.calibration import Calibration
from gui.lanes import Lane
from gui.monitor import Monitor
from gui.theme import Theme
from gui.trace_buffer import TraceBuffer
from gui.traces.arrangement import Arrangement, arrange_page, columns_per_sample
from gui.traces.lane_painter import LanePainter
from gui.traces.letters import MARGIN
from gui.traces.notice import draw_notice
from gui.traces.page import Page
from gui.traces.room import Room, off_scale
from gui.traces.sweep import Sweep
from gui.view_options import ViewOptions

BAR_MM = 8.0
"""Width of the erase bar."""
_LETTER_PX = 11


class TraceView(QWidget):
    """Sweeping or scrolling traces of one monitor.

    Parameters
    ----------
    px_per_mm
        Pixels of the screen in a millimetre.
    beside
        Whether another view draws the same monitor.
    """

    arranged = pyqtSignal()
    """Lanes, gain or offsets have changed, and the labels beside the traces must be drawn again."""
    painted = pyqtSignal()
    """What was drawn is on the screen."""

    def __init__(self, theme: Theme, options: ViewOptions, px_per_mm: float, *, beside: bool = False) -> None:
        super().__init__()
        self._reader = self if beside else None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(200, 100)
        self._theme, self._options, self._px_per_mm = theme, options, px_per_mm
        self._monitor: Monitor | None = None
        self._buffer: TraceBuffer | None = None
        self._fewer_leads = False
        self.sweep = Sweep(1, 1.0)
        self._until: int | None = None
        self._stop = 0
        self.over: Callable[[QPainter], None] | None = None
        """Draws over the traces what a person put there."""
        self._font = QFont(self.font())
        self._font.setPixelSize(_LETTER_PX)
        self.notice = ""
        self._zoom = 1.0
        self._room = Room(0)
        self.names: Callable[[QPainter, QRect], None] | None = None
        """Draws the names of the cells of a sheet, as far as they are in a part of the page."""
        self.placed: Arrangement
        """What stands where."""
        self.rebuild()

    # what is shown, and how

    @property
    def options(self) -> ViewOptions:
        """How the traces are shown."""
        return self._options

    @property
    def lanes(self) -> list[Lane]:
        """Strips of the page; of a sheet its cells, and the rhythm strip last."""
        return self.placed.lanes

    @property
    def calibration(self) -> Calibration:
        """Paper speed and gain in force."""
        return self.placed.calibration

    @property
    def offsets_mv(self) -> NDArray[np.float64]:
        """What is taken off each lead's raw trace."""
        return self._room.offsets_mv

    @property
    def zoom(self) -> float:
        """How much larger than usual letters are."""
        return self._zoom

    def show_monitor(self, monitor: Monitor, *, fewer_leads: bool = False) -> None:
        """Show all leads of a run; with `fewer_leads` only the first, where the others have no room."""
        self._fewer_leads = fewer_leads
        self._monitor, self._buffer = monitor, monitor.buffer
        self._room = Room(len(monitor.info.leads))
        self._until = None
        self.notice = ""
        self.rebuild()

    def set_options(self, options: ViewOptions) -> None:
        """Show the same otherwise."""
        self._options = options
        self.rebuild()

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme
        self.rebuild()

    def set_notice(self, notice: str) -> None:
        """Dim the traces and write across them why they are not those of now; empty shows them again."""
        if notice != self.notice:
            self.notice = notice
            self.update()

    def set_zoom(self, zoom: float) -> None:
        """Draw letters larger and lines thicker."""
        self._zoom = zoom
        self._font.setPixelSize(round(_LETTER_PX * zoom))
        self.rebuild()

    def set_px_per_mm(self, px_per_mm: float) -> None:
        """Another screen, or one that was measured."""
        self._px_per_mm = px_per_mm
        self.rebuild()

    def rebuild(self) -> None:
        """Lay everything out anew and draw the whole page."""
        options, monitor, buffer = self._options, self._monitor, self._buffer
        self.placed = arrange_page(
            buffer,
            options,
            (self.width(), self.height()),
            self._px_per_mm,
            fewer_leads=self._fewer_leads,
            zoom=self._zoom,
            zeros=self._room.zeros,
        )
        width = self.placed.width
        rate = columns_per_sample(self.calibration, buffer)
        # A page that stands still is read from the left: it begins with its oldest column.
        origin = floor(self._stop * rate) - width if self.frozen else 0
        self.sweep = Sweep(width, rate, origin)
        painter = None
        if monitor and buffer:
            painter = LanePainter(
                buffer,
                monitor.ticks,
                monitor.switches,
                self._theme,
                options,
                self.calibration,
                self.sweep,
                self.offsets_mv,
                self.placed.rhythm,
                self._zoom,
                self._until,
                monitor.events,
            )
        self._page = Page(
            self.sweep,
            self.size(),
            self.devicePixelRatioF(),
            self.lanes,
            self.placed.blanks,
            painter,
            px_per_mm=self._px_per_mm,
            font=self._font,
            theme=self._theme,
            bar=self.bar_columns,
        )
        if buffer:
            if not self.frozen:
                buffer.take_changed(self._reader)
            self._page.draw(self.sweep.column(buffer.oldest), self.sweep.column(self.until))
        self.arranged.emit()
        self.update()

    # drawing into the page

    @property
    def _turned(self) -> bool:
        # Cells stay where they are.
        return self._options.scroll and self._until is None and not self.placed.sheet

    @property
    def bar_columns(self) -> int:
        """Width of the erase bar; a scrolling page, and one that stands still, have none."""
        return 0 if self._turned or self.frozen else round(BAR_MM * self._px_per_mm)

    def advance(self) -> QRegion:
        """Draw what changed since the last call into the page; returns what must be painted."""
        buffer = self._buffer
        if buffer is None or self.frozen:
            return QRegion()
        changed = buffer.take_changed(self._reader)
        if changed is None:
            return QRegion()
        leads = {lane.lead for lane in self.lanes if "cleaned" in lane.kinds}
        changed = buffer.changes_from(changed, leads, st=self._options.st)
        start = self.sweep.column(changed) - round(MARGIN * self._zoom)
        self._page.draw(start, self.sweep.column(buffer.newest))
        return QRegion(self.rect()) if self._turned else self._page.region(start)

    # a page that stands still

    @property
    def frozen(self) -> bool:
        """Whether the page stands still while the run goes on."""
        return self._until is not None

    def freeze(self, frozen: bool) -> None:
        """Hold the page while the run goes on, or catch up with it.

        A page that stands still begins at the left, ends with the newest sample of that moment, and can be
        moved to any sample that is kept.
        """
        self._until = self._buffer.newest if frozen and self._buffer else None
        self._stop = self._until or 0
        self.rebuild()

    def show_until(self, stop: int) -> int:
        """Move a page that stands still so that it ends before a sample; returns before which it does."""
        buffer = self._buffer
        if buffer is None or self._until is None:
            return 0
        first = min(self._until, buffer.oldest + self.page_samples)
        self._stop = max(first, min(stop, self._until))
        self.rebuild()
        return self._stop

    @property
    def frozen_at(self) -> int:
        """The first sample that a page that stands still cannot show; 0 while it follows the run."""
        return self._until or 0

    @property
    def page_samples(self) -> int:
        """Samples that the page is wide."""
        return round(self.sweep.width / self.sweep.columns_per_sample)

    @property
    def until(self) -> int:
        """The sample before which the page ends."""
        if self._until is not None:
            return self._stop
        return self._buffer.newest if self._buffer else 0

    def sample_at(self, x: float) -> float:
        """The sample, in fractions, that stands at an x of the page."""
        column = self._page.column_at(int(x), turned=self._turned)
        return (column + x - int(x)) / self.sweep.columns_per_sample

    def x_of(self, sample: float) -> float:
        """Where on the page a sample stands; beside it where the page stands still and does not reach."""
        column = sample * self.sweep.columns_per_sample
        if self._turned:
            return column - (self._page.end - self.sweep.width)
        return column - self.sweep.origin if self.frozen else column % self.sweep.width

    def settle(self) -> None:
        """Bring back what ran off the screen, in whole steps; once a second or so: see `gui.traces.room`."""
        if self._buffer is None or self._buffer.empty or self.frozen:
            return
        if self._room.settle(self._buffer, self.lanes, self.calibration, automatic=not self._options.gain):
            self.rebuild()

    def off_scale(self) -> list[bool]:
        """For each lane, whether a trace ran beyond it in the last second."""
        return off_scale(self._buffer, self.lanes, self.calibration, self.offsets_mv)

    # Qt

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: D102
        painter = QPainter(self)
        self._page.show(painter, event.rect() if event else self.rect(), turned=self._turned)
        if self.names and self.placed.sheet:
            self.names(painter, event.rect() if event else self.rect())
        if self.over:
            self.over(painter)
        if self.notice:
            draw_notice(painter, self.rect(), self.notice, self._theme, self._font)
        painter.end()
        self.painted.emit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: D102
        self.rebuild()
