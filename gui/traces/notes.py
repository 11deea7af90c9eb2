"""What a person marked: a line through all lanes, and the note at the top."""

from PyQt6.QtGui import QColor, QPainter, QPen

from gui.events import EventLog
from gui.lanes import Lane
from gui.theme import Theme
from gui.traces.sweep import Piece, Sweep

_COLUMNS = 400  # that a note reaches to the right


def draw_notes(
    painter: QPainter, piece: Piece, lane: Lane, sweep: Sweep, events: EventLog, theme: Theme
) -> None:
    """Draw the marks that reach into the columns of a piece."""
    # A column more at either end: samples are rounded outwards.
    marks = events.marks(*sweep.samples(piece.start - _COLUMNS - 1, piece.stop + 1))
    if not marks:
        return
    painter.setPen(QPen(QColor(theme.text), 1))
    for event in marks:
        x = sweep.column(event.sample) + piece.x - piece.start
        if piece.x - _COLUMNS < x < piece.x + piece.stop - piece.start:
            painter.drawLine(x, lane.top, x, lane.bottom)
            if lane.top == 0:
                painter.drawText(x + 4, lane.top + lane.letters, f"✎ {event.text}")
