"""The page of a run: header, labels, traces, figures and controls."""

from collections.abc import Callable

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.run.protocol import Job
from gui.bridge import Life
from gui.controls import Controls
from gui.header import Header
from gui.lead_names import written
from gui.monitor import Monitor
from gui.numerics import Numerics
from gui.review.bar import ReviewBar
from gui.review.time_axis import TimeAxis
from gui.side.panel import SidePanel
from gui.stream_rows import StreamRows
from gui.style import tip
from gui.terminal.view import WARNING
from gui.theme import Theme
from gui.traces.trace_view import TraceView
from gui.view_options import ViewOptions
from gui.zoom import spread

_SIDE_PX = 248
_NOTE_MS = 6000
_FOOT = (10, 2, 12, 4), 8


class MonitorPage(QWidget):
    """Lays out the parts, and keeps their labels up to date.

    Parameters
    ----------
    restart, choose_source
        What the buttons do that appear when a run is over.
    """

    def __init__(
        self,
        theme: Theme,
        options: ViewOptions,
        px_per_mm: float,
        restart: Callable[[], None],
        choose_source: Callable[[], None],
    ) -> None:
        super().__init__()
        self.streams = StreamRows(theme, options, px_per_mm)
        self.header = Header(theme)
        self.numerics = Numerics(theme)
        self.controls = Controls(options)
        self.side = QWidget()
        self.side.setFixedWidth(_SIDE_PX)
        column = QVBoxLayout(self.side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(self.numerics)
        self.panel = SidePanel(theme)
        self.latency, self.events = self.panel.latency, self.panel.events
        column.addWidget(self.panel, 1)
        middle = QHBoxLayout()
        middle.setContentsMargins(0, 0, 0, 0)
        middle.setSpacing(0)
        self.axis = TimeAxis(theme)
        self.review_bar = ReviewBar()
        self.review_bar.hide()
        traces = QVBoxLayout()
        traces.setSpacing(0)
        traces.addWidget(self.streams, 1)
        traces.addWidget(self.axis)
        traces.addWidget(self.review_bar)
        middle.addLayout(traces, 1)
        middle.addWidget(self.side)

        self.banner = QFrame()
        self.banner.setObjectName("banner")
        self.reason = QLabel()
        self.reason.setTextFormat(Qt.TextFormat.PlainText)
        self.reason.setWordWrap(True)
        self.restart_button = QPushButton("Restart  F5")
        self.restart_button.clicked.connect(lambda: restart())
        self.source_button = QPushButton("Choose another source  O")
        self.source_button.clicked.connect(lambda: choose_source())
        row = QHBoxLayout(self.banner)
        row.addWidget(self.reason, 1)
        row.addWidget(self.restart_button)
        row.addWidget(self.source_button)
        self.banner.hide()

        self.warning = QLabel(f"ST and P waves not validated · {WARNING}")
        self.scale = QLabel()
        self.note = QLabel()
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        for quiet in (self.warning, self.scale):
            quiet.setObjectName("quiet")
        self._footer = footer = QHBoxLayout()
        spread(footer, 1.0, *_FOOT)
        self.reset_button, self.help_button = QToolButton(), QToolButton()
        footer.addWidget(self.scale)
        self._buttons = QWidget()
        self._foot = QHBoxLayout(self._buttons)
        self._foot.setContentsMargins(0, 0, 0, 0)
        self._foot.setSpacing(0)
        footer.addWidget(self._buttons)
        # Only a note may be cut: the warning never is.
        self.note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        for button in (self.reset_button, self.help_button):
            self._add_to_foot(button)
        footer.addWidget(self.note, 1)
        footer.addWidget(self.warning)

        self._clear_note = QTimer(self)
        self._clear_note.setSingleShot(True)
        self._clear_note.timeout.connect(lambda: self._show_note(""))

        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.header)
        rows.addWidget(self.banner)
        rows.addLayout(middle, 1)
        rows.addWidget(self.controls)
        rows.addLayout(footer)

    def _add_to_foot(self, button: QToolButton) -> None:
        button.setObjectName("quiet")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._foot.addWidget(button)

    def say(self, text: str) -> None:
        """Show a line at the foot in the place of its buttons, for a while."""
        self._show_note(text)
        self._clear_note.start(_NOTE_MS)

    def _show_note(self, text: str) -> None:
        self.note.setText(text)
        self.note.setToolTip(tip(text))
        self._buttons.setVisible(not text)

    def add_foot_buttons(self, actions: list[QAction]) -> None:
        """Put quiet buttons of commands at the foot."""
        for action in actions:
            button = QToolButton()
            button.setDefaultAction(action)
            self._add_to_foot(button)

    @property
    def view(self) -> TraceView:
        """Traces of the selected stream."""
        return self.streams.current.view

    def set_zoom(self, zoom: float) -> None:
        """Draw everything but the millimetres larger."""
        self.side.setFixedWidth(round(_SIDE_PX * zoom))
        spread(self._footer, zoom, *_FOOT)
        for part in (self.streams, self.header, self.numerics):
            part.set_zoom(zoom)
        for more in (self.controls, self.axis, self.panel):
            more.set_zoom(zoom)

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        for part in (self.streams, self.header, self.numerics, self.panel, self.axis):
            part.set_theme(theme)

    def show_over(self, reason: str) -> None:
        """Say that a run is over, and offer what can be done."""
        self.reason.setText(reason)
        self.banner.show()

    def refresh_labels(self, monitor: Monitor | None, job: Job, life: Life) -> None:
        """Bring everything but traces and heart rates up to date; a few times a second.

        Parameters
        ----------
        monitor
            Of the selected stream.
        """
        self.header.refresh(monitor, job, life, self.view.frozen)
        scale = self.view.calibration
        automatic = "" if self.view.options.gain else " (auto)"
        names = [written(name) for name in monitor.info.leads] if monitor else []
        hidden = self.view.options.leads.hidden_text(names)
        parts = [f"{scale.speed:g} mm/s", f"{scale.gain:g} mm/mV{automatic}", hidden]
        self.scale.setText(" · ".join(filter(None, parts)))
        if monitor is None:
            return
        self.streams.refresh(life)
        self.axis.refresh(self.view, monitor)
        if self.side.isVisible():
            self.panel.refresh(monitor)

    def refresh_figures(self, monitor: Monitor) -> None:
        """Bring heart rates and the like up to date; once a second."""
        self.streams.settle()
        self.numerics.refresh(monitor)
