"""The command that fills the screen with a window."""

from PyQt6.QtCore import QEvent, QObject
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QWidget

from gui.actions import Actions


class FullScreen(QObject):
    """On for as long as the window fills the screen, whoever made it do so.

    Parameters
    ----------
    window
        What fills the screen.
    commands
        To which the command is added.
    short
        Whether its button leaves out the key.
    """

    def __init__(self, window: QWidget, commands: Actions, *, short: bool = False) -> None:
        super().__init__(window)
        self._window, self._commands = window, commands
        self.action: QAction = commands.add(
            "Full", "F11", self.fill, on=window.isFullScreen(), short=short, always=True
        )
        window.installEventFilter(self)

    def fill(self, on: bool) -> None:
        """Fill the screen, or be a window again."""
        if on:
            self._window.showFullScreen()
        else:
            self._window.showNormal()

    # Qt

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: D102
        # A remembered geometry, or the window manager, changes it too.
        if event and event.type() == QEvent.Type.WindowStateChange:
            self._commands.show("Full", self._window.isFullScreen())
        return False
