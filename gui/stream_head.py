"""The label of one stream among several: its name, state and heart rate."""

import re

from PyQt6.QtCore import QRect, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from gui.monitor import Level, Monitor
from gui.style import tip
from gui.theme import Theme
from gui.writer import Writer

WIDTH, NARROW = 192, 116
"""Columns that it has; narrow where tiles are."""
_LEFT = 10
_NAME, _STATE, _LINE = 17, 16, 14
_TALL = 84
"""From this height on the heart rate is large, and has lines of its own."""
_HUGE = 130
"""From here on it can be read across a room."""
_LARGE_RATE, _HUGE_RATE = 28, 56


class StreamHead(QWidget):
    """Name and state; heart rate and gaps where there is room."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._zoom, self._width = 1.0, WIDTH
        self.setFixedWidth(WIDTH)
        self._monitor: Monitor | None = None
        self._state, self._level = "", Level.HELD
        self._number, self._selected = 0, False
        self._hidden_leads = 0
        self._painted: tuple[object, ...] = ()

    def set_zoom(self, zoom: float) -> None:
        """Draw everything larger."""
        self._zoom = zoom
        self.set_width(self._width)
        self.update()

    def set_width(self, width: int) -> None:
        """Take `WIDTH` or `NARROW` columns, without zoom."""
        self._width = width
        self.setFixedWidth(round(width * self._zoom))

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme
        self.update()

    def show_monitor(self, monitor: Monitor, number: int) -> None:
        """Tell of a stream, the `number`-th."""
        self._monitor, self._number = monitor, number
        self.setToolTip(tip(monitor.info.name))
        self.update()

    def refresh(self, state: tuple[str, Level], *, selected: bool, hidden_leads: int) -> None:
        """Show the figures of this moment; what is on the screen already is not painted again."""
        (self._state, self._level), self._selected = state, selected
        self._hidden_leads = hidden_leads
        if self._shown() == self._painted:
            return
        if self._monitor:
            self.setToolTip(tip(f"{self._monitor.info.name}: {self._state}"))
        self.update()

    def _shown(self) -> tuple[object, ...]:
        """All that a picture depends on, and may change between two refreshes."""
        return self.texts(), self._state, self._level, self._selected, self._has_gaps

    @property
    def _has_gaps(self) -> bool:
        return bool(self._monitor and self._monitor.status and self._monitor.status.gaps)

    def texts(self) -> dict[str, str]:
        """What is shown where there is room, by its name."""
        monitor = self._monitor
        if monitor is None:
            return {}
        rate = monitor.bpm[1]
        leads = ""
        if self._hidden_leads:
            leads = f"+{self._hidden_leads} lead{'' if self._hidden_leads == 1 else 's'}"
        return {
            # The chip says DEMO where it is synthetic.
            "name": f"{self._number} {monitor.info.name.removeprefix('synthetic ')}",
            "state": self._state,
            # Why, and the length of a record, have no room here.
            "chip": re.split(r" \(|/", self._state)[0],
            "rate": "--" if rate is None else f"{rate:.0f}",
            "gaps": monitor.gaps,
            "leads": leads,
        }

    @property
    def _height(self) -> int:
        """Rows as they were without zoom."""
        return round(self.height() / self._zoom)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: D102
        self._painted = self._shown()
        painter, theme = QPainter(self), self._theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(self._zoom, self._zoom)
        width, height = self._width, self._height
        painter.fillRect(0, 0, width, height + 1, QColor(theme.raised if self._selected else theme.panel))
        painter.fillRect(0, height - 1, width, 1, QColor(theme.line))
        if self._selected:
            painter.fillRect(0, 0, 4, height - 1, QColor(theme.text))
        texts = self.texts()
        if not texts:
            return
        write = Writer(painter, self.font())
        inside = width - _LEFT - 6
        write(QRect(_LEFT, 1, inside, _NAME), self._cut(texts["name"], inside, 12), theme.text, 12, bold=True)
        self._draw_state(painter, write, 1 + _NAME, texts)
        rest = [texts["gaps"], texts["leads"]]
        top = 1 + _NAME + _STATE
        if self._height >= _TALL:
            tall = _HUGE_RATE if height >= _HUGE and width == WIDTH else _LARGE_RATE
            write(QRect(_LEFT, top + 1, inside - 30, tall + 2), texts["rate"], theme.cleaned, tall, bold=True)
            write(QRect(_LEFT, top + 1, inside, tall), "bpm", theme.quiet, 11, right=True)
            top += tall + 3
        gaps = self._has_gaps
        colours = (theme.bad if gaps else theme.quiet, theme.quiet)
        if top + 2 * _LINE > self._height:
            rest = [" · ".join(filter(None, rest))] if not gaps else rest[:1]
        for text, colour in zip(rest, colours, strict=False):
            if text and top + _LINE <= self._height:
                write(QRect(_LEFT, top, inside, _LINE), self._cut(text, inside, 11), colour, 11)
                top += _LINE

    def _draw_state(self, painter: QPainter, write: Writer, top: int, texts: dict[str, str]) -> None:
        """The chip, and beside it the heart rate where it is not large."""
        if not self._state:
            return
        tall = self._height >= _TALL
        room = self._width - _LEFT - 6 - (0 if tall else 32)
        metrics = self._metrics(10, bold=True)
        text = metrics.elidedText(texts["chip"], Qt.TextElideMode.ElideRight, room - 10)
        width = metrics.horizontalAdvance(text) + 10
        hollow = self._level is Level.WARN
        colour = QColor(self._theme.bad if hollow else getattr(self._theme, self._level.value))
        painter.setPen(colour)
        painter.setBrush(Qt.BrushStyle.NoBrush if hollow else colour)
        painter.drawRoundedRect(QRectF(_LEFT + 0.5, top + 1.5, width, _STATE - 4), 3, 3)
        ink = self._theme.bad if hollow else self._theme.background
        write(QRect(_LEFT + 5, top + 1, width, _STATE - 3), text, ink, 10, bold=True)
        if not tall:
            box = QRect(_LEFT, top, self._width - _LEFT - 6, _STATE)
            write(box, texts["rate"], self._theme.cleaned, 15, bold=True, right=True)

    def _metrics(self, pixels: int, *, bold: bool = False) -> QFontMetrics:
        font = QFont(self.font())
        font.setPixelSize(pixels)
        font.setBold(bold)
        return QFontMetrics(font)

    def _cut(self, text: str, width: int, pixels: int) -> str:
        """Names often differ only at their end: shorten them in the middle."""
        return self._metrics(pixels, bold=True).elidedText(text, Qt.TextElideMode.ElideMiddle, width)
