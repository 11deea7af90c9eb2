"""Labels beside the lanes, always visible: lead, filter, alarm, and the 1 mV calibration bar."""

from PyQt6.QtCore import QPoint, QRect, Qt
from PyQt6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen, QPolygon
from PyQt6.QtWidgets import QWidget

from engine.marks import Reason
from engine.st_view import SLOWEST_HZ
from gui.lanes import Lane
from gui.lead_names import written
from gui.monitor import Monitor
from gui.theme import Theme
from gui.traces.cell_name import draw_name
from gui.traces.trace_view import TraceView
from streamer.records.record import REFERENCE_CUTOFF_HZ

WIDTH = 138
_SHEET_WIDTH = 26  # of a sheet only the steps of 1 mV stand beside it
_LINE = 14
_NAME_LINE = 18
_UNSURE = "dim: wave unsure"
_SHORT = {"residual": "raw−cleaned", "st": "ST view"}


class LaneLabels(QWidget):
    """Widget left of a trace view that labels each of its lanes."""

    def __init__(self, view: TraceView, theme: Theme) -> None:
        super().__init__()
        self.setFixedWidth(WIDTH)
        self._view, self._theme = view, theme
        self._zoom = 1.0
        self._monitor: Monitor | None = None
        self._alarms: list[str] = []
        self._reasons: list[Reason] = []
        self._unsure: list[bool] = []
        self._off_scale: list[bool] = []
        self._chosen = ""
        self.setToolTip("a click: gain, order and visibility of a lead")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        view.arranged.connect(self._arranged)
        view.names = self._draw_cells

    def set_zoom(self, zoom: float) -> None:
        """Draw everything larger."""
        self._zoom = zoom
        self._arranged()

    def _arranged(self) -> None:
        self.setFixedWidth(round((_SHEET_WIDTH if self._view.placed.sheet else WIDTH) * self._zoom))
        self.update()

    def _changed(self) -> None:
        self.update()
        if self._view.placed.sheet:
            self._view.update()

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme
        self.update()

    def show_monitor(self, monitor: Monitor) -> None:
        """Name the lanes of a run."""
        self._monitor = monitor
        self._alarms, self._reasons, self._unsure, self._off_scale = [], [], [], []
        self.update()

    def set_alarms(self, alarms: list[str]) -> None:
        """Show what is wrong with each lead."""
        if alarms != self._alarms:
            self._alarms = alarms
            self._changed()

    def set_off_scale(self, off_scale: list[bool]) -> None:
        """Show which lanes a trace runs out of."""
        if off_scale != self._off_scale:
            self._off_scale = off_scale
            self._changed()

    def set_reasons(self, reasons: list[Reason]) -> None:
        """Show why a lead is not the network's output."""
        if reasons != self._reasons:
            self._reasons = reasons
            self._changed()

    def choose(self, name: str) -> None:
        """Mark the lead that keys change; empty marks none."""
        if name != self._chosen:
            self._chosen = name
            self._changed()

    def set_unsure(self, unsure: list[bool]) -> None:
        """Show in which leads a wave is smaller than the network's uncertainty of it."""
        if unsure != self._unsure:
            self._unsure = unsure
            self._changed()

    def lines(self, lane: Lane) -> list[tuple[str, str]]:
        """Text and colour of each line beside a lane; the first is the lead's name."""
        monitor, theme, options = self._monitor, self._theme, self._view.options
        if monitor is None:
            return []
        status = monitor.status
        lines, quiet = [self._name(lane)], []
        for kind in reversed(lane.kinds):
            if kind == "raw":
                late = f"raw, {status.setup.algorithmic_delay_ms:.0f} ms late" if status else "raw, late"
                lines.append((late if options.align else "raw, unfiltered", theme.raw))
                offset = self._view.offsets_mv[lane.lead]
                if offset:
                    lines.append((f"offset {offset:+.1f} mV", theme.quiet))
            elif kind == "cleaned":
                clean = status.setup.clean if status else None
                network = f"{clean.model} {clean.lookahead_ms:.0f} ms" if clean else "cleaned"
                reason = self._reasons[lane.lead] if lane.lead < len(self._reasons) else Reason.NONE
                # The trace is then not the network's output.
                lines.append((f"! {reason.text}", theme.bad) if reason else (network, theme.cleaned))
                if self._is_unsure(lane):
                    lines.append((_UNSURE, theme.cleaned))
                quiet = [("ST not validated", theme.quiet), (f"> {REFERENCE_CUTOFF_HZ:g} Hz", theme.quiet)]
            elif kind == "st":
                lines.append((f"ST view > {SLOWEST_HZ:g} Hz", theme.st))
                quiet = [("with slow noise", theme.quiet)]
            elif kind == "reference":
                lines.append(("reference", theme.reference))
            else:
                lines.append(("raw − cleaned", theme.residual))
        # What each trace is comes first: a low lane has no room for the rest.
        return lines + quiet

    def _name(self, lane: Lane) -> tuple[str, str]:
        """Name of a lead, and its gain where it is another than that of the page; marked if it is chosen."""
        name = written(self._monitor.info.leads[lane.lead]) if self._monitor else ""
        chosen = "▸" if name == self._chosen else ""
        return chosen + name + (f" ×{lane.gain:g}" if lane.gain != 1 else ""), self._theme.text

    def alarm(self, lane: Lane) -> tuple[str, str] | None:
        """Text and colour of what is wrong with a lane; it stands beside the name."""
        text = self._alarms[lane.lead] if lane.lead < len(self._alarms) else ""
        if text and "raw" in lane.kinds:
            return text, self._theme.bad
        lanes = self._view.lanes
        index = lanes.index(lane) if lane in lanes else len(self._off_scale)
        if index < len(self._off_scale) and self._off_scale[index]:
            return "off scale", self._theme.bad
        return None

    def beside(self, lane: Lane) -> tuple[str, str] | None:
        """Text and colour of what stands beside the name: what is wrong, or in a low lane what it shows."""
        alarm = self.alarm(lane)
        if alarm or (lane.bottom - lane.top) / self._zoom >= 1 + _NAME_LINE + _LINE:
            return alarm
        passed = self._passed(lane)
        if passed:
            return passed
        shown = [_SHORT.get(kind, kind) for kind in reversed(lane.kinds) if kind != "reference"]
        return "+".join(shown) or "reference", getattr(self._theme, lane.main)

    def _is_unsure(self, lane: Lane) -> bool:
        return "cleaned" in lane.kinds and lane.lead < len(self._unsure) and self._unsure[lane.lead]

    def _passed(self, lane: Lane) -> tuple[str, str] | None:
        """Why a lane does not show the network's output."""
        reason = self._reasons[lane.lead] if lane.lead < len(self._reasons) else Reason.NONE
        return (f"! {reason.text}", self._theme.bad) if reason and "cleaned" in lane.kinds else None

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: D102
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._theme.background))
        name, small = QFont(self.font()), QFont(self.font())
        name.setPixelSize(15)
        name.setBold(True)
        small.setPixelSize(11)
        painter.scale(self._zoom, self._zoom)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        lanes = [lane for lane in self._view.lanes if not lane.left]
        for lane in lanes:
            above, below = round(lane.top / self._zoom), round(lane.bottom / self._zoom)
            top = above + 1
            painter.setClipRect(0, above, WIDTH, below - above)
            for index, (text, colour) in enumerate([] if self._view.placed.sheet else self.lines(lane)):
                row = _LINE if index else _NAME_LINE
                if index and top + row > below:
                    break
                painter.setFont(small if index else name)
                painter.setPen(QColor(colour))
                painter.drawText(QRect(8, top, WIDTH - 28, row), left, text)
                more = None if index else self.beside(lane)
                if more:
                    beside = 14 + painter.fontMetrics().horizontalAdvance(text)
                    painter.setFont(small)
                    painter.setPen(QColor(more[1]))
                    painter.drawText(QRect(beside, top, WIDTH - beside, row), left, more[0])
                top += row
            self._draw_millivolt(painter, lane)
        painter.setClipping(False)
        painter.setPen(QPen(QColor(self._theme.line), 1))
        for lane in lanes[1:]:
            edge = round(lane.top / self._zoom)
            painter.drawLine(0, edge, WIDTH, edge)

    def _draw_cells(self, painter: QPainter, part: QRect) -> None:
        """Name the cells of a sheet, where a part of the page shows them."""
        monitor, theme = self._monitor, self._theme
        if monitor is None:
            return
        rhythm = self._view.lanes[-1]
        for lane in self._view.lanes:
            words = [self._name(lane)]
            if lane is rhythm or lane.kinds == ("residual",):
                words += [(_SHORT.get(kind, kind), getattr(theme, kind)) for kind in reversed(lane.kinds)]
            unsure = (_UNSURE, theme.cleaned) if self._is_unsure(lane) else None
            wrong = self.alarm(lane) or self._passed(lane) or unsure
            draw_name(painter, part, lane, [*words, wrong] if wrong else words, theme, self._zoom)
        for blank in self._view.placed.blanks:
            words = [(blank.name, theme.text), (blank.why, theme.quiet)]
            draw_name(painter, part, blank, words, theme, self._zoom)

    def _draw_millivolt(self, painter: QPainter, lane: Lane) -> None:
        """1 mV as a step beside the trace; half of it below 0 mV where the lane is low."""
        height = self._view.calibration.px_per_mv * lane.gain / self._zoom
        zero = lane.zero / self._zoom
        foot = zero if height <= zero - lane.top / self._zoom else zero + height / 2
        foot, top = round(foot), round(foot - height)
        painter.setPen(QPen(QColor(self._theme.text), 1))
        right = round(self.width() / self._zoom)
        xs = (right - 16, right - 12, right - 12, right - 5, right - 5, right - 1)
        ys = (foot, foot, top, top, foot, foot)
        painter.drawPolyline(QPolygon([QPoint(x, y) for x, y in zip(xs, ys, strict=True)]))
