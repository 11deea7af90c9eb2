"""All of it, one after the other."""

from typing import Any

from PyQt6.QtWidgets import QApplication

from gui.screen_profile.beside_engine import profile_engine
from gui.screen_profile.feed import Load
from gui.screen_profile.lanes import profile_lanes
from gui.screen_profile.start import start_cpu_s
from gui.screen_profile.wall import BEDS, profile_wall
from gui.screen_profile.window import SIZE

LOADS = (
    Load("4 lanes at 360 Hz", 1, 360.0, residual=True),
    Load("16 lanes at 500 Hz", 8, 500.0, residual=False),
)


def profile_screen(hours: float = 4.0, frames: int = 600, seconds: float = 30.0) -> dict[str, Any]:
    """Measure it all, one after the other; times in ms.

    Parameters
    ----------
    hours
        Signal that passes over the screen between the first frames and the last.
    frames
        Frames that are timed before and after.
    seconds
        How long the engine runs, once alone and once with the screen.
    """
    application = QApplication.instance() or QApplication(["ecg-stream"])
    platform = QApplication.platformName()
    figures: dict[str, Any] = {"platform": platform, "size": list(SIZE), "hours": hours}
    figures["start_cpu_s"] = start_cpu_s()
    for load in LOADS:
        figures[load.name] = profile_lanes(load, hours, frames)
    figures[f"wall of {BEDS} beds"] = profile_wall(frames)
    figures["engine"] = profile_engine(seconds)
    application.processEvents()
    return figures
