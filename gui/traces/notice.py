"""Words across traces that are not those of now."""

from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QColor, QFont, QPainter

from gui.theme import Theme

_VEIL = 170  # of 255


def draw_notice(painter: QPainter, box: QRect, notice: str, theme: Theme, font: QFont) -> None:
    """Dim what is in a box, and write across it why."""
    veil = QColor(theme.background)
    veil.setAlpha(_VEIL)
    painter.fillRect(box, veil)
    large = QFont(font)
    large.setBold(True)
    large.setPixelSize(max(16, min(box.height() // 4, box.width() // 12)))
    painter.setFont(large)
    painter.setPen(QColor(theme.bad))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, notice)
