"""How the cleaning is going, in the words of a clinician."""

import math

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from gui.lead_names import written
from gui.monitor import Monitor
from streamer.records.record import REFERENCE_CUTOFF_HZ

_MINUTE_S = 60.0
_TITLES = {
    "delay": "DELAY",
    "shown": "SHOWN AS CLEANED",
    "minute": "LAST MINUTE",
    "filter": "FILTER",
    "signal": "SIGNAL",
    "validated": "NOT VALIDATED",
}


class Summary(QWidget):
    """Delay, quality, filter, and what is not to be measured; brought up to date by `refresh`."""

    def __init__(self) -> None:
        super().__init__()
        self._labels: dict[str, QLabel] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 8, 6)
        column.setSpacing(1)
        for name, title in _TITLES.items():
            head, label = QLabel(title), QLabel()
            head.setObjectName("quiet")
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            column.addWidget(head)
            column.addWidget(label)
            column.addSpacing(4)
            self._labels[name] = label
        column.addStretch(1)

    def refresh(self, monitor: Monitor) -> None:
        """Show the state of this moment."""
        for name, text in self.texts(monitor).items():
            self._labels[name].setText(text)

    @staticmethod
    def texts(monitor: Monitor) -> dict[str, str]:
        """What is said, by its name."""
        status, delay, buffer = monitor.status, monitor.painting.delay, monitor.buffer
        known = monitor.has_figures and math.isfinite(delay.p50)
        reasons = [
            f"{written(lead)}: {reason.text}"
            for lead, reason in zip(monitor.info.leads, monitor.reasons(), strict=True)
            if reason
        ]
        leads = range(len(monitor.info.leads))
        share = buffer.bypassed(buffer.final - round(_MINUTE_S * monitor.info.fs), buffer.final, leads)
        network = status.setup.clean.model if status else "--"
        return {
            "delay": f"{delay.p50 / 1000:.2f} s from patient to screen" if known else "not known",
            "shown": f"not cleaned · {', '.join(reasons)}" if reasons else "cleaned",
            "minute": "not known" if math.isnan(share) else f"{100 * (1 - share):.0f} % cleaned",
            "filter": f"noise removed by {network}; slower than {REFERENCE_CUTOFF_HZ:g} Hz removed",
            "signal": monitor.gaps,
            "validated": "ST segment and P wave: measure them on raw",
        }
