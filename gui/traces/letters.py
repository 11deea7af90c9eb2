"""Annotations above a trace, and the beats that were found below it."""

from collections.abc import Sequence

from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QColor, QPainter, QPen

from gui.lanes import Lane
from gui.theme import Theme
from gui.traces.sweep import Piece, Sweep
from gui.vitals import Ticks
from streamer.chunk import Annotation

MARGIN = 10
"""Columns that a letter reaches to either side of its sample."""


def draw_annotations(
    painter: QPainter,
    piece: Piece,
    lane: Lane,
    sweep: Sweep,
    annotations: Sequence[Annotation],
    theme: Theme,
    zoom: float,
) -> None:
    """Draw annotations, given in order, at the sample that they belong to."""
    if not annotations:
        return
    painter.setPen(QPen(QColor(theme.quiet), 1))
    shift = piece.x - piece.start
    line, reach = round(lane.letters * 0.71), round(MARGIN * zoom)
    for mark in reversed(annotations):
        column = sweep.column(mark.sample)
        if column < piece.start - reach:
            break
        if column < piece.stop + reach:
            x = column + shift
            painter.drawLine(x, lane.top + line, x, lane.top + lane.letters - 1)
            box = QRect(x - reach, lane.top + 1, 2 * reach, line - 1)
            # Letters stand at the top: over a trace they could not be read.
            painter.fillRect(box.adjusted(4, 0, -4, 0), QColor(theme.background))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, mark.symbol)


def draw_beats(
    painter: QPainter,
    piece: Piece,
    lane: Lane,
    sweep: Sweep,
    ticks: dict[str, Ticks],
    theme: Theme,
    zoom: float,
) -> None:
    """Draw the beats that were found in the traces of a lane, those of each in a row of its own."""
    shift, reach = piece.x - piece.start, round(MARGIN * zoom)
    tall = round(5 * zoom)
    for height, kind in enumerate(kind for kind in lane.kinds if kind in ticks):
        painter.setPen(QPen(QColor(getattr(theme, kind)), 1))
        for beat in reversed(ticks[kind].found):
            column = sweep.column(beat)
            if column < piece.start - reach:
                break
            if column < piece.stop + reach:
                bottom = lane.bottom + 2 - tall - (tall + 2) * height
                x = column + shift
                for row in range(tall):
                    painter.drawLine(x - row // 2, bottom - 5 + row, x + row // 2, bottom - 5 + row)
