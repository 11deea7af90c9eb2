"""Conversion between millimetres of paper, seconds, millivolts and pixels."""

from dataclasses import dataclass

from streamer.errors import InputError

SPEEDS = (1.25, 2.5, 6.25, 12.5, 25.0, 50.0, 100.0)
"""Paper speeds in mm/s: the slowest for a look over minutes, the fastest for calipers."""
GAINS = (1.25, 2.5, 5.0, 10.0, 20.0, 40.0)
"""Gains in mm/mV."""
STANDARD_GAIN = 10.0
SMALL_MM, LARGE_MM = 1.0, 5.0
"""Boxes of the grid: 40 and 200 ms at 25 mm/s, 0.1 and 0.5 mV at 10 mm/mV."""
_MM_PER_INCH = 25.4


@dataclass(frozen=True)
class Calibration:
    """Scale of the traces: paper speed, gain, and pixels per millimetre.

    Parameters
    ----------
    px_per_mm
        Pixels of the screen in a millimetre.
    speed
        Paper speed in mm/s, one of `SPEEDS`.
    gain
        mm per mV, one of `GAINS`.
    """

    px_per_mm: float
    speed: float = 25.0
    gain: float = 10.0

    def __post_init__(self) -> None:
        if not 0.5 <= self.px_per_mm <= 100:
            raise ValueError(f"px_per_mm must be 0.5 to 100, got {self.px_per_mm}")
        for name, value, allowed in (("speed", self.speed, SPEEDS), ("gain", self.gain, GAINS)):
            if value not in allowed:
                raise InputError(
                    f"{name} {value:g} is not possible; allowed: {', '.join(f'{x:g}' for x in allowed)}"
                )

    @property
    def px_per_s(self) -> float:
        """Columns in a second."""
        return self.px_per_mm * self.speed

    @property
    def px_per_mv(self) -> float:
        """Rows in a millivolt."""
        return self.px_per_mm * self.gain

    def page_columns(self, available: int) -> int:
        """The widest page of whole large boxes in `available` columns, so that the grid closes."""
        boxes = max(1, int(available / (LARGE_MM * self.px_per_mm)))
        return round(boxes * LARGE_MM * self.px_per_mm)


def px_per_mm(dots_per_inch: float) -> float:
    """Pixels in a millimetre of a screen; 96 dpi where the screen says something impossible."""
    return (dots_per_inch if 40 <= dots_per_inch <= 1000 else 96.0) / _MM_PER_INCH


def fitting_gain(px_per_mm: float, lane_px: float, height_mv: float) -> float:
    """The highest gain at which lanes of `lane_px` hold `height_mv`.

    Never less than half of the standard one: one saturated lead must not flatten all the others.
    """
    allowed = [gain for gain in GAINS if gain >= STANDARD_GAIN / 2]
    fits = [gain for gain in allowed if gain * height_mv * px_per_mm <= lane_px]
    return max(fits, default=allowed[0])
