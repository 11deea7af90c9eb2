"""The main window: start screen or monitor page, timers that refresh it, and the commands of a run."""

from collections.abc import Sequence
from functools import partial

from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QAction, QCloseEvent, QResizeEvent
from PyQt6.QtWidgets import QMainWindow, QStackedWidget

from engine.run.protocol import Job, Started
from gui.actions import Actions, add_stepping_keys
from gui.appearance import Appearance, px_per_mm_of
from gui.bridge import Life
from gui.lead_menu import LeadMenu
from gui.limits import LostSound
from gui.monitor import RANGE_MV
from gui.monitor_page import MonitorPage
from gui.open_file import OpenFile
from gui.printing.commands import Printing
from gui.review.review import Review
from gui.second_window import SecondScreen
from gui.settings import Settings
from gui.shown_run import ShownRun
from gui.start_screen import StartScreen
from gui.style import tip
from gui.theme import THEMES
from gui.zoom import SMALLEST
from streamer.errors import InputError
from streamer.found import Finder
from streamer.noise import NoiseSettings

FRAME_MS = 16
_LABELS_MS, _FIGURES_MS = 250, 1000


class MainWindow(QMainWindow):
    """Shows one run at a time, and the start screen before and between runs.

    Parameters
    ----------
    job
        What to play at once; None shows the start screen.
    base
        What the start screen does not ask for.
    finders
        What the start screen lists.
    settings
        What is remembered.
    range_mv
        The amplifier takes −range_mv … +range_mv; for the saturation alarm.
    """

    def __init__(
        self,
        job: Job | None,
        base: Job,
        finders: Sequence[Finder],
        settings: Settings,
        range_mv: float = RANGE_MV,
    ) -> None:
        super().__init__()
        self.setWindowTitle("ecg-stream")
        self._settings = settings
        self.run = ShownRun(job or base, range_mv)

        self.commands = Actions(self)
        self.files = OpenFile(self, base.sources[0], settings, self.commands)
        self.start_screen = StartScreen(finders, base, self.files.recent)
        self.page = MonitorPage(
            THEMES[settings.theme],
            settings.options,
            px_per_mm_of(self, settings),
            self.restart,
            self.choose_source,
        )
        engine_buttons = self._add_commands()
        self.appearance = Appearance(self, self.page, settings, self.commands, self._refresh_labels)
        self.lead_menu = LeadMenu(self, self.page, self.run, self.commands, self.page.say)
        self.second = SecondScreen(self.page, self.run, settings, self.commands, self.select)
        self.review = Review(self, self.page, self.run, self.commands, self.appearance.freeze)
        self.appearance.froze.connect(self.review.froze)
        self.page.controls.add_buttons(engine_buttons + self.review.buttons, self.appearance.buttons)
        add_stepping_keys(self.commands, self.page.controls)
        self._pages = QStackedWidget()
        self._pages.currentChanged.connect(lambda at: self.commands.show_run(self._monitoring))
        self._pages.addWidget(self.start_screen)
        self._pages.addWidget(self.page)
        self.setCentralWidget(self._pages)
        # Given, it does not follow the letters: a window that enlarged them could not shrink again.
        self.setMinimumSize(*SMALLEST)
        self.resize(*SMALLEST)
        if not settings.geometry.isEmpty():
            self.restoreGeometry(settings.geometry)

        self.start_screen.chosen.connect(self.play)
        self.start_screen.file_asked.connect(self.files.ask)
        self.files.opened.connect(self.start_screen.choose_source)
        self.files.refused.connect(self._refuse_file)
        self.page.controls.noise_asked.connect(self._set_noise)
        self.page.controls.retune_asked.connect(self.run.retune)
        self.page.streams.selected.connect(self.select)
        self._sound = LostSound()
        for interval, slot in (
            (FRAME_MS, self._frame),
            (_LABELS_MS, self._refresh_labels),
            (_FIGURES_MS, self._refresh_figures),
        ):
            timer = QTimer(self)
            timer.timeout.connect(slot)
            timer.start(interval)
        if job:
            self.play(job)
        else:
            self.choose_source()

    def _add_commands(self) -> list[QAction]:
        """Commands of the run; returns those with a button, in their order."""
        add = self.commands.add
        buttons = [
            add("Pause", "Space", self.pause, on=False),
            add("Record", "Ctrl+R", self.record, on=False),
            add("Source", "O", self.choose_source),
        ]
        self.page.add_foot_buttons(
            [
                add("Snapshot", "P", self.save_snapshot, short=True),
                *Printing(self.page, self.run, self._settings, self.commands, self.page.say).buttons,
            ]
        )
        add("Next stream", "PgDown", lambda: self.step_stream(1))
        add("Stream before", "PgUp", lambda: self.step_stream(-1))
        for number in range(9):
            add(f"Stream {number + 1}", str(number + 1), partial(self.select, number))
        add("Restart", "F5", self.restart, always=True)
        return buttons

    @property
    def _monitoring(self) -> bool:
        return self._pages.currentWidget() is self.page

    # runs

    def play(self, job: Job) -> None:
        """Start an engine for a job, in place of the one that plays."""
        self.run.start(job)
        for name, on in (("Pause", False), ("Record", job.save is not None), ("Freeze", False)):
            self.commands.show(name, on)
        self.page.banner.hide()
        self.page.controls.show_job(job)
        self._pages.setCurrentIndex(1)
        self._refresh_labels()

    def restart(self) -> None:
        """Play the same again, with the settings that are in force."""
        if not self._monitoring:
            self.start_screen.look()
            return
        self.play(self.run.job_in_force())

    def choose_source(self) -> None:
        """Show the start screen; what plays ends."""
        self.run.stop()
        self.appearance.use_bed(())
        self._pages.setCurrentIndex(0)
        self.start_screen.look()

    # timers

    def _frame(self) -> None:
        """Take what the engine sent and draw it."""
        if self.run.bridge is None:
            return
        shown = len(self.run.monitors)
        life_changed = self.run.poll()
        monitor = self.run.monitor
        if monitor:
            if not shown:
                self._show_streams()
            elif len(self.run.monitors) > shown:
                self.page.streams.add_monitors(self.run.monitors)
            told = self.run.take_told()
            if told:
                self.page.say(told)
            if monitor.status:
                self.page.controls.show_setup(monitor.status.setup)
            self.page.streams.advance()
            self.second.advance()
            refused = self.run.take_refused()
            if refused:
                self.page.say(refused)
                self.page.controls.show_refused(monitor.status.setup if monitor.status else None)
                self.commands.show("Record", bool(monitor.status and monitor.status.recording))
        if life_changed:
            self._life_changed()

    def attach(self, started: Started) -> None:
        """Show a run from its first sample on; what its monitors take is drawn."""
        self.run.attach(started)
        self._show_streams()

    def _show_streams(self) -> None:
        self.page.streams.show_monitors(self.run.monitors)
        self.appearance.use_bed([monitor.info.name for monitor in self.run.monitors])
        self.review.froze(False)
        self._pages.setCurrentWidget(self.page)

    def select(self, number: int) -> None:
        """Show heart rates and delays of another stream."""
        if not self.run.select(number):
            return
        self.page.streams.select(number)
        self.review.refresh()
        self._refresh_labels()
        self._refresh_figures()

    def step_stream(self, by: int) -> None:
        """Select the stream below (1) or above (-1); after the last comes the first."""
        self.select(self.run.neighbour(by))

    def _life_changed(self) -> None:
        bridge = self.run.bridge
        if bridge and bridge.life is Life.DEAD:
            if not self.run.monitors and self.start_screen.list.topLevelItemCount():
                self.choose_source()
                self.start_screen.show_error(bridge.reason)
                return
            self.page.show_over(f"The engine stopped: {bridge.reason.strip().splitlines()[-1]}")
            self.page.reason.setToolTip(tip(bridge.reason))
        elif bridge and bridge.life is Life.ENDED:
            self.page.show_over("The source has ended.")
        elif bridge and bridge.life is Life.RESTARTS:
            self.page.say(f"{bridge.deaths[-1]}: it is started again")
        self._refresh_labels()

    def _refresh_labels(self) -> None:
        self.second.refresh()
        if not self._monitoring:
            return
        self.page.refresh_labels(self.run.monitor, self.run.job, self.run.life)
        self.run.take_vitals()
        self._sound.listen(self.run.monitors, on=self.page.numerics.limits.sound)

    def _refresh_figures(self) -> None:
        if self.run.monitor is None or not self._monitoring:
            return
        self.run.search_if_alone()
        self.run.take_trends()
        self.page.refresh_figures(self.run.monitor)
        self.second.settle()

    # what a person asks for

    def _set_noise(self, settings: NoiseSettings) -> None:
        self.run.set_noise(settings, self.page.controls.noise.value)

    def pause(self, paused: bool) -> None:
        """Hold played signals; of a live one that plays alone, only the screen."""
        if self.run.monitor is None or self.run.bridge is None:
            return
        if not self.run.pause(paused):
            self.commands["Freeze"].setChecked(paused)
        self._refresh_labels()

    def record(self, on: bool) -> None:
        """Begin or end a recording."""
        if self.run.bridge:
            folder = self.run.job.save or self._settings.folder
            self.run.record(folder if on else None)
            self.page.say(f"recording into {folder}" if on else "recording ended")

    def save_snapshot(self) -> None:
        """Save a picture of the window, and say where."""
        try:
            path = self.appearance.save_snapshot()
        except (OSError, InputError) as error:
            self.page.say(f"no picture: {error}")
        else:
            self.page.say(f"picture: {path}")

    def _refuse_file(self, reason: str) -> None:
        """Say why a file was not opened, where a person looks; what plays goes on."""
        self.start_screen.show_error(reason)
        self.page.say(reason)

    # Qt

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: D102
        super().resizeEvent(event)
        self.appearance.fit(self.width(), self.height())

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: D102
        self.appearance.keep_geometry()
        self.appearance.help.close()
        self.second.show(False)
        # The window may outlive its closing, in the traceback of an error: its timers must not go on.
        for timer in self.findChildren(QTimer):
            timer.stop()
        self.run.close()
        if event:
            event.accept()
