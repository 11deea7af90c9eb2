"""Text in a painted panel."""

from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QColor, QFont, QPainter


class Writer:
    """Writes text into boxes, at a size in pixels."""

    def __init__(self, painter: QPainter, font: QFont) -> None:
        self._painter, self._font = painter, QFont(font)

    def __call__(
        self, box: QRect, text: str, colour: str, pixels: int, *, bold: bool = False, right: bool = False
    ) -> None:
        """Write one line, centred in height, cut off at the box."""
        self._font.setPixelSize(pixels)
        self._font.setBold(bold)
        self._painter.setFont(self._font)
        self._painter.setPen(QColor(colour))
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        self._painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, text)
