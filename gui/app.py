"""Open the window, run Qt's event loop until it is closed, and restore what was changed for it."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication

from engine.run.protocol import Job, Outcome
from gui.appearance import save_picture
from gui.bridge import Life
from gui.display import has_display
from gui.lanes import LAYOUTS
from gui.main_window import MainWindow
from gui.settings import Settings
from gui.theme import THEMES
from gui.zoom import SMALLEST
from streamer.errors import InputError
from streamer.found import Finder

SCREENSHOT_S = 12.0
_SWITCH_S = 0.001


@dataclass(frozen=True)
class Screen:
    """How the window opens.

    Parameters
    ----------
    screenshot, seconds
        Save the window here, so long after the engine began to play, and close it.
    size
        Width and height in px; None is as last time.
    theme
        ``dark`` or ``light``; None is as last time.
    lanes
        One of `gui.lanes.LAYOUTS`; None is as last time.
    range_mv
        The amplifier takes −range_mv … +range_mv; for the saturation alarm.
    """

    screenshot: Path | None = None
    seconds: float = SCREENSHOT_S
    size: tuple[int, int] | None = None
    theme: str | None = None
    lanes: str | None = None
    range_mv: float = 5.0

    def __post_init__(self) -> None:
        if not self.range_mv > 0:
            raise InputError(f"range must be a positive number of mV, got {self.range_mv}")
        if self.theme is not None and self.theme not in THEMES:
            raise InputError(f"theme {self.theme!r} is unknown; allowed: {', '.join(THEMES)}")
        if self.lanes is not None and self.lanes not in LAYOUTS:
            raise InputError(f"lanes {self.lanes!r} are unknown; allowed: {', '.join(LAYOUTS)}")


def parse_size(text: str) -> tuple[int, int]:
    """Width and height from ``1280x720``."""
    width, cross, height = text.partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise InputError(f"size {text!r} is no size such as 1280x720")
    size = int(width), int(height)
    if size[0] < SMALLEST[0] or size[1] < SMALLEST[1]:
        raise InputError(
            f"size {text} is too small for the window; {SMALLEST[0]}x{SMALLEST[1]} is the smallest"
        )
    return size


def run_window(
    job: Job | None, base: Job, finders: Sequence[Finder], screen: Screen, settings: Settings | None = None
) -> Outcome | None:
    """Open the window and wait until it is closed.

    Parameters
    ----------
    job
        What to play at once; None opens the start screen.
    base
        What the start screen does not ask for.
    finders
        What the start screen lists.

    Returns
    -------
    Outcome or None
        Of the last run, if there was one.

    Raises
    ------
    InputError, EngineFailure
        If `job` could not be started. Later errors are shown in the window.
    """
    if screen.screenshot and not has_display():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    application = QApplication.instance() or QApplication(sys.argv[:1])
    if settings is None:
        settings = Settings() if screen.screenshot else Settings.of_user()
    if screen.theme:
        settings.theme = screen.theme
    if screen.lanes:
        settings.options = replace(settings.options, layout=screen.lanes)  # type: ignore[arg-type]
    # What the command line says holds over what is remembered of a bed.
    settings.knows_beds = not (screen.size or screen.lanes)
    window = MainWindow(job, base, finders, settings, screen.range_mv)
    if screen.size:
        window.resize(*screen.size)
    failures: list[BaseException] = []

    def end() -> None:
        """Close all windows from within the event loop; closed before it starts, it would never return."""
        QTimer.singleShot(0, QApplication.closeAllWindows)

    def fail(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Keep an error that a slot raised and leave the event loop; by default PyQt aborts the process."""
        failures.append(error)
        end()

    def interrupt(number: int, frame: FrameType | None) -> None:
        end()

    hook, sys.excepthook = sys.excepthook, fail
    # By default a thread keeps the interpreter for 5 ms: the beat search would delay a third of a frame.
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    # Python handles signals between its own instructions; the paint timer runs some every 16 ms.
    handler = signal.signal(signal.SIGINT, interrupt)
    if job:
        # A job from the command line that cannot be played ends the command with its error.
        path = screen.screenshot
        then = partial(_take_screenshot, window, path, screen.seconds) if path else lambda: None
        _once_started(window, then)
    try:
        window.show()
        application.exec()
    finally:
        sys.excepthook = hook
        sys.setswitchinterval(switch_s)
        signal.signal(signal.SIGINT, handler)
        window.close()
    if failures:
        raise failures[0]
    return window.run.outcome


def _once_started(window: MainWindow, then: Callable[[], None]) -> None:
    """Wait for the first engine; raise what kept it from starting."""
    bridge = window.run.bridge

    def look() -> None:
        if bridge is not None and bridge is window.run.bridge and bridge.life is Life.STARTING:
            return
        waiting.stop()
        if bridge is None or bridge is not window.run.bridge:
            # A person has chosen something else meanwhile; what becomes of it is shown in the window.
            return
        if bridge.failure:
            raise bridge.failure
        then()

    waiting = QTimer(window)
    waiting.timeout.connect(look)
    waiting.start(20)


def _take_screenshot(window: MainWindow, path: Path, seconds: float) -> None:
    """Save the window after `seconds`, and close it."""

    def save() -> None:
        save_picture(window, path)
        window.close()

    QTimer.singleShot(round(1000 * seconds), save)
