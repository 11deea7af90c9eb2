"""The line above the traces: state, source, network and settings, delay, gaps."""

import math

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QWidget

from engine.run.protocol import Job
from gui.bridge import Life
from gui.monitor import Level, Monitor
from gui.style import chip, tip
from gui.theme import Theme
from gui.zoom import spread


class Header(QWidget):
    """Brought up to date by `refresh`."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.state = QLabel("STARTING")
        self.source = QLabel()
        self.source.setObjectName("title")
        # Only this text may be shortened where there is no room.
        self.source.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.network = QLabel()
        self.badge = QLabel()
        self.badge.setObjectName("badge")
        self.badge.setToolTip(
            "measured delay of a cleaned sample, from its source's stamp until it is painted: the median"
        )
        self.rate = QLabel()
        self.gaps = QLabel()
        self.recording = QLabel()
        row = QHBoxLayout(self)
        row.addWidget(self.state)
        row.addWidget(self.source, 1)
        for label in (self.recording, self.network, self.badge, self.rate, self.gaps):
            row.addWidget(_line())
            row.addWidget(label)
        self._row = row
        self.set_zoom(1.0)
        # A stream chooses its own name: show it as plain text, so that Qt reads no markup in it.
        for label in (self.source, self.network, self.recording):
            label.setTextFormat(Qt.TextFormat.PlainText)

    def set_zoom(self, zoom: float) -> None:
        """Have room for larger letters."""
        self.setFixedHeight(round(42 * zoom))
        spread(self._row, zoom, (10, 4, 12, 4), 10)

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme

    def refresh(self, monitor: Monitor | None, job: Job, life: Life, frozen: bool) -> None:
        """Show the figures of this moment."""
        text, level = monitor.state(life, frozen) if monitor else (life.value, _level(life))
        self.state.setText(text)
        self.state.setStyleSheet(chip(self._theme, level.value))
        name = monitor.info.name if monitor else f"{job.sources[0].kind} …"
        if len(job.sources) > 1:
            name += f" · one of {len(job.sources)}" if monitor else f" {len(job.sources)} streams"
        width = self.source.width()
        self.source.setText(self.source.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, width))
        self.source.setToolTip(tip(name))
        status = monitor.status if monitor else None
        if monitor is None or status is None:
            for label in (self.network, self.badge, self.rate, self.gaps):
                label.setText("--")
            self.recording.setText("not recording")
            return
        clean, delay = status.setup.clean, monitor.painting.delay
        self.network.setText(f"{clean.model} · look-ahead {clean.lookahead_ms:.0f} ms")
        self.network.setToolTip(tip(f"hop {clean.hop_ms:.0f} ms, on {clean.backend}"))
        known = monitor.has_figures and math.isfinite(delay.p50)
        self.badge.setText(f"Δ {delay.p50:.0f} ms" if known else "Δ --")
        fs = status.effective_fs_hz if monitor.has_figures else None
        self.rate.setText(f"{monitor.info.fs:g} Hz" if fs is None else f"{fs:.2f} Hz {_ppm(status.ppm)}")
        self.gaps.setText(monitor.gaps)
        self.gaps.setStyleSheet(f"color: {self._theme.bad};" if status.gaps else "")
        ended = status.recording_problem
        self.recording.setText("● REC" if status.recording else "REC ENDED" if ended else "not recording")
        self.recording.setStyleSheet(
            f"color: {self._theme.bad}; font-weight: bold;"
            if status.recording or ended
            else f"color: {self._theme.quiet};"
        )
        self.recording.setToolTip(tip(status.recording or ended))


def _ppm(ppm: float | None) -> str:
    return "" if ppm is None else f"{ppm:+.0f} ppm"


def _level(life: Life) -> Level:
    return Level.BAD if life.failed else Level.HELD


def _line() -> QFrame:
    line = QFrame()
    line.setObjectName("line")
    line.setFixedWidth(1)
    return line
