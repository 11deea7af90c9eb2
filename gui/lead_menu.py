"""Commands for one lead: gain, order and visibility, by keys and by a menu on its lane."""

from collections.abc import Callable
from functools import partial

from PyQt6.QtCore import QObject, QPoint
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu, QWidget

from gui.actions import Actions
from gui.lanes import SHEET
from gui.lead_names import written
from gui.lead_view import GAINS, LeadView
from gui.monitor_page import MonitorPage
from gui.shown_run import ShownRun


class LeadMenu(QObject):
    """Changes how the chosen lead is shown, in every stream that has one of its name.

    Parameters
    ----------
    window
        Over which the menu opens.
    page, run
        What is changed, and whose leads they are.
    commands
        To which the commands are added.
    say
        Shows a line at the foot.
    """

    def __init__(
        self,
        window: QWidget,
        page: MonitorPage,
        run: ShownRun,
        commands: Actions,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(window)
        self._window, self._page, self._run, self._say = window, page, run, say
        self.menu: QMenu | None = None
        """What is open, or was last."""
        add = commands.add
        page.add_foot_buttons([add("Leads", "I", self.open_chosen, short=True)])
        for name, key, slot in (
            ("Next lead", "Z", partial(self.step, 1)),
            ("Lead before", "Shift+Z", partial(self.step, -1)),
            ("Lead larger", "Ctrl+Up", partial(self.step_gain, 1)),
            ("Lead smaller", "Ctrl+Down", partial(self.step_gain, -1)),
            ("Lead up", "Alt+Up", partial(self.move, -1)),
            ("Lead down", "Alt+Down", partial(self.move, 1)),
            ("Hide lead", "Ctrl+H", self.hide),
            ("All leads", "Ctrl+Shift+H", self.show_all),
        ):
            add(name, key, slot)
        page.streams.lead_asked.connect(self.open)

    @property
    def _view(self) -> LeadView:
        return self._page.view.options.leads

    @property
    def names(self) -> list[str]:
        """Leads of the selected stream."""
        return [written(name) for name in self._run.monitor.info.leads] if self._run.monitor else []

    @property
    def _shown(self) -> list[str]:
        return [self.names[lead] for lead in self._view.shown(self.names)]

    @property
    def chosen(self) -> str:
        """The lead that keys change; the first one until another is chosen, empty without a stream."""
        chosen, shown = self._page.streams.chosen_lead, self._shown
        return chosen if chosen in shown else next(iter(shown), "")

    def _choose(self, name: str) -> None:
        self._page.streams.choose_lead(name)
        gain = self._view.gain(name)
        self._say(f"lead {name}" + (f" ×{gain:g}" if gain != 1 else ""))

    def _change(self, leads: LeadView) -> None:
        self._page.controls.change(leads=leads)

    def step(self, by: int) -> None:
        """Choose the lead below (1) or above (-1); after the last comes the first."""
        shown = self._shown
        if shown:
            first = self._page.streams.chosen_lead not in shown
            at = (0 if by > 0 else -1) if first else (shown.index(self.chosen) + by) % len(shown)
            self._choose(shown[at])

    def step_gain(self, by: int) -> None:
        """Make the chosen lead larger (1) or smaller (-1)."""
        name = self.chosen
        if name:
            self._change(self._view.with_gain_stepped(name, by))
            self._choose(name)

    def set_gain(self, name: str, gain: float) -> None:
        """Draw a lead at so many times the gain of the page."""
        self._change(self._view.with_gain(name, gain))
        self._choose(name)

    def move(self, by: int) -> None:
        """Move the chosen lead up (-1) or down (1)."""
        name = self.chosen
        if self._page.view.options.layout == SHEET:
            self._say("3x4: leads stand where they are printed")
        elif name:
            self._change(self._view.with_moved(name, by, self.names))
            self._choose(name)

    def hide(self) -> None:
        """Hide the chosen lead; the last one stays."""
        name = self.chosen
        if len(set(self._shown)) < 2:
            self._say("the last lead stays")
            return
        self.step(1)
        self._change(self._view.with_shown(name, False))
        self._say(f"lead {name} is hidden; Ctrl+Shift+H shows all")

    def _show(self, name: str) -> None:
        self._change(self._view.with_shown(name, True))

    def show_all(self) -> None:
        """Show every lead, at the gain of the page and in the order of the stream."""
        self._change(LeadView())
        self._page.streams.choose_lead("")
        self._say("all leads, as they come")

    def open_chosen(self) -> None:
        """Open the menu of the chosen lead, by its lane."""
        if self.chosen:
            view = self._page.view
            lane = next((lane for lane in view.lanes if self.names[lane.lead] == self.chosen), view.lanes[0])
            self.open(self.chosen, view.mapToGlobal(QPoint(lane.left + 8, lane.top + 8)))

    def open(self, name: str, at: QPoint) -> None:
        """Open the menu of a lead at a place of the screen."""
        if name not in self.names:
            return
        self._choose(name)
        if self.menu:
            self.menu.deleteLater()
        menu = self.menu = QMenu(self._window)
        title = menu.addAction(f"Lead {name}")
        if title:
            title.setEnabled(False)
        for gain in GAINS:
            self._add(f"Gain ×{gain:g}", partial(self.set_gain, name, gain), on=gain == self._view.gain(name))
        menu.addSeparator()
        shown, sheet = self._shown, self._page.view.options.layout == SHEET
        place = shown.index(name) if name in shown else 0
        self._add("Move up", partial(self.move, -1), may=not sheet and place > 0)
        self._add("Move down", partial(self.move, 1), may=not sheet and place < len(shown) - 1)
        self._add("Hide", self.hide, may=len(set(shown)) > 1)
        menu.addSeparator()
        for each in dict.fromkeys(name for name in self.names if name in self._view.hidden):
            self._add(f"Show {each}", partial(self._show, each))
        self._add("All leads, as they come", self.show_all, may=self._view != LeadView())
        menu.popup(at)

    def _add(
        self, text: str, slot: Callable[[], object], *, on: bool | None = None, may: bool = True
    ) -> QAction | None:
        action = self.menu.addAction(text) if self.menu else None
        if action:
            if on is not None:
                action.setCheckable(True)
                action.setChecked(on)
            action.setEnabled(may)
            action.triggered.connect(lambda: slot())
        return action
