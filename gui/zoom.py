"""How much larger letters and panels are in a large window: they are read from where a person stands."""

from PyQt6.QtWidgets import QLayout

SMALLEST = (1280, 720)
"""Width and height of a window in which everything has its room, px."""
_FULL_HD = (1920, 1080)
_STEP, _LARGEST = 0.25, 4.0


def zoom_of(width: int, height: int) -> float:
    """1 up to a window of 1920×1080 px, 2 for one of 3840×2160; in quarters.

    Where the system itself enlarges what is drawn, a large screen has few of these px, and nothing is
    enlarged twice.
    """
    larger = min(width / _FULL_HD[0], height / _FULL_HD[1])
    return min(_LARGEST, max(1.0, _STEP * int(larger / _STEP + 1e-6)))


def spread(layout: QLayout, zoom: float, margins: tuple[int, int, int, int], spacing: int) -> None:
    """Give a layout its room, px without zoom: left, top, right and bottom of it, and between its parts."""
    left, top, right, bottom = (round(zoom * margin) for margin in margins)
    layout.setContentsMargins(left, top, right, bottom)
    layout.setSpacing(round(zoom * spacing))
