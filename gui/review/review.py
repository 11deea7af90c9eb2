"""Looking back while the engine goes on: where the page stands, and the commands that move it."""

from collections.abc import Callable

from PyQt6.QtCore import QObject
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QInputDialog, QWidget

from gui.actions import Actions
from gui.clock import clock
from gui.monitor import Monitor
from gui.monitor_page import MonitorPage
from gui.review.hand import Hand
from gui.review.when import when
from gui.shown_run import ShownRun

_STEP_PAGES = 0.2
_SHOWN_BEFORE = 0.3
"""Share of the page left of an event that was jumped to."""


class Review(QObject):
    """Moves all rows together; events and calipers are those of the selected stream.

    Parameters
    ----------
    window
        In which a note is asked for.
    page, run
        What is moved, and whose streams they are.
    commands
        To which the commands are added.
    freeze
        Lets the pages stand still, or follow the run.
    """

    def __init__(
        self,
        window: QWidget,
        page: MonitorPage,
        run: ShownRun,
        commands: Actions,
        freeze: Callable[[bool], None],
    ) -> None:
        super().__init__(window)
        self._window, self._page, self._run, self._commands, self._freeze = (
            window,
            page,
            run,
            commands,
            freeze,
        )
        self._dialog: QInputDialog | None = None
        add = commands.add
        self.mark_action = add("Mark", "M", self.ask_mark)
        page.review_bar.add_buttons(
            [
                add("◀", "Left", lambda: self.move(-_STEP_PAGES), short=True),
                add("▶", "Right", lambda: self.move(_STEP_PAGES), short=True),
                add("|◀", "Home", self.to_oldest, short=True),
                add("▶|", "End", self.to_newest, short=True),
                add("◀ Event", "Ctrl+Left", lambda: self.step_event(-1), short=True),
                add("Event ▶", "Ctrl+Right", lambda: self.step_event(1), short=True),
                add("Calipers", "E", self.calipers, on=False),
                add("March", "H", self.march, on=False),
            ]
        )
        for key, samples, both in (
            ("Shift+Left", -1, False),
            ("Shift+Right", 1, False),
            ("Alt+Left", -1, True),
            ("Alt+Right", 1, True),
        ):
            add(f"Nudge {key}", key, lambda samples=samples, both=both: self.nudge(samples, both=both))
        page.review_bar.moved.connect(self._scrolled)
        page.events.chosen.connect(self.jump)
        page.streams.hand_moved.connect(self.move)
        page.streams.measured.connect(self._show_measured)
        page.streams.time_zoomed.connect(self.zoom_time)
        page.streams.gain_zoomed.connect(lambda by: page.controls.gain.step(by, wrap=False))

    @property
    def _hand(self) -> Hand:
        return self._page.streams.current.hand

    @property
    def buttons(self) -> list[QAction]:
        """Commands whose buttons stand with those of the run."""
        return [self.mark_action]

    # where the page stands

    @property
    def _back_s(self) -> float:
        """Seconds between the end of the page and the newest sample at the freezing."""
        view, monitor = self._page.view, self._run.monitor
        return (view.frozen_at - view.until) / monitor.info.fs if monitor else 0.0

    def _hold(self) -> bool:
        """Let the page stand still if it does not; False where there is nothing to look at."""
        monitor = self._run.monitor
        if monitor is None or monitor.buffer.empty:
            return False
        if not self._page.view.frozen:
            self._freeze(True)
        return True

    def _show_back(self, back_s: float) -> None:
        for row in self._page.streams.rows:
            if row.monitor and row.view.frozen:
                row.view.show_until(row.view.frozen_at - round(max(0.0, back_s) * row.monitor.info.fs))
        self.refresh()

    def move(self, pages: float) -> None:
        """Move the page into the past (below 0) or back; a page that follows the run is let stand still."""
        if (pages < 0 or self._page.view.frozen) and self._hold():
            self._show_back(self._back_s - pages * self._page_s)

    @property
    def _page_s(self) -> float:
        monitor = self._run.monitor
        return self._page.view.page_samples / monitor.info.fs if monitor else 1.0

    def to_oldest(self) -> None:
        """Show the oldest that is kept."""
        if self._hold():
            self._show_back(float("1e9"))

    def to_newest(self) -> None:
        """Show the newest from before the freezing."""
        if self._page.view.frozen:
            self._show_back(0.0)

    def _scrolled(self, back_s: float) -> None:
        if self._hold():
            self._show_back(back_s)

    def jump(self, sample: int) -> None:
        """Show a sample of the selected stream."""
        if self._hold() and (monitor := self._run.monitor):
            view = self._page.view
            stop = sample + (1 - _SHOWN_BEFORE) * view.page_samples
            self._show_back((view.frozen_at - stop) / monitor.info.fs)

    def step_event(self, by: int) -> None:
        """Jump to the next event (1), or the one before (-1)."""
        if self._hold() and (monitor := self._run.monitor):
            view = self._page.view
            at = round(view.until - (1 - _SHOWN_BEFORE) * view.page_samples)
            # The place of the page is rounded: an event that was jumped to is not jumped to again.
            event = monitor.events.beside(at + by * 2, by)
            if event:
                self.jump(event.sample)

    def zoom_time(self, by: int) -> None:
        """Take the next faster paper (1) or slower (-1); what is in the middle of the page stays there."""
        view = self._page.view
        middle = view.until - view.page_samples / 2
        self._page.controls.speed.step(by, wrap=False)
        if view.frozen and (monitor := self._run.monitor):
            self._show_back((view.frozen_at - middle - view.page_samples / 2) / monitor.info.fs)

    def refresh(self) -> None:
        """Bring scroll bar and place up to date."""
        view, monitor = self._page.view, self._run.monitor
        self._page.review_bar.setVisible(view.frozen)
        if monitor is None or not view.frozen:
            return
        fs, back_s = monitor.info.fs, self._back_s
        oldest = min(view.frozen_at, monitor.buffer.oldest + view.page_samples)
        newer = (monitor.buffer.newest - view.frozen_at) / fs
        text = f"{when(monitor, view.until - view.page_samples)} … {when(monitor, view.until)}"
        text += f"  −{clock(back_s + newer)}"
        self._page.review_bar.show_place(back_s, (view.frozen_at - oldest) / fs, self._page_s, text)
        self._page.axis.refresh(view, monitor)

    def froze(self, frozen: bool) -> None:
        """Show what belongs to a page that stands still, or hide it."""
        if not frozen:
            for row in self._page.streams.rows:
                row.hand.put(None)
        self._page.panel.froze(frozen)
        self.refresh()

    # calipers

    def calipers(self, on: bool) -> None:
        """Put calipers on the page, or take them away."""
        if not on:
            self._hand.put(None)
        elif self._hold() and self._hand.calipers is None:
            self._hand.begin()

    def march(self, on: bool) -> None:
        """Repeat the interval of the calipers over the page."""
        if on and self._hand.calipers is None:
            self.calipers(True)
        self._hand.march(on)

    def nudge(self, samples: int, *, both: bool) -> None:
        """Move the second line of the calipers, or both."""
        self._hand.nudge(samples, both=both)

    def _show_measured(self) -> None:
        held = self._hand.calipers
        self._commands.show("Calipers", held is not None)
        self._commands.show("March", held is not None and held.march)

    # marks

    def ask_mark(self) -> None:
        """Mark the newest sample, or where the calipers begin, or the middle of a page that stands still.

        The mark is on the sample of the moment in which the key was pressed, however long the note takes.
        """
        monitor, view, held = self._run.monitor, self._page.view, self._hand.calipers
        if monitor is None or monitor.buffer.empty or self._dialog:
            return
        if view.frozen:
            sample = int(held.first) if held else view.until - view.page_samples // 2
        else:
            sample = monitor.buffer.newest - 1
        dialog = QInputDialog(self._window)
        dialog.setWindowTitle("Mark")
        dialog.setLabelText(f"Note on {when(monitor, sample)} (may be empty)")
        dialog.textValueSelected.connect(lambda note: self._mark(monitor, sample, note))
        dialog.finished.connect(self._forget)
        self._dialog = dialog
        dialog.open()

    def _forget(self) -> None:
        if self._dialog:
            self._dialog.deleteLater()
        self._dialog = None
        # The keys are the monitor's again.
        self._window.activateWindow()

    def _mark(self, monitor: Monitor, sample: int, note: str) -> None:
        self._run.mark(monitor, sample, note)
        for row in self._page.streams.rows:
            if row.monitor is monitor and row.view.frozen:
                row.view.rebuild()
        self._page.events.refresh(monitor)
