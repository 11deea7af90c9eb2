"""Commands of the window: a key for each, a button for most."""

from collections.abc import Callable

from PyQt6.QtGui import QAction, QActionGroup, QKeySequence, QShortcut
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
        self._of_run = QActionGroup(window)
        self._of_run.setExclusionPolicy(QActionGroup.ExclusionPolicy.None_)
        self._steps: list[QShortcut] = []

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
        always: bool = False,
    ) -> QAction:
        """Make a command; with `on` it is one that is on or off, and `slot` is told which.

        The button of a `short` one tells its key only to whom points at it. One that is not there `always`
        needs a run on the screen.
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
        if not always:
            self._of_run.addAction(action)
        return action

    def add_step(self, key: str, step: Callable[[], None]) -> None:
        """Have a key of a run step through a list, which is its button."""
        shortcut = QShortcut(QKeySequence(key), self._window)
        shortcut.activated.connect(step)
        self._steps.append(shortcut)

    def show_run(self, on: bool) -> None:
        """Hear the keys of a run, or leave them to what has the focus: lists and fields need theirs."""
        self._of_run.setEnabled(on)
        for shortcut in self._steps:
            shortcut.setEnabled(on)

    def show(self, name: str, on: bool) -> None:
        """Set a button without doing what it does."""
        action = self._by_name[name]
        action.blockSignals(True)
        action.setChecked(on)
        action.blockSignals(False)


def add_stepping_keys(commands: Actions, controls: Controls) -> None:
    """Add the keys that step through the lists of the controls."""
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
    for key, step in steps:
        commands.add_step(key, step)
