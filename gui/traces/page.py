"""The page that traces are drawn into, and shown from: only columns that changed are drawn again."""

from PyQt6.QtCore import QRect, QRectF, QSize
from PyQt6.QtGui import QColor, QFont, QPainter, QPixmap, QRegion

from gui.lanes import Lane
from gui.sheet import Blank
from gui.theme import Theme
from gui.traces.lane_painter import LanePainter
from gui.traces.paper import draw_paper
from gui.traces.sweep import Piece, Sweep


class Page:
    """Pixels of all lanes over the paper.

    Parameters
    ----------
    sweep
        Where each column stands.
    size, ratio
        Size in logical pixels, and how many of the screen's are in one.
    lanes
        Strips of the page.
    blanks
        Cells without paper.
    painter
        Draws what a lane holds; None leaves the paper empty.
    bar
        Width of the erase bar in columns; 0 has none.
    """

    def __init__(
        self,
        sweep: Sweep,
        size: QSize,
        ratio: float,
        lanes: list[Lane],
        blanks: list[Blank],
        painter: LanePainter | None,
        *,
        px_per_mm: float,
        font: QFont,
        theme: Theme,
        bar: int = 0,
    ) -> None:
        self.sweep, self._size, self._lanes, self._painter, self._bar = sweep, size, lanes, painter, bar
        self._font, self._background = font, QColor(theme.background)
        self._grid = draw_paper(
            (size.width(), size.height()), ratio, sweep.width, lanes, blanks, px_per_mm, theme
        )
        self._pixels = QPixmap(self._grid)
        self._end = 0

    @property
    def end(self) -> int:
        """The first column that is not drawn."""
        return self._end

    def draw(self, start: int, stop: int) -> None:
        """Draw columns start … stop-1, and the erase bar ahead of them."""
        self._end = stop
        painter = QPainter(self._pixels)
        painter.setFont(self._font)
        for piece in self.sweep.pieces(start, stop):
            self._draw_piece(painter, piece)
        painter.setClipping(False)
        for piece in self.sweep.pieces(stop, stop + self._bar):
            painter.fillRect(piece.x, 0, piece.stop - piece.start, self._size.height(), self._background)
        painter.end()

    def region(self, start: int) -> QRegion:
        """What of the screen columns from `start` to the end of the erase bar take."""
        region = QRegion()
        for piece in self.sweep.pieces(start, self._end + self._bar):
            region += QRect(piece.x, 0, piece.stop - piece.start, self._size.height())
        return region

    def _draw_piece(self, painter: QPainter, piece: Piece) -> None:
        width = piece.stop - piece.start
        painter.setClipping(False)
        self._blit(painter, self._grid, piece.x, piece.x, width)
        if self._painter is None:
            return
        for lane in self._lanes:
            left, right = max(piece.x, lane.left), min(piece.x + width, lane.right)
            if left < right:
                start = piece.start + left - piece.x
                painter.setClipRect(left, lane.top + 1, right - left, lane.bottom - lane.top - 1)
                self._painter.draw(painter, Piece(start, start + right - left, left), lane)

    def _blit(self, painter: QPainter, source: QPixmap, to_x: int, from_x: int, width: int) -> None:
        ratio, height = source.devicePixelRatio(), self._size.height()
        painter.drawPixmap(
            QRectF(to_x, 0, width, height),
            source,
            QRectF(from_x * ratio, 0, width * ratio, height * ratio),
        )

    def show(self, painter: QPainter, dirty: QRect, *, turned: bool) -> None:
        """Copy it to the screen; `turned`, its newest column stands at the right."""
        if not turned:
            self._blit(painter, self._pixels, dirty.x(), dirty.x(), dirty.width())
            return
        width = self.sweep.width
        turn = self._end % width
        self._blit(painter, self._pixels, 0, turn, width - turn)
        self._blit(painter, self._pixels, width - turn, 0, turn)
        painter.fillRect(width, 0, self._size.width() - width, self._size.height(), self._background)

    def column_at(self, x: int, *, turned: bool) -> int:
        """The newest column that stands at an x of the screen."""
        width, end = self.sweep.width, self._end
        if turned:
            return end - width + x
        newest = (end - 1 - self.sweep.origin) % width
        return end - 1 - (newest - x) % width
