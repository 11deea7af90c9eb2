"""The line under a page that stands still: where it is in the past, and what can be done there."""

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QScrollBar, QToolButton, QWidget

_TICKS_PER_S = 10


class ReviewBar(QWidget):
    """A scroll bar over what is kept, and buttons of commands.

    The scroll bar counts tenths of seconds from the oldest page to the newest.
    """

    moved = pyqtSignal(float)
    """The page is to end so many seconds before the newest sample."""

    def __init__(self) -> None:
        super().__init__()
        self.slider = QScrollBar(Qt.Orientation.Horizontal)
        self.slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.place = QLabel()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(8, 2, 8, 2)
        self._row.setSpacing(5)
        self._row.addWidget(self.place)
        self._row.addWidget(self.slider, 1)
        self.slider.valueChanged.connect(
            lambda value: self.moved.emit((self.slider.maximum() - value) / _TICKS_PER_S)
        )

    def add_buttons(self, actions: list[QAction]) -> None:
        """Put buttons of commands at the end."""
        for action in actions:
            button = QToolButton()
            button.setDefaultAction(action)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self._row.addWidget(button)

    def show_place(self, back_s: float, reach_s: float, page_s: float, text: str) -> None:
        """Show where the page ends.

        Parameters
        ----------
        back_s
            So many seconds before the newest sample.
        reach_s
            The most that this can be.
        page_s
            Seconds on a page.
        """
        self.slider.blockSignals(True)
        self.slider.setRange(0, round(_TICKS_PER_S * reach_s))
        self.slider.setPageStep(max(1, round(_TICKS_PER_S * page_s)))
        self.slider.setSingleStep(max(1, round(_TICKS_PER_S * page_s / 5)))
        self.slider.setValue(round(_TICKS_PER_S * (reach_s - back_s)))
        self.slider.blockSignals(False)
        self.place.setText(text)
