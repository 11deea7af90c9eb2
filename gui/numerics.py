"""Heart rates, and how good the cleaning is, in large figures."""

import math

from PyQt6.QtCore import QRect
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from gui.lead_names import written
from gui.limits import Limits
from gui.monitor import Monitor
from gui.theme import Theme
from gui.writer import Writer

HEIGHT = 184


class Numerics(QWidget):
    """Heart rate from raw and from cleaned, SNR in and out, RMSE; brought up to date by `refresh`."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT)
        self._theme = theme
        self._zoom = 1.0
        self._monitor: Monitor | None = None
        self._rmse_mv = float("nan")
        self.limits = Limits()

    def set_zoom(self, zoom: float) -> None:
        """Draw everything larger."""
        self._zoom = zoom
        self.setFixedHeight(round(HEIGHT * zoom))
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme
        self.update()

    def refresh(self, monitor: Monitor) -> None:
        """Show the figures of this moment; called once a second."""
        self._monitor = monitor
        self._rmse_mv = monitor.rmse_mv()
        self.update()

    def texts(self) -> dict[str, str]:
        """What is shown, by its name."""
        monitor = self._monitor
        raw, cleaned = monitor.bpm if monitor else (None, None)
        status = monitor.status if monitor else None
        texts = {
            "title": f"HEART RATE  bpm · {written(monitor.info.leads[0])}" if monitor else "HEART RATE  bpm",
            "raw": _bpm(raw),
            "cleaned": _bpm(cleaned),
            "flag": monitor.rate_warning() if monitor else "",
            "limits": self.limits.text,
            "snr": "no reference",
            "rmse": "",
        }
        if monitor and not monitor.has_figures:
            texts["snr"] = "--"
        elif status and math.isfinite(status.snr_in_db):
            texts["snr"] = f"{status.snr_in_db:+.1f} → {status.snr_out_db:+.1f} dB"
            texts["rmse"] = f"RMSE {self._rmse_mv:.3f} mV" if math.isfinite(self._rmse_mv) else ""
        return texts

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: D102
        painter, theme, texts = QPainter(self), self._theme, self.texts()
        painter.fillRect(self.rect(), QColor(theme.panel))
        painter.scale(self._zoom, self._zoom)
        width = round(self.width() / self._zoom)
        half = width // 2
        write = Writer(painter, self.font())
        write(QRect(12, 8, width - 24, 16), texts["title"], theme.quiet, 11)
        known = self._monitor.bpm if self._monitor else (None, None)
        rates = dict(zip(("raw", "cleaned"), known, strict=True))
        for x, kind in ((12, "raw"), (half + 4, "cleaned")):
            colour = getattr(theme, kind)
            beyond = self.limits.beyond(rates[kind])
            write(QRect(x, 26, half - 12, 52), texts[kind], theme.bad if beyond else colour, 46, bold=True)
            write(QRect(x, 78, half - 12, 16), kind, colour, 12)
        if texts["flag"]:
            write(QRect(12, 96, width - 24, 18), texts["flag"], theme.bad, 12, bold=True)
        else:
            write(QRect(12, 96, width - 24, 18), texts["limits"], theme.quiet, 11)
        write(QRect(12, 118, width - 24, 16), "SNR  last 10 s", theme.quiet, 11)
        write(QRect(12, 134, width - 24, 24), texts["snr"], theme.text, 18, bold=True)
        write(QRect(12, 160, width - 24, 16), texts["rmse"], theme.quiet, 12)


def _bpm(rate: float | None) -> str:
    return "--" if rate is None else f"{rate:.0f}"
