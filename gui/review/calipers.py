"""Calipers: two lines over the traces, and the time, rate and voltage between them."""

from dataclasses import dataclass

from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QColor, QFont, QPainter, QPen

from gui.lanes import Lane
from gui.theme import Theme
from gui.traces.trace_view import TraceView

_MOST_MARCHED = 400
_LETTER_PX = 13


@dataclass(frozen=True)
class Calipers:
    """Two points of one lane: samples of the stream, in fractions, and the mV that each row stands for.

    Parameters
    ----------
    lane
        Number of the lane on the page.
    march
        Whether the interval is repeated over the page, to see what keeps its rhythm.
    """

    lane: int
    first: float
    second: float
    first_mv: float = 0.0
    second_mv: float = 0.0
    march: bool = False

    def seconds(self, fs: float) -> float:
        """Time between the two."""
        return abs(self.second - self.first) / fs

    def text(self, fs: float) -> str:
        """Time, the rate of beats so far apart, and the voltage from the first point to the second."""
        seconds = self.seconds(fs)
        rate = f" · {60 / seconds:.0f} bpm" if seconds >= 0.1 else ""
        return f"{1000 * seconds:.0f} ms{rate} · {self.second_mv - self.first_mv:+.2f} mV"

    def lines(self, start: float, stop: float) -> list[float]:
        """Samples between `start` and `stop` at which lines stand."""
        step = abs(self.second - self.first)
        ends = [self.first, self.second]
        if not self.march or step < (stop - start) / _MOST_MARCHED:
            return ends
        low = min(ends)
        before, after = int((low - start) // step), int((stop - low) // step)
        return [low + step * index for index in range(-before, after + 1)]


def millivolts_at(view: TraceView, lane: Lane, y: float) -> float:
    """What a row of a lane stands for."""
    offset = float(view.offsets_mv[lane.lead]) if lane.main in ("raw", "residual") else 0.0
    return offset + (lane.zero - y) / (view.calibration.px_per_mv * lane.gain)


def draw_calipers(painter: QPainter, view: TraceView, calipers: Calipers, theme: Theme, fs: float) -> None:
    """Draw the lines through all lanes, the points in theirs, and what they measure."""
    if calipers.lane >= len(view.lanes):
        return
    lane = view.lanes[calipers.lane]
    stop = view.until
    colour = QColor(theme.text)
    for sample in calipers.lines(stop - view.page_samples, stop):
        own = sample in (calipers.first, calipers.second)
        painter.setPen(QPen(colour, 1, Qt.PenStyle.SolidLine if own else Qt.PenStyle.DotLine))
        x = round(view.x_of(sample))
        painter.drawLine(x, 0, x, view.height())
    offset = float(view.offsets_mv[lane.lead]) if lane.main in ("raw", "residual") else 0.0
    painter.setPen(QPen(colour, 1))
    rows = []
    for sample, millivolts in (
        (calipers.first, calipers.first_mv),
        (calipers.second, calipers.second_mv),
    ):
        x = round(view.x_of(sample))
        y = round(lane.zero - (millivolts - offset) * view.calibration.px_per_mv * lane.gain)
        painter.drawLine(x - 6, y, x + 6, y)
        rows.append(y)
    font = QFont(view.font())
    font.setPixelSize(round(_LETTER_PX * view.zoom))
    font.setBold(True)
    painter.setFont(font)
    text = calipers.text(fs)
    metrics = painter.fontMetrics()
    width, height = metrics.horizontalAdvance(text) + 12, metrics.height() + 4
    x = round(view.x_of(max(calipers.first, calipers.second))) + 6
    if x + width > view.width():
        x = max(0, round(view.x_of(min(calipers.first, calipers.second))) - 6 - width)
    box = QRect(x, max(lane.top + 2, min(rows) - height - 2), width, height)
    painter.fillRect(box, QColor(theme.raised))
    painter.drawRect(box)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
