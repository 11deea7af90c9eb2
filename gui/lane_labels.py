"""The labels that never leave the screen: lead, filter, what is wrong, and the 1 mV bar."""

from PyQt6.QtCore import QPoint, QRect, Qt
from PyQt6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen, QPolygon
from PyQt6.QtWidgets import QWidget

from gui.lanes import Lane
from gui.monitor import Monitor
from gui.theme import Theme
from gui.trace_view import TraceView
from streamer.wfdb_record import REFERENCE_CUTOFF_HZ

WIDTH = 138
_LINE = 14


class LaneLabels(QWidget):
    """Stands left of a trace view and names each of its lanes."""

    def __init__(self, view: TraceView, theme: Theme) -> None:
        super().__init__()
        self.setFixedWidth(WIDTH)
        self._view, self._theme = view, theme
        self._monitor: Monitor | None = None
        self._alarms: list[str] = []
        view.arranged.connect(self.update)

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme
        self.update()

    def show_monitor(self, monitor: Monitor) -> None:
        """Name the lanes of a run."""
        self._monitor = monitor
        self._alarms = []
        self.update()

    def set_alarms(self, alarms: list[str]) -> None:
        """Show what is wrong with each lead."""
        if alarms != self._alarms:
            self._alarms = alarms
            self.update()

    def lines(self, lane: Lane) -> list[tuple[str, str]]:
        """Text and colour of each line beside a lane; the first is the lead's name."""
        monitor, theme, options = self._monitor, self._theme, self._view.options
        if monitor is None:
            return []
        lead = monitor.info.leads[lane.lead]
        status = monitor.status
        lines = [(lead, theme.text)]
        warning = self._alarms[lane.lead] if lane.lead < len(self._alarms) else ""
        if warning and "raw" in lane.kinds:
            lines.append((warning, theme.warn if warning.startswith("near") else theme.bad))
        for kind in reversed(lane.kinds):
            if kind == "raw":
                late = f"raw, {status.setup.algorithmic_delay_ms:.0f} ms late" if status else "raw, late"
                lines.append((late if options.align else "raw, unfiltered", theme.raw))
                offset = self._view.offsets_mv[lane.lead]
                if offset:
                    lines.append((f"offset {offset:+.1f} mV", theme.quiet))
            elif kind == "cleaned":
                network = f"{status.setup.model} {status.setup.lookahead_ms:.0f} ms" if status else "cleaned"
                lines.append((network, theme.cleaned))
                lines.append((f"> {REFERENCE_CUTOFF_HZ:g} Hz", theme.quiet))
                lines.append(("ST not validated", theme.quiet))
            elif kind == "clean":
                lines.append(("clean reference", theme.clean))
            else:
                lines.append(("raw − cleaned", theme.residual))
        return lines

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: D102
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._theme.background))
        name, small = QFont(self.font()), QFont(self.font())
        name.setPixelSize(15)
        name.setBold(True)
        small.setPixelSize(11)
        for lane in self._view.lanes:
            top, height = lane.top + 3, lane.bottom - lane.top
            painter.setClipRect(0, lane.top, WIDTH, height)
            lines = self.lines(lane)
            fitting = max(1, (height - 8 - 4) // _LINE)
            for index, (text, colour) in enumerate(lines[:fitting]):
                painter.setFont(small if index else name)
                painter.setPen(QColor(colour))
                box = QRect(8, top, WIDTH - 28, _LINE + (4 if index == 0 else 0))
                painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
                top += box.height()
            self._draw_millivolt(painter, lane)
        painter.setClipping(False)
        painter.setPen(QPen(QColor(self._theme.line), 1))
        for lane in self._view.lanes[1:]:
            painter.drawLine(0, lane.top, WIDTH, lane.top)

    def _draw_millivolt(self, painter: QPainter, lane: Lane) -> None:
        """1 mV as a step beside the trace; half of it below 0 mV where the lane is low."""
        height = self._view.calibration.px_per_mv
        foot = lane.zero if height <= lane.zero - lane.top else lane.zero + height / 2
        foot, top = round(foot), round(foot - height)
        painter.setPen(QPen(QColor(self._theme.text), 1))
        xs = (WIDTH - 16, WIDTH - 12, WIDTH - 12, WIDTH - 5, WIDTH - 5, WIDTH - 1)
        ys = (foot, foot, top, top, foot, foot)
        painter.drawPolyline(QPolygon([QPoint(x, y) for x, y in zip(xs, ys, strict=True)]))
