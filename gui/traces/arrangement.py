"""What stands where on a page of traces, and at which scale."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gui.calibration import Calibration
from gui.lanes import SHEET, Lane, arrange
from gui.lead_names import written
from gui.sheet import ROWS, Blank, arrange_sheet, sheet_columns
from gui.trace_buffer import TraceBuffer
from gui.traces.room import gain_for, reach_of
from gui.view_options import ViewOptions

_LOWEST_LEAD_PX = 48
_STANDARD_FS = 360.0


@dataclass(frozen=True)
class Arrangement:
    """Lanes, cells that stay empty, scale, and columns of the page.

    Parameters
    ----------
    rhythm
        The lead in whose lane beats are marked.
    sheet
        Whether the lanes are cells, which have their names in them.
    """

    lanes: list[Lane]
    blanks: list[Blank]
    calibration: Calibration
    width: int
    rhythm: int = 0
    sheet: bool = False

    @property
    def px_per_s(self) -> float:
        """Columns in a second."""
        return self.calibration.px_per_s

    def lane_at(self, x: float, y: float) -> int:
        """Number of the lane at a place, or of the nearest one."""
        distances = [
            max(lane.left - x, x - lane.right + 1, 0) + max(lane.top - y, y - lane.bottom + 1, 0)
            for lane in self.lanes
        ]
        return distances.index(min(distances))


def arrange_page(
    buffer: TraceBuffer | None,
    options: ViewOptions,
    size: tuple[int, int],
    px_per_mm: float,
    *,
    fewer_leads: bool,
    zoom: float,
    zeros: Mapping[int, float],
) -> Arrangement:
    """Find room for all leads of a stream.

    Parameters
    ----------
    buffer
        Its samples; None lays out an empty page.
    size
        Columns and rows that there are.
    fewer_leads
        Whether only the first lead is shown where the others have no room.
    zoom, zeros
        As for `gui.lanes.arrange`.
    """
    columns, height = size
    names = [written(name) for name in buffer.info.leads] if buffer else [""]
    leads = tuple(options.leads.shown(names))
    sheet = options.layout == SHEET and buffer is not None
    if fewer_leads and height < _LOWEST_LEAD_PX * (ROWS if sheet else len(leads)):
        leads, sheet = leads[:1], False
    scale = Calibration(px_per_mm, options.speed)
    width = min(scale.page_columns(columns), columns)
    if sheet:
        width = sheet_columns(columns, scale.px_per_s) or width
    if buffer:
        # At most the length of the buffer, less the samples that look-ahead may still overwrite.
        width = min(width, int((buffer.capacity / buffer.fs - 2) * scale.px_per_s))
    shown = {
        "reference": options.reference and buffer is not None and buffer.info.has_reference,
        "residual": options.residual,
        "st": options.st,
    }
    blanks: list[Blank] = []
    # Beats are found in the first lead of the stream.
    rhythm = min(leads)
    if sheet and buffer:
        # Of two leads of one name the first is the one that is printed.
        printed = {names[lead]: lead for lead in sorted(leads, reverse=True)}
        hidden = [name for name in names if name not in printed]
        lanes, blanks = arrange_sheet(
            printed, (width, height), **shown, zoom=zoom, zeros=zeros, hidden=hidden
        )
        rhythm = lanes[-1].lead
    else:
        layout = "auto" if options.layout == SHEET else options.layout
        lanes = arrange(leads, height, layout=layout, **shown, zoom=zoom, zeros=zeros)
    # What a person makes larger than the rest has no say in how large the rest is.
    gain = options.gain or gain_for(reach_of(buffer, leads), lanes, px_per_mm)
    lanes = [replace(lane, gain=options.leads.gain(names[lane.lead])) for lane in lanes]
    return Arrangement(lanes, blanks, Calibration(px_per_mm, options.speed, gain), width, rhythm, sheet)


def columns_per_sample(calibration: Calibration, buffer: TraceBuffer | None) -> float:
    """Pixels per second over samples per second."""
    return calibration.px_per_s / (buffer.fs if buffer else _STANDARD_FS)
