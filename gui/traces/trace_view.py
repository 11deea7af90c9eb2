"""Widget that paints the traces on one page, of which each tick redraws only the columns that changed.

All lanes share a page, because they share a time axis. What one tick costs depends on how many
columns are new, never on how long the run has lasted.
"""

import copy

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRect, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPixmap, QRegion, QResizeEvent
from PyQt6.QtWidgets import QWidget

from gui.calibration import Calibration
from gui.lanes import Lane, arrange
from gui.monitor import Monitor
from gui.theme import Theme
from gui.trace_buffer import TraceBuffer
from gui.traces.lane_painter import MARGIN, LanePainter
from gui.traces.paper import draw_paper
from gui.traces.room import gain_for, off_scale, reach_of, zeros_for
from gui.traces.sweep import Piece, Sweep
from gui.view_options import ViewOptions

BAR_MM = 8.0
"""Width of the erase bar."""
_OFFSET_MV = 0.5  # raw moves in steps of this where a device has an offset
_SETTLED_S = 2.0
_ROOM = 1.1
_LOWEST_LEAD_PX = 48
_VEIL = 170  # of 255
_LETTER_PX = 11


class TraceView(QWidget):
    """Sweeping or scrolling traces of one monitor.

    Parameters
    ----------
    px_per_mm
        Pixels of the screen in a millimetre.
    """

    arranged = pyqtSignal()
    """Lanes, gain or offsets have changed, and the labels beside the traces must be drawn again."""
    painted = pyqtSignal()
    """What was drawn is on the screen."""

    def __init__(self, theme: Theme, options: ViewOptions, px_per_mm: float) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(200, 100)
        self._theme, self._options, self._px_per_mm = theme, options, px_per_mm
        self._monitor: Monitor | None = None
        self._buffer: TraceBuffer | None = None
        self._leads: tuple[int, ...] = ()
        self._fewer_leads = False
        self.lanes: list[Lane] = []
        self.offsets_mv: NDArray[np.float64] = np.zeros(0)
        self.calibration = Calibration(px_per_mm)
        self.sweep = Sweep(1, 1.0)
        self._page = self._grid = QPixmap()
        self._lane_painter: LanePainter | None = None
        self._end = 0
        self.frozen = False
        self._font = QFont(self.font())
        self._font.setPixelSize(_LETTER_PX)
        self.notice = ""
        self._zoom = 1.0
        self._zeros: dict[int, float] = {}

    # what is shown, and how

    @property
    def options(self) -> ViewOptions:
        """How the traces are shown."""
        return self._options

    def show_monitor(self, monitor: Monitor, *, fewer_leads: bool = False) -> None:
        """Show all leads of a run; with `fewer_leads` only the first, where the others have no room."""
        self._fewer_leads = fewer_leads
        self._monitor, self._buffer = monitor, monitor.buffer
        count = len(monitor.info.leads)
        self._leads = tuple(range(count))
        self.offsets_mv = np.zeros(count)
        self._zeros = {}
        self.frozen = False
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

    def freeze(self, frozen: bool) -> None:
        """Hold the picture while the run goes on, or catch up with it."""
        self.frozen = frozen
        if self._monitor:
            self._buffer = copy.deepcopy(self._monitor.buffer) if frozen else self._monitor.buffer
        self.rebuild()

    def rebuild(self) -> None:
        """Lay everything out anew and draw the whole page."""
        options, monitor, buffer = self._options, self._monitor, self._buffer
        fs = buffer.fs if buffer else 360.0
        leads = self._leads or (0,)
        if self._fewer_leads and self.height() < _LOWEST_LEAD_PX * len(leads):
            leads = leads[:1]
        self.lanes = arrange(
            leads,
            self.height(),
            layout=options.layout,
            reference=options.reference and buffer is not None and buffer.info.has_reference,
            residual=options.residual,
            zoom=self._zoom,
            zeros=self._zeros,
        )
        gain = options.gain or gain_for(reach_of(buffer, leads), self.lanes, self._px_per_mm)
        self.calibration = Calibration(self._px_per_mm, options.speed, gain)
        width = min(self.calibration.page_columns(self.width()), self.width())
        if buffer:
            # At most the length of the buffer, less the samples that look-ahead may still overwrite.
            width = min(width, int((buffer.capacity / fs - 2) * self.calibration.px_per_s))
        self.sweep = Sweep(width, self.calibration.px_per_s / fs)
        self._grid = draw_paper(
            (self.width(), self.height()),
            self.devicePixelRatioF(),
            width,
            self.lanes,
            self._px_per_mm,
            self._theme,
        )
        self._page = QPixmap(self._grid)
        self._end = 0
        if monitor and buffer:
            buffer.take_changed()
            self._end = self.sweep.column(buffer.newest)
            self._lane_painter = LanePainter(
                buffer,
                monitor.ticks,
                monitor.switches,
                self._theme,
                options,
                self.calibration,
                self.sweep,
                self.offsets_mv,
                self._leads[0],
                self._zoom,
            )
            self._draw(self.sweep.column(buffer.oldest), self._end)
        self.arranged.emit()
        self.update()

    # drawing into the page

    @property
    def bar_columns(self) -> int:
        """Width of the erase bar; a scrolling page has none."""
        return 0 if self._options.scroll else round(BAR_MM * self._px_per_mm)

    def advance(self) -> QRegion:
        """Draw what changed since the last call into the page; returns what must be painted."""
        region = QRegion()
        buffer = self._buffer
        if buffer is None or self.frozen:
            return region
        changed = buffer.take_changed()
        if changed is None:
            return region
        start = self.sweep.column(changed) - round(MARGIN * self._zoom)
        self._end = self.sweep.column(buffer.newest)
        self._draw(start, self._end)
        if self._options.scroll:
            return QRegion(self.rect())
        for piece in self.sweep.pieces(start, self._end + self.bar_columns):
            region += QRect(piece.x, 0, piece.stop - piece.start, self.height())
        return region

    def settle(self) -> None:
        """Bring back what ran off the screen, in whole steps; once a second or so.

        A raw trace with an offset is moved, 0 mV gives room to the side on which a lead has its QRS
        complexes, and an automatic gain falls where the signal needs it.
        It rises again only where there is room to spare, so that it does not flap.
        """
        if self._buffer is None or self._buffer.empty or self.frozen:
            return
        reach_mv = min(lane.height for lane in self.lanes) / 2 / self.calibration.px_per_mv
        before = self.offsets_mv.copy()
        for lead, trace in enumerate(self._buffer.last("raw", _SETTLED_S)):
            known = trace[np.isfinite(trace)]
            if known.size > self._buffer.fs:
                middle = float(np.median(known))
                if abs(middle - self.offsets_mv[lead]) > 0.9 * reach_mv:
                    self.offsets_mv[lead] = _OFFSET_MV * round(middle / _OFFSET_MV)
        reached = reach_of(self._buffer, sorted({lane.lead for lane in self.lanes}))
        zeros = zeros_for(reached, self._zeros)
        moved = zeros != self._zeros or (before != self.offsets_mv).any()
        self._zeros = zeros
        gain = self.calibration.gain
        fitting, roomy = (gain_for(reached, self.lanes, self._px_per_mm, each) for each in (1.0, _ROOM))
        stays = self._options.gain or fitting >= gain >= roomy
        if moved or not stays:
            self.rebuild()

    def off_scale(self) -> list[bool]:
        """For each lane, whether a trace ran beyond it in the last second."""
        return off_scale(self._buffer, self.lanes, self.calibration, self.offsets_mv)

    def _draw(self, start: int, stop: int) -> None:
        painter = QPainter(self._page)
        painter.setFont(self._font)
        for piece in self.sweep.pieces(start, stop):
            self._draw_piece(painter, piece)
        painter.setClipping(False)
        for piece in self.sweep.pieces(stop, stop + self.bar_columns):
            painter.fillRect(
                piece.x, 0, piece.stop - piece.start, self.height(), QColor(self._theme.background)
            )
        painter.end()

    def _draw_piece(self, painter: QPainter, piece: Piece) -> None:
        width = piece.stop - piece.start
        painter.setClipping(False)
        self._blit(painter, self._grid, piece.x, piece.x, width)
        for lane in self.lanes:
            painter.setClipRect(piece.x, lane.top + 1, width, lane.bottom - lane.top - 1)
            if self._lane_painter:
                self._lane_painter.draw(painter, piece, lane)

    def _blit(self, painter: QPainter, source: QPixmap, to_x: int, from_x: int, width: int) -> None:
        ratio, height = source.devicePixelRatio(), self.height()
        painter.drawPixmap(
            QRectF(to_x, 0, width, height),
            source,
            QRectF(from_x * ratio, 0, width * ratio, height * ratio),
        )

    # Qt

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: D102
        painter = QPainter(self)
        width = self.sweep.width
        dirty = event.rect() if event else self.rect()
        if not self._options.scroll:
            self._blit(painter, self._page, dirty.x(), dirty.x(), dirty.width())
        else:
            self._turn(painter, width)
        if self.notice:
            self._draw_notice(painter)
        painter.end()
        self.painted.emit()

    def _turn(self, painter: QPainter, width: int) -> None:
        """Draw the page so that its newest column stands at the right."""
        turn = self._end % width
        self._blit(painter, self._page, 0, turn, width - turn)
        self._blit(painter, self._page, width - turn, 0, turn)
        painter.fillRect(width, 0, self.width() - width, self.height(), QColor(self._theme.background))

    def _draw_notice(self, painter: QPainter) -> None:
        veil = QColor(self._theme.background)
        veil.setAlpha(_VEIL)
        painter.fillRect(self.rect(), veil)
        font = QFont(self._font)
        font.setBold(True)
        font.setPixelSize(max(16, min(self.height() // 4, self.width() // 12)))
        painter.setFont(font)
        painter.setPen(QColor(self._theme.bad))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.notice)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: D102
        self.rebuild()
