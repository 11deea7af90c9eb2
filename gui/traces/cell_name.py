"""The name in a cell of a sheet, and what is wrong with its lead."""

from collections.abc import Sequence

from PyQt6.QtCore import QRect
from PyQt6.QtGui import QColor, QFont, QPainter

from gui.lanes import Lane
from gui.sheet import Blank
from gui.theme import Theme

_LEFT, _SPACE, _LINE = 5, 7, 19
_NAME_PX, _WORD_PX = 14, 11


def draw_name(
    painter: QPainter,
    part: QRect,
    cell: Lane | Blank,
    words: Sequence[tuple[str, str]],
    theme: Theme,
    zoom: float,
) -> None:
    """Write words, the name first and each with its colour, at the upper left of a cell.

    Parameters
    ----------
    part
        What of the page is painted: a cell that is not in it costs nothing.
    """
    line, right = round(_LINE * zoom), min(cell.right, part.right() + 1)
    if not QRect(cell.left, cell.top, right - cell.left, line).intersects(part):
        return
    painter.save()
    painter.setClipRect(
        QRect(cell.left + 1, cell.top + 1, cell.right - cell.left - 1, line).intersected(part)
    )
    x, space = cell.left + round(_LEFT * zoom), round(_SPACE * zoom)
    font = QFont(painter.font())
    for number, (text, colour) in enumerate(words):
        font.setPixelSize(round((_WORD_PX if number else _NAME_PX) * zoom))
        font.setBold(not number)
        painter.setFont(font)
        width = painter.fontMetrics().horizontalAdvance(text)
        # Letters of annotations are in the same rows, and pass below.
        painter.fillRect(QRect(x - 2, cell.top + 1, width + 4, line - 1), QColor(theme.background))
        painter.setPen(QColor(colour))
        painter.drawText(x, cell.top + round(_NAME_PX * zoom) + 1, text)
        x += width + space
    painter.restore()
