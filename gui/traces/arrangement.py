"""What stands where on a page of traces, and at which scale."""

from collections.abc import Mapping
from dataclasses import dataclass

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
    leads = tuple(range(len(buffer.info.leads))) if buffer else (0,)
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
    }
    blanks: list[Blank] = []
    rhythm = leads[0]
    if sheet and buffer:
        names = {written(name): lead for lead, name in reversed(list(enumerate(buffer.info.leads)))}
        lanes, blanks = arrange_sheet(names, (width, height), **shown, zoom=zoom, zeros=zeros)
        rhythm = lanes[-1].lead
    else:
        layout = "auto" if options.layout == SHEET else options.layout
        lanes = arrange(leads, height, layout=layout, **shown, zoom=zoom, zeros=zeros)
    gain = options.gain or gain_for(reach_of(buffer, leads), lanes, px_per_mm)
    return Arrangement(lanes, blanks, Calibration(px_per_mm, options.speed, gain), width, rhythm, sheet)


def columns_per_sample(calibration: Calibration, buffer: TraceBuffer | None) -> float:
    """Pixels per second over samples per second."""
    return calibration.px_per_s / (buffer.fs if buffer else _STANDARD_FS)
