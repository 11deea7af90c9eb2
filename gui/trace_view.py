"""Paint the traces: one page, of which each tick draws only the columns that changed.

All lanes share a page, because they share a time axis. What one tick costs depends on how many
columns are new, never on how long the run has lasted.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray
from pyqtgraph.functions import arrayToQPolygonF
from PyQt6.QtCore import QRect, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QBrush, QColor, QFont, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PyQt6.QtWidgets import QWidget

from engine.messages import Mark
from gui.calibration import Calibration, fitting_gain
from gui.lanes import Lane, arrange
from gui.monitor import Monitor
from gui.sweep import Piece, Sweep, points, runs
from gui.theme import Theme
from gui.view_options import ViewOptions

BAR_MM = 8.0
"""Width of the erase bar."""
_MARGIN = 10  # columns that a letter reaches to either side of its sample
_OFFSET_MV = 0.5  # raw moves in steps of this where a device has an offset
_SETTLED_S = 2.0


class TraceView(QWidget):
    """Sweeping or scrolling traces of one monitor.

    Parameters
    ----------
    px_per_mm
        Pixels of the screen in a millimetre.
    """

    arranged = pyqtSignal()
    """Lanes, gain or offsets changed: labels beside the traces must follow."""

    def __init__(self, theme: Theme, options: ViewOptions, px_per_mm: float) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(200, 100)
        self._theme, self._options, self._px_per_mm = theme, options, px_per_mm
        self._monitor: Monitor | None = None
        self._leads: tuple[int, ...] = ()
        self.lanes: list[Lane] = []
        self.offsets_mv: NDArray[np.float64] = np.zeros(0)
        self.calibration = Calibration(px_per_mm)
        self.sweep = Sweep(1, 1.0)
        self._page = self._grid = QPixmap()
        self._end = 0
        self.frozen = False
        self._font = QFont(self.font())
        self._font.setPixelSize(11)

    # what is shown, and how

    @property
    def options(self) -> ViewOptions:
        """How the traces are shown."""
        return self._options

    def show_monitor(self, monitor: Monitor, leads: tuple[int, ...] | None = None) -> None:
        """Show a run, all of its leads or some."""
        self._monitor = monitor
        count = len(monitor.info.leads)
        self._leads = leads or tuple(range(count))
        self.offsets_mv = np.zeros(count)
        self.frozen = False
        self.rebuild()

    def set_options(self, options: ViewOptions) -> None:
        """Show the same otherwise."""
        self._options = options
        self.rebuild()

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme
        self.rebuild()

    def set_px_per_mm(self, px_per_mm: float) -> None:
        """Another screen, or one that was measured."""
        self._px_per_mm = px_per_mm
        self.rebuild()

    def rebuild(self) -> None:
        """Lay everything out anew and draw the whole page."""
        options, monitor = self._options, self._monitor
        fs = monitor.info.fs if monitor else 360.0
        self.lanes = arrange(
            self._leads or (0,),
            self.height(),
            layout=options.layout,
            reference=options.reference and monitor is not None and monitor.info.has_reference,
            residual=options.residual,
        )
        lane_px = min(lane.bottom - lane.top for lane in self.lanes)
        gain = options.gain or fitting_gain(self._px_per_mm, lane_px, self._height_mv())
        self.calibration = Calibration(self._px_per_mm, options.speed, gain)
        width = min(self.calibration.page_columns(self.width()), self.width())
        if monitor:
            # One lap of the buffer at most, less what the look-ahead may overwrite.
            width = min(width, int((monitor.buffer.capacity / fs - 2) * self.calibration.px_per_s))
        self.sweep = Sweep(width, self.calibration.px_per_s / fs)
        self._draw_grid()
        self._page = QPixmap(self._grid)
        self._end = 0
        if monitor:
            buffer = monitor.buffer
            buffer.take_changed()
            self._end = self.sweep.column(buffer.newest)
            self._draw(self.sweep.column(buffer.oldest), self._end)
        self.arranged.emit()
        self.update()

    def _height_mv(self) -> float:
        """What an automatic gain must fit: the last seconds, 2 mV at least."""
        if self._monitor is None or self._monitor.buffer.empty:
            return 3.0
        last = self._monitor.buffer.last("cleaned", 10.0)
        known = last[np.isfinite(last)]
        return max(2.0, 2.2 * float(np.percentile(np.abs(known), 99.8))) if known.size else 3.0

    # drawing into the page

    @property
    def bar_columns(self) -> int:
        """Width of the erase bar; a scrolling page has none."""
        return 0 if self._options.scroll else round(BAR_MM * self._px_per_mm)

    def advance(self) -> bool:
        """Draw what changed since the last call; says whether anything did."""
        if self._monitor is None or self.frozen:
            return False
        buffer = self._monitor.buffer
        changed = buffer.take_changed()
        if changed is None:
            return False
        start = self.sweep.column(changed) - _MARGIN
        self._end = self.sweep.column(buffer.newest)
        self._draw(start, self._end)
        if self._options.scroll:
            self.update()
            return True
        for piece in self.sweep.pieces(start, self._end + self.bar_columns):
            self.update(QRect(piece.x, 0, piece.stop - piece.start, self.height()))
        return True

    def settle(self) -> None:
        """Bring raw traces that an offset carried off the screen back, in steps; once a second or so."""
        if self._monitor is None or self._monitor.buffer.empty:
            return
        last = self._monitor.buffer.last("raw", _SETTLED_S)
        reach_mv = min(lane.bottom - lane.top for lane in self.lanes) / 2 / self.calibration.px_per_mv
        before = self.offsets_mv.copy()
        for lead, trace in enumerate(last):
            known = trace[np.isfinite(trace)]
            if known.size > self._monitor.info.fs:
                middle = float(np.median(known))
                if abs(middle - self.offsets_mv[lead]) > 0.9 * reach_mv:
                    self.offsets_mv[lead] = _OFFSET_MV * round(middle / _OFFSET_MV)
        if (before != self.offsets_mv).any():
            self.rebuild()

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
            self._draw_lane(painter, piece, lane)

    def _draw_lane(self, painter: QPainter, piece: Piece, lane: Lane) -> None:
        monitor, options = self._monitor, self._options
        if monitor is None:
            return
        buffer = monitor.buffer
        start, stop = self.sweep.samples(piece.start - 2, piece.stop + 2)
        start = max(start, buffer.oldest)
        self._hatch_gaps(painter, piece, lane)
        for kind in lane.kinds:
            end = buffer.newest if kind in ("raw", "cleaned") else buffer.final
            if options.align and kind == "raw":
                end = buffer.final
            if min(stop, end) <= start:
                continue
            colour = QColor(getattr(self._theme, kind))
            if kind != lane.main:
                colour.setAlpha(130)
            if kind == "cleaned":
                if options.band:
                    self._draw_band(painter, piece, lane, start, min(stop, buffer.final))
                self._draw_trace(painter, piece, lane, kind, start, min(stop, buffer.final), colour)
                if not options.align:
                    dim = QColor(colour)
                    dim.setAlpha(105)
                    first = max(start, buffer.final - 1)
                    self._draw_trace(painter, piece, lane, kind, first, min(stop, end), dim)
                self._mark_bypass(painter, piece, lane, start, min(stop, buffer.final))
            else:
                self._draw_trace(painter, piece, lane, kind, start, min(stop, end), colour)
        if options.marks and lane.main in ("raw", "cleaned"):
            self._draw_marks(painter, piece, lane)

    def _rows(self, lane: Lane, kind: str, values: NDArray[np.float32]) -> NDArray[np.float64]:
        offset = self.offsets_mv[lane.lead] if kind in ("raw", "residual") else 0.0
        rows: NDArray[np.float64] = lane.middle - (values - offset) * self.calibration.px_per_mv
        return rows

    def _draw_trace(
        self, painter: QPainter, piece: Piece, lane: Lane, kind: str, start: int, stop: int, colour: QColor
    ) -> None:
        if self._monitor is None or stop <= start:
            return
        values = self._monitor.buffer.read(kind, lane.lead, start, stop)
        x, y = points(values, start, self.sweep.columns_per_sample)
        x = x + (piece.x - piece.start)
        rows = self._rows(lane, kind, y)
        painter.setPen(QPen(colour, 1))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        for run in runs(y):
            if run.stop - run.start == 1:
                painter.drawPoint(round(x[run.start]), round(rows[run.start]))
            else:
                painter.drawPolyline(arrayToQPolygonF(x[run], rows[run]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        if kind in ("raw", "cleaned"):
            self._dash_missing(painter, piece, lane, start, values)

    def _draw_band(self, painter: QPainter, piece: Piece, lane: Lane, start: int, stop: int) -> None:
        """Fill the cleaned trace ± its spread."""
        if self._monitor is None or stop - start < 2:
            return
        buffer = self._monitor.buffer
        middle = buffer.read("cleaned", lane.lead, start, stop)
        spread = buffer.read("spread", lane.lead, start, stop)
        colour = QColor(self._theme.cleaned)
        colour.setAlpha(70)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        x = np.arange(start, stop) * self.sweep.columns_per_sample + (piece.x - piece.start)
        low, high = self._rows(lane, "cleaned", middle - spread), self._rows(lane, "cleaned", middle + spread)
        for run in runs(middle + spread):
            outline_x = np.concatenate([x[run], x[run][::-1]])
            outline_y = np.concatenate([low[run], high[run][::-1]])
            painter.drawPolygon(arrayToQPolygonF(outline_x, outline_y))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _hatch_gaps(self, painter: QPainter, piece: Piece, lane: Lane) -> None:
        if self._monitor is None:
            return
        for first, last in reversed(self._monitor.buffer.gaps):
            left, right = self.sweep.column(first), max(self.sweep.column(last), self.sweep.column(first) + 1)
            if right <= piece.start:
                return
            left, right = max(left, piece.start), min(right, piece.stop)
            if left < right:
                box = QRect(left - piece.start + piece.x, lane.top, right - left, lane.bottom - lane.top)
                painter.fillRect(box, QBrush(QColor(self._theme.quiet), Qt.BrushStyle.BDiagPattern))

    def _dash_missing(
        self, painter: QPainter, piece: Piece, lane: Lane, start: int, values: NDArray[np.float32]
    ) -> None:
        """Flat dashed line where a lead is off; a gap has its hatching instead."""
        lost = np.isnan(values)
        if self._monitor is None or not lost.any():
            return
        for first, last in self._monitor.buffer.gaps:
            lost[max(0, first - start) : max(0, last - start)] = False
        painter.setPen(QPen(QColor(self._theme.bad), 1))
        for run in runs(np.where(lost, np.float32(0), np.float32(np.nan))):
            left = self.sweep.column(start + run.start) - piece.start + piece.x
            right = self.sweep.column(start + run.stop) - piece.start + piece.x
            for x in range(left - left % 8, right, 8):
                if x + 4 > left:
                    painter.drawLine(max(x, left), lane.middle, min(x + 4, right), lane.middle)

    def _mark_bypass(self, painter: QPainter, piece: Piece, lane: Lane, start: int, stop: int) -> None:
        """Underline what is raw passed on."""
        if self._monitor is None or stop <= start:
            return
        passed = self._monitor.buffer.marks(lane.lead, start, stop) == Mark.BYPASSED
        if not passed.any():
            return
        for run in runs(np.where(passed, np.float32(0), np.float32(np.nan))):
            left = self.sweep.column(start + run.start) - piece.start + piece.x
            right = self.sweep.column(start + run.stop) - piece.start + piece.x
            painter.fillRect(left, lane.bottom - 4, right - left, 3, QColor(self._theme.bad))

    def _draw_marks(self, painter: QPainter, piece: Piece, lane: Lane) -> None:
        """Annotations at the sample that they belong to, and the beats that were found."""
        monitor = self._monitor
        if monitor is None:
            return
        painter.setPen(QPen(QColor(self._theme.quiet), 1))
        shift = piece.x - piece.start
        for mark in reversed(monitor.buffer.annotations):
            column = self.sweep.column(mark.sample)
            if column < piece.start - _MARGIN:
                break
            if column < piece.stop + _MARGIN:
                x = column + shift
                painter.drawLine(x, lane.top + 15, x, lane.top + 20)
                box = QRect(x - _MARGIN, lane.top + 1, 2 * _MARGIN, 14)
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, mark.symbol)
        if lane.lead != (self._leads or (0,))[0]:
            return
        for height, kind in enumerate(kind for kind in lane.kinds if kind in monitor.ticks):
            painter.setPen(QPen(QColor(getattr(self._theme, kind)), 1))
            for beat in reversed(monitor.ticks[kind].found):
                column = self.sweep.column(beat)
                if column < piece.start - _MARGIN:
                    break
                if column < piece.stop + _MARGIN:
                    bottom = lane.bottom - 3 - 7 * height
                    x = column + shift
                    for row in range(5):
                        painter.drawLine(x - row // 2, bottom - 5 + row, x + row // 2, bottom - 5 + row)

    # the paper

    def _draw_grid(self) -> None:
        ratio = self.devicePixelRatioF()
        self._grid = QPixmap(ceil(self.width() * ratio), ceil(self.height() * ratio))
        self._grid.setDevicePixelRatio(ratio)
        theme, mm, width = self._theme, self._px_per_mm, self.sweep.width
        self._grid.fill(QColor(theme.background))
        painter = QPainter(self._grid)
        for step_mm, colour in ((1, theme.grid_small), (5, theme.grid_large)):
            if step_mm * mm < 3:
                continue
            painter.setPen(QPen(QColor(colour), 1))
            for index in range(round(width / (step_mm * mm)) + 1):
                x = min(round(index * step_mm * mm), width - 1)
                painter.drawLine(x, 0, x, self.height())
            for lane in self.lanes:
                painter.setClipRect(0, lane.top, width, lane.bottom - lane.top)
                reach = ceil((lane.bottom - lane.top) / 2 / (step_mm * mm))
                for index in range(-reach, reach + 1):
                    y = lane.middle + round(index * step_mm * mm)
                    painter.drawLine(0, y, width, y)
                painter.setClipping(False)
        painter.setPen(QPen(QColor(theme.line), 1))
        for lane in self.lanes[1:]:
            painter.drawLine(0, lane.top, width, lane.top)
        painter.end()

    def _blit(self, painter: QPainter, source: QPixmap, to_x: int, from_x: int, width: int) -> None:
        ratio, height = source.devicePixelRatio(), self.height()
        painter.drawPixmap(
            QRectF(to_x, 0, width, height),
            source,
            QRectF(from_x * ratio, 0, width * ratio, height * ratio),
        )

    # Qt

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        width = self.sweep.width
        dirty = event.rect() if event else self.rect()
        if not self._options.scroll:
            self._blit(painter, self._page, dirty.x(), dirty.x(), dirty.width())
            return
        # The page is turned so that its newest column stands at the right.
        turn = self._end % width
        self._blit(painter, self._page, 0, turn, width - turn)
        self._blit(painter, self._page, width - turn, 0, turn)
        painter.fillRect(width, 0, self.width() - width, self.height(), QColor(self._theme.background))

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802, D102
        self.rebuild()
