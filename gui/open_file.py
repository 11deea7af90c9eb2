"""Open a record from disk: chosen in a dialog, dropped on the window, or opened before."""

from pathlib import Path

from PyQt6.QtCore import QEvent, QObject, pyqtSignal
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QFileDialog, QWidget

from engine.files.played import ENDINGS, found_file
from gui.actions import Actions
from gui.settings import Settings
from streamer.errors import InputError
from streamer.found import FoundSource, found_in_file
from streamer.settings import SourceSettings

_REMEMBERED = 8
_KEY = "recent"


class OpenFile(QObject):
    """Files as sources, and the memory of those that were opened.

    Parameters
    ----------
    window
        On which files are dropped.
    base
        Settings that a file itself does not decide.
    settings
        Where the files are remembered.
    commands
        To which the command is added.
    """

    opened = pyqtSignal(object)
    """A `FoundSource` that a person chose."""
    refused = pyqtSignal(str)
    """Why a file cannot be opened."""

    def __init__(self, window: QWidget, base: SourceSettings, settings: Settings, commands: Actions) -> None:
        super().__init__(window)
        self._window, self._base, self._settings = window, base, settings
        commands.add("Open file", "Ctrl+O", self.ask, always=True)
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def ask(self) -> None:
        """Ask for a file; what plays goes on meanwhile."""
        dialog = QFileDialog(self._window, "Open an ECG")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        endings = " ".join(f"*{ending}" for ending in ENDINGS)
        dialog.setNameFilters([f"ECG files ({endings} *.dat)", "all files (*)"])
        recent = self._paths()
        if recent:
            dialog.setDirectory(str(recent[0].parent))
        dialog.fileSelected.connect(lambda name: self.take(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def take(self, path: Path) -> None:
        """Open a file, and remember it."""
        try:
            found = self._found(path, "Files")
        except InputError as error:
            self.refused.emit(str(error))
            return
        paths = [path.absolute(), *(each for each in self._paths() if each != path.absolute())]
        self._settings.set(_KEY, "\n".join(map(str, paths[:_REMEMBERED])))
        self.opened.emit(found)

    def recent(self) -> list[FoundSource]:
        """Files that were opened before and are still there, the newest first."""
        found = []
        for path in self._paths():
            try:
                found.append(self._found(path, "Recent"))
            except InputError:
                continue
        return found

    def _found(self, path: Path, group: str) -> FoundSource:
        other = path.suffix.lower() in ENDINGS and not path.with_suffix(".hea").is_file()
        return (found_file if other else found_in_file)(path, self._base, group)

    def _paths(self) -> list[Path]:
        return [Path(line) for line in self._settings.get(_KEY, "").split("\n") if line]

    # Qt

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: D102
        if isinstance(event, QDragEnterEvent) and event.type() == QEvent.Type.DragEnter:
            mime = event.mimeData()
            if mime and mime.hasUrls():
                event.acceptProposedAction()
                return True
        elif isinstance(event, QDropEvent) and event.type() == QEvent.Type.Drop:
            mime = event.mimeData()
            files = [url.toLocalFile() for url in mime.urls() if url.isLocalFile()] if mime else []
            if files:
                event.acceptProposedAction()
                self.take(Path(files[0]))
                return True
        return False
