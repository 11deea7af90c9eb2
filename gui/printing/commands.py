"""The commands that print."""

from collections.abc import Callable

from PyQt6.QtGui import QAction

from gui.actions import Actions
from gui.monitor_page import MonitorPage
from gui.printing.sheet import ROW_S
from gui.printing.strip import MINUTE_S, print_strip
from gui.settings import Settings
from gui.shown_run import ShownRun
from streamer.errors import InputError


class Printing:
    """Prints the selected stream.

    Parameters
    ----------
    page, run
        What is printed: the seconds before the end of the page.
    settings
        Says in which folder.
    commands
        To which the commands are added.
    say
        Tells a person where the strip is.
    """

    def __init__(
        self,
        page: MonitorPage,
        run: ShownRun,
        settings: Settings,
        commands: Actions,
        say: Callable[[str], None],
    ) -> None:
        self._page, self._run, self._settings, self._say = page, run, settings, say
        self.buttons: list[QAction] = [
            commands.add("Print", "Ctrl+P", lambda: self.print(ROW_S), short=True),
            commands.add("Print minute", "Ctrl+Shift+P", lambda: self.print(MINUTE_S), short=True),
        ]
        # The foot has no room for more.
        commands["Print minute"].setText("Minute")

    def print(self, seconds: float) -> None:
        """Print the last seconds of the selected stream, or of the page that stands still."""
        monitor = self._run.monitor
        if monitor is None:
            return
        try:
            path = print_strip(monitor, self._page.view.until, seconds, self._settings.folder)
        except (OSError, InputError) as error:
            self._say(f"not printed: {error}")
        else:
            self._say(f"printed: {path}")
