"""The paper behind the traces: boxes of 1 and 5 mm, drawn once."""

from math import ceil

from PyQt6.QtCore import QRect
from PyQt6.QtGui import QColor, QPainter, QPen, QPixmap

from gui.calibration import LARGE_MM, SMALL_MM
from gui.lanes import Lane
from gui.sheet import Blank
from gui.theme import Theme

_TIGHTEST_PX = 3


def draw_paper(
    size: tuple[int, int],
    ratio: float,
    width: int,
    lanes: list[Lane],
    blanks: list[Blank],
    px_per_mm: float,
    theme: Theme,
) -> QPixmap:
    """Paint the grid of a page; each lane's lines begin at its 0 mV.

    Parameters
    ----------
    size, ratio
        Size in logical pixels, and how many of the screen's are in one.
    width
        Columns of the page; right of it there is no grid.
    blanks
        Cells without paper.
    """
    paper = QPixmap(ceil(size[0] * ratio), ceil(size[1] * ratio))
    paper.setDevicePixelRatio(ratio)
    paper.fill(QColor(theme.background))
    painter = QPainter(paper)
    for step_mm, colour in ((SMALL_MM, theme.grid_small), (LARGE_MM, theme.grid_large)):
        step = step_mm * px_per_mm
        if step < _TIGHTEST_PX:
            continue
        painter.setPen(QPen(QColor(colour), 1))
        for index in range(round(width / step) + 1):
            x = min(round(index * step), width - 1)
            painter.drawLine(x, 0, x, size[1])
        for lane in lanes:
            painter.setClipRect(
                lane.left, lane.top, min(width, lane.right) - lane.left, lane.bottom - lane.top
            )
            reach = ceil((lane.bottom - lane.top) / step)
            for index in range(-reach, reach + 1):
                y = lane.zero + round(index * step)
                painter.drawLine(0, y, width, y)
            painter.setClipping(False)
    painter.setPen(QPen(QColor(theme.line), 1))
    for blank in blanks:
        box = QRect(blank.left, blank.top, blank.right - blank.left, blank.bottom - blank.top)
        painter.fillRect(box, QColor(theme.background))
    parts: list[Lane | Blank] = [*lanes, *blanks]
    for part in parts:
        if part.top:
            painter.drawLine(part.left, part.top, min(width, part.right), part.top)
        if part.left:
            painter.drawLine(part.left, part.top, part.left, part.bottom)
    painter.end()
    return paper
