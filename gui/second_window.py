"""A second window of the same run, for another monitor: all streams as a wall, or the selected one alone."""

from collections.abc import Callable, Sequence

from PyQt6.QtCore import QByteArray, QObject, Qt
from PyQt6.QtGui import QCloseEvent, QGuiApplication
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.actions import Actions
from gui.appearance import px_per_mm_of
from gui.full_screen import FullScreen
from gui.monitor import Monitor
from gui.monitor_page import MonitorPage
from gui.settings import Settings
from gui.shown_run import ShownRun
from gui.stream_rows import StreamRows
from gui.style import style_sheet
from gui.theme import THEMES
from gui.zoom import SMALLEST, zoom_of

_GEOMETRY, _WALL = "second/geometry", "second/wall"


class SecondWindow(QMainWindow):
    """Draws streams that another window takes from the engine; closing it ends nothing.

    Parameters
    ----------
    page, run
        Of the first window: how traces are shown, and what plays.
    settings
        Where its place is remembered.
    closed
        Is told that a person has closed it.
    """

    def __init__(
        self, page: MonitorPage, run: ShownRun, settings: Settings, closed: Callable[[], None]
    ) -> None:
        super().__init__()
        self.setWindowTitle("ecg-stream, second window")
        self._page, self._run, self._settings, self._closed = page, run, settings, closed
        self._shown: Sequence[Monitor] = ()
        self._theme = ""
        self._zoom = 1.0
        self.commands = Actions(self)
        wall: bool = settings.get(_WALL, True)
        buttons = [
            self.commands.add("Wall", "X", self.set_wall, on=wall),
            FullScreen(self, self.commands).action,
            self.commands.add("Close", "Ctrl+W", self.close),
        ]
        self.streams = StreamRows(
            THEMES[settings.theme], page.view.options, px_per_mm_of(self, settings), beside=True
        )
        self.empty = QLabel("Nothing plays.")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self.streams)
        foot = QHBoxLayout()
        foot.setContentsMargins(10, 2, 12, 4)
        for action in buttons:
            button = QToolButton()
            button.setDefaultAction(action)
            button.setObjectName("quiet")
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            foot.addWidget(button)
        foot.addStretch(1)
        warning = QLabel(self._page.warning.text())
        warning.setObjectName("quiet")
        foot.addWidget(warning)
        inside = QWidget()
        rows = QVBoxLayout(inside)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self._pages, 1)
        rows.addLayout(foot)
        self.setCentralWidget(inside)
        self.resize(*SMALLEST)
        self._place()
        self.set_wall(wall)
        self.refresh()

    def _place(self) -> None:
        """Where it was last, or on a screen that the first window is not on."""
        geometry = self._settings.get(_GEOMETRY, QByteArray())
        others = [screen for screen in QGuiApplication.screens() if screen is not self._page.screen()]
        if not geometry.isEmpty():
            self.restoreGeometry(geometry)
        elif others:
            self.move(others[0].availableGeometry().topLeft())

    def set_wall(self, on: bool) -> None:
        """Show all streams as tiles, or the selected one alone."""
        self._settings.set(_WALL, on)
        self.streams.set_wall(on)
        self.streams.set_one(not on)

    def advance(self) -> None:
        """Draw what is new."""
        if self._run.monitors is not self._shown:
            self._take_streams()
        self.streams.advance()

    def _take_streams(self) -> None:
        self._shown = self._run.monitors
        self._pages.setCurrentIndex(1 if self._shown else 0)
        if self._shown:
            self.streams.show_monitors(self._shown)

    def refresh(self) -> None:
        """Bring labels up to date, and follow the first window in what it shows and how."""
        run, options = self._run, self._page.view.options
        if run.monitors is not self._shown:
            self._take_streams()
        if self.streams.options != options:
            self.streams.set_options(options)
        if self._settings.theme != self._theme:
            self._theme = self._settings.theme
            self.setStyleSheet(style_sheet(THEMES[self._theme], self._zoom))
            self.streams.set_theme(THEMES[self._theme])
        zoom = zoom_of(self.width(), self.height())
        if zoom != self._zoom:
            self._zoom = zoom
            self.setStyleSheet(style_sheet(THEMES[self._theme], zoom))
            self.streams.set_zoom(zoom)
        if run.monitor and self._shown:
            self.streams.select(list(self._shown).index(run.monitor))
            self.streams.refresh(run.life)

    # Qt

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: D102
        self._settings.set(_GEOMETRY, self.saveGeometry())
        if event:
            event.accept()
        self._closed()


class SecondScreen(QObject):
    """The command that opens the second window and closes it.

    Parameters
    ----------
    page, run, settings
        As for `SecondWindow`.
    commands
        To which the command is added.
    select
        Selects a stream, by its number.
    """

    def __init__(
        self,
        page: MonitorPage,
        run: ShownRun,
        settings: Settings,
        commands: Actions,
        select: Callable[[int], None],
    ) -> None:
        super().__init__(page)
        self._page, self._run, self._settings, self._select = page, run, settings, select
        self._commands = commands
        self.window: SecondWindow | None = None
        """None while it is closed."""
        page.add_foot_buttons([commands.add("2nd", "Ctrl+N", self.show, on=False, short=True, always=True)])
        commands["2nd"].setToolTip("second window of this run, for another monitor  Ctrl+N")

    def show(self, on: bool) -> None:
        """Open the window, or close it."""
        if on and self.window is None:
            self.window = SecondWindow(self._page, self._run, self._settings, self._forget)
            self.window.streams.selected.connect(self._select)
            self.window.show()
            self.window.activateWindow()
        elif not on and self.window:
            self.window.close()

    def _forget(self) -> None:
        if self.window:
            self.window.deleteLater()
        self.window = None
        self._commands.show("2nd", False)

    def advance(self) -> None:
        """Draw what is new."""
        if self.window:
            self.window.advance()

    def refresh(self) -> None:
        """Bring labels up to date; a few times a second."""
        if self.window:
            self.window.refresh()

    def settle(self) -> None:
        """Bring back what ran off its screen; once a second."""
        if self.window and self._run.monitors:
            self.window.streams.settle()
