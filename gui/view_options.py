"""How a person wants to see the traces; remembered from run to run."""

from dataclasses import dataclass, field

from gui.calibration import GAINS, SPEEDS
from gui.lanes import LAYOUTS, Layout
from gui.lead_view import LeadView


@dataclass(frozen=True)
class ViewOptions:
    """Settings of the trace view.

    Parameters
    ----------
    speed
        Paper speed in mm/s.
    gain
        mm/mV; 0 takes the highest that the lanes have room for, from 5 to 40.
    scroll
        Move the paper, rather than an erase bar over it.
    layout
        See `gui.lanes.arrange`.
    reference, residual
        Show the reference, and raw less cleaned, where they exist.
    st
        Show the ST view (`engine.st_view`) in a lane of its own.
    band
        Show the spread of the overlapping predictions round the cleaned trace.
    align
        Draw raw as late as cleaned.
    marks
        Show annotations and beats.
    leads
        Order, visibility and gain of single leads.
    """

    speed: float = 25.0
    gain: float = 0.0
    scroll: bool = False
    layout: Layout = "auto"
    reference: bool = True
    residual: bool = False
    st: bool = False
    band: bool = True
    align: bool = False
    marks: bool = True
    leads: LeadView = field(default_factory=LeadView)

    def __post_init__(self) -> None:
        if self.speed not in SPEEDS:
            raise ValueError(f"speed must be one of {SPEEDS}, got {self.speed}")
        if self.gain not in (0.0, *GAINS):
            raise ValueError(f"gain must be 0 or one of {GAINS}, got {self.gain}")
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout must be one of {LAYOUTS}, got {self.layout!r}")
