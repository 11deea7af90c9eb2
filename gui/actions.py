"""Commands of the window: a key for each, a button for most."""

from collections.abc import Callable

from PyQt6.QtGui import QAction, QKeySequence, QShortcut
from PyQt6.QtWidgets import QWidget

from gui.controls import Controls


class Actions:
    """Commands with a button, by name.

    Parameters
    ----------
    window
        In which the keys are heard.
    """

    def __init__(self, window: QWidget) -> None:
        self._window = window
        self._by_name: dict[str, QAction] = {}

    def __getitem__(self, name: str) -> QAction:
        return self._by_name[name]

    def add(
        self,
        name: str,
        key: str,
        slot: Callable[..., object],
        *,
        on: bool | None = None,
        short: bool = False,
    ) -> QAction:
        """Make a command; with `on` it is one that is on or off, and `slot` is told which.

        The button of a `short` one tells its key only to whom points at it.
        """
        action = QAction(name if short else f"{name} {key}", self._window)
        action.setToolTip(f"{name}  {key}")
        action.setShortcut(QKeySequence(key))
        if on is None:
            action.triggered.connect(lambda: slot())
        else:
            action.setCheckable(True)
            action.setChecked(on)
            action.toggled.connect(slot)
        self._window.addAction(action)
        self._by_name[name] = action
        return action

    def show(self, name: str, on: bool) -> None:
        """Set a button without doing what it does."""
        action = self._by_name[name]
        action.blockSignals(True)
        action.setChecked(on)
        action.blockSignals(False)


def add_stepping_keys(window: QWidget, controls: Controls, active: Callable[[], bool]) -> None:
    """Keys that step through the lists of the controls, while `active` says so."""
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("N", lambda: controls.noise.step(1)),
        ("W", lambda: controls.network.step(1)),
        ("K", lambda: controls.backend.step(1)),
        ("V", lambda: controls.lanes.step(1)),
        ("[", lambda: controls.lookahead.step(-1, wrap=False)),
        ("]", lambda: controls.lookahead.step(1, wrap=False)),
        (",", lambda: controls.speed.step(-1, wrap=False)),
        (".", lambda: controls.speed.step(1, wrap=False)),
        ("-", lambda: controls.gain.step(-1, wrap=False)),
        ("+", lambda: controls.gain.step(1, wrap=False)),
        ("=", lambda: controls.gain.step(1, wrap=False)),
        ("Up", lambda: controls.step_snr(1)),
        ("Down", lambda: controls.step_snr(-1)),
    )

    def guarded(step: Callable[[], None]) -> Callable[[], None]:
        return lambda: step() if active() else None

    for key, step in steps:
        QShortcut(QKeySequence(key), window).activated.connect(guarded(step))
