"""Lists and number fields whose arrows have the colour and the size of their letters.

A style sheet takes away the arrows of the system's own style, and knows only pictures in their place.
"""

from PyQt6.QtCore import QPointF
from PyQt6.QtGui import QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from PyQt6.QtWidgets import QComboBox, QSpinBox, QWidget


class DropDown(QComboBox):
    """A closed list with an arrow that points down."""

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: D102
        super().paintEvent(event)
        _draw(self, {0.5: 1})


class NumberField(QSpinBox):
    """A whole number with an arrow for the next one and one for the one before."""

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: D102
        super().paintEvent(event)
        _draw(self, {0.3: -1, 0.7: 1})


def _draw(field: QWidget, arrows: dict[float, int]) -> None:
    """Draw arrows at shares of a field's height, down (1) or up (-1), in the room that the style leaves."""
    group = QPalette.ColorGroup.Normal if field.isEnabled() else QPalette.ColorGroup.Disabled
    half = field.fontMetrics().xHeight() / 2
    painter = QPainter(field)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(field.palette().color(group, QPalette.ColorRole.Text), max(1.5, half / 2)))
    x = field.width() - 3.5 * half
    for share, down in arrows.items():
        y = share * field.height()
        side, tip = y - down * half / 2, y + down * half / 2
        painter.drawPolyline(QPolygonF([QPointF(x - half, side), QPointF(x, tip), QPointF(x + half, side)]))
    painter.end()
