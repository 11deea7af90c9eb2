"""A labelled drop-down list; the mouse opens it, and a key steps through it."""

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QStandardItemModel
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

from gui.arrows import DropDown

LONGEST = 18
"""Letters up to which a closed list is as wide as its longest entry …"""
SHOWN = 6
"""… and how many a list with longer ones shows at least."""


class Choice(QWidget):
    """Label and list in a row; the signal `chosen` carries the value that a person picked.

    Parameters
    ----------
    items
        Values and what they are called.
    why_not
        Values that cannot be taken, and why.
    """

    chosen = pyqtSignal(str)

    def __init__(
        self, label: str, items: Sequence[tuple[str, str]], why_not: dict[str, str] | None = None
    ) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        name = QLabel(label)
        name.setObjectName("quiet")
        self.box = DropDown()
        # Keys are shortcuts of the window: a list that had the focus would swallow them.
        self.box.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        if max((len(text) for _, text in items), default=0) > LONGEST:
            # One long name must not widen the window; the open list shows names in full.
            self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            self.box.setMinimumContentsLength(SHOWN)
        if label:
            row.addWidget(name)
        row.addWidget(self.box, 1)
        for value, text in items:
            self._add(value, text)
        model = self.box.model()
        for value, reason in (why_not or {}).items():
            index = self.box.findData(value)
            item = model.item(index) if isinstance(model, QStandardItemModel) else None
            if item:
                item.setEnabled(False)
                item.setToolTip(reason)
        self.box.activated.connect(lambda index: self.chosen.emit(self.value))

    def _add(self, value: str, text: str) -> None:
        self.box.addItem(text, value)
        view = self.box.view()
        if view:
            view.setMinimumWidth(view.sizeHintForColumn(0) + 24)

    @property
    def value(self) -> str:
        """What is chosen."""
        return str(self.box.currentData())

    def show_value(self, value: str, text: str = "") -> None:
        """Show a value without emitting `chosen`; one that is not in the list is added to it."""
        index = self.box.findData(value)
        if index < 0:
            self._add(value, text or value)
            index = self.box.count() - 1
        self.box.setCurrentIndex(index)

    def step(self, by: int, *, wrap: bool = True) -> None:
        """Choose the next value that is available, or the one before."""
        count, index = self.box.count(), self.box.currentIndex()
        model = self.box.model()
        for _ in range(count):
            index += by
            if not wrap and not 0 <= index < count:
                return
            index %= count
            item = model.item(index) if isinstance(model, QStandardItemModel) else None
            if item is None or item.isEnabled():
                break
        if index != self.box.currentIndex():
            self.box.setCurrentIndex(index)
            self.chosen.emit(self.value)
