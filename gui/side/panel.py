"""Pages at the right under the heart rate, of which one is shown."""

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QTabWidget

from gui.latency_panel import LatencyPanel
from gui.monitor import Monitor
from gui.review.event_list import EventList
from gui.side.summary import Summary
from gui.side.trend_panel import TrendPanel
from gui.theme import Theme

_ENGINEERING = (
    "hop: new signal between two answers of the network. hold: waiting for the look-ahead. "
    "overlap-add: several answers for a sample become one. hand-over: from the engine to this window. "
    "p50, p95, p99: what 50, 95, 99 % of the samples stay below. "
    "real-time factor: computing time for a second of signal"
)


class SidePanel(QTabWidget):
    """State for clinicians, trends, events, engineering."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.summary, self.trends = Summary(), TrendPanel(theme)
        self.events, self.latency = EventList(), LatencyPanel(theme)
        self.latency.setToolTip(_ENGINEERING)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setDocumentMode(True)
        bar = self.tabBar()
        if bar:
            bar.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            bar.setExpanding(True)
            bar.setUsesScrollButtons(False)
        for page, name, meaning in (
            (self.summary, "State", "delay, quality, filter, what is not validated"),
            (self.trends, "Trends", "heart rate, RR, SNR and bypassed over minutes and hours"),
            (self.events, "Events", "gaps, states, bypasses, settings, marks; a click jumps there"),
            (self.latency, "Engine", "engineering: where the milliseconds go"),
        ):
            self.setTabToolTip(self.addTab(page, name), f"{meaning}  (G)")
        self._before = 0

    def step(self) -> None:
        """Show the next page; after the last the first."""
        self.setCurrentIndex((self.currentIndex() + 1) % self.count())

    def froze(self, frozen: bool) -> None:
        """Show the events beside a page that stands still, and afterwards what was shown before."""
        if frozen:
            self._before = self.currentIndex()
            self.setCurrentWidget(self.events)
        elif self.currentWidget() is self.events:
            self.setCurrentIndex(self._before)

    def set_zoom(self, zoom: float) -> None:
        """Draw everything larger."""
        self.trends.set_zoom(zoom)
        self.events.set_zoom(zoom)
        self.latency.set_zoom(zoom)

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self.trends.set_theme(theme)
        self.latency.set_theme(theme)

    def refresh(self, monitor: Monitor) -> None:
        """Bring the pages up to date."""
        self.summary.refresh(monitor)
        self.trends.refresh(monitor)
        self.events.refresh(monitor)
        self.latency.refresh(monitor)
