"""Whether a window can be opened here; asked before Qt is imported."""

import os
import sys

from streamer.console.installed import why_missing

_UNSEEN = ("offscreen", "minimal")


def has_display() -> bool:
    """Whether there is a screen that a person could look at."""
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    if platform:
        return platform.partition(":")[0] not in _UNSEEN
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def why_no_window() -> str | None:
    """Say what is missing for a window and what to do; None where nothing is."""
    return why_missing(["PyQt6", "pyqtgraph"], "gui")
