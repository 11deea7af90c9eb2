"""A wall of beds that all have a hop of new signal in every frame."""

from PyQt6.QtWidgets import QApplication

from engine.run.protocol import Frame, Started
from gui.main_window import MainWindow
from gui.screen_profile.feed import HOP_S, Feed, Load
from gui.screen_profile.window import open_window, time_frames
from gui.settings import Settings

BEDS = 16
_PAGE_S = 6.0


def profile_wall(frames: int) -> dict[str, float]:
    """Time its frames, drawn over traces as they are at a bedside: the first page is not timed."""
    load = Load("bed", 1, 360.0, residual=False)
    feeds = [Feed(load, f"bed {number}") for number in range(1, BEDS + 1)]
    window = open_window(Settings(), None)
    window.attach(Started(tuple(feed.started() for feed in feeds)))
    window.commands["Wall"].setChecked(True)
    QApplication.processEvents()
    _time_frames(window, feeds, round(_PAGE_S / HOP_S))
    figures = _time_frames(window, feeds, frames)
    window.close()
    return figures


def _time_frames(window: MainWindow, feeds: list[Feed], frames: int) -> dict[str, float]:
    def draw(hops: list[list[Frame]]) -> None:
        for monitor, row, hop in zip(window.run.monitors, window.page.streams.rows, hops, strict=True):
            monitor.take(hop)
            row.view.repaint(row.view.advance())

    return time_frames(frames, lambda: [feed.hop() for feed in feeds], draw)
