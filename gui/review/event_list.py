"""What happened, as a list that jumps to its place."""

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from gui.clock import clock
from gui.events import Event
from gui.monitor import Monitor
from gui.review.when import when
from gui.style import tip

_COLUMNS_PX = (68, 56)


class EventList(QWidget):
    """Events of the selected stream, newest first; a click, or Enter, asks for one's place."""

    chosen = pyqtSignal(int)
    """A sample."""

    def __init__(self) -> None:
        super().__init__()
        self.list = QTreeWidget()
        self.list.setColumnCount(3)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        # The arrow keys are the page's.
        self.list.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.set_zoom(1.0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.list)
        self._shown: tuple[object, int] = (None, 0)
        self.list.itemClicked.connect(self._choose)
        self.list.itemActivated.connect(self._choose)

    def set_zoom(self, zoom: float) -> None:
        """Have room for larger letters."""
        for column, width in enumerate(_COLUMNS_PX):
            self.list.setColumnWidth(column, round(width * zoom))

    def refresh(self, monitor: Monitor) -> None:
        """Show what is new."""
        log = monitor.events
        if self._shown == (log, log.version):
            return
        self._shown = (log, log.version)
        self.list.clear()
        for event in reversed(log.found):
            text = event.text + _lasted(event, monitor.info.fs)
            item = QTreeWidgetItem([when(monitor, event.sample), event.kind, text])
            item.setData(0, Qt.ItemDataRole.UserRole, event.sample)
            item.setToolTip(2, tip(text))
            self.list.addTopLevelItem(item)

    def _choose(self, item: QTreeWidgetItem) -> None:
        self.chosen.emit(item.data(0, Qt.ItemDataRole.UserRole))


def _lasted(event: Event, fs: float) -> str:
    if event.stop is None or event.kind == "gap":
        return ""
    seconds = (event.stop - event.sample) / fs
    return f" · {seconds:.1f} s" if seconds < 60 else f" · {clock(seconds)}"
