"""The window: start screen or monitor, one timer that paints, and a key for everything."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import cycle
from pathlib import Path

from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QAction, QCloseEvent
from PyQt6.QtWidgets import QInputDialog, QMainWindow, QStackedWidget

from engine.run.protocol import CleanSettings, Job, Outcome, Started
from gui.actions import Actions, add_stepping_keys
from gui.bridge import Bridge, Life
from gui.calibration import px_per_mm
from gui.monitor import RANGE_MV, Monitor, share
from gui.monitor_page import MonitorPage
from gui.settings import Settings
from gui.start_screen import StartScreen
from gui.style import style_sheet, tip
from gui.theme import DARK, THEMES
from gui.view_options import ViewOptions
from gui.vitals import BeatFinder
from streamer.errors import InputError
from streamer.found import Finder
from streamer.noise import NoiseSettings
from streamer.open_source import is_played

FRAME_MS = 16
_LABELS_MS, _FIGURES_MS = 250, 1000
_NOTE_MS = 6000


class MainWindow(QMainWindow):
    """Shows one engine, and starts another when asked.

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
        self._settings, self._range_mv = settings, range_mv
        self._theme = THEMES[settings.theme]
        self.bridge: Bridge | None = None
        self.monitors: list[Monitor] = []
        self.monitor: Monitor | None = None
        self.job = job or base
        self.outcome: Outcome | None = None
        self._beats = BeatFinder()
        self._heard: Iterator[Monitor] = iter(())

        self.commands = Actions(self)
        screen = self.screen()
        measured = settings.get("px_per_mm", 0.0)
        self._px_per_mm = measured or px_per_mm(screen.physicalDotsPerInchX() if screen else 0.0)
        engine_actions, screen_actions = self._add_actions()
        self.start_screen = StartScreen(finders, base)
        self.page = MonitorPage(
            self._theme,
            settings.options,
            self._px_per_mm,
            engine_actions,
            screen_actions,
            self.restart,
            self.choose_source,
        )
        self._pages = QStackedWidget()
        self._pages.addWidget(self.start_screen)
        self._pages.addWidget(self.page)
        self.setCentralWidget(self._pages)
        self.setStyleSheet(style_sheet(self._theme))
        self.resize(1280, 720)
        if not settings.geometry.isEmpty():
            self.restoreGeometry(settings.geometry)
        add_stepping_keys(self, self.page.controls, lambda: self._monitoring)

        self.start_screen.chosen.connect(self.play)
        self.page.controls.noise_asked.connect(self._set_noise)
        self.page.controls.retune_asked.connect(self._retune)
        self.page.controls.options_asked.connect(self._set_options)
        self.page.streams.selected.connect(self.select)
        self._clear_note = QTimer(self)
        self._clear_note.setSingleShot(True)
        self._clear_note.timeout.connect(self.page.note.clear)
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

    def _add_actions(self) -> tuple[list[QAction], list[QAction]]:
        """Commands of the engine, and of the screen, in the order of their buttons."""
        options, add = self._settings.options, self.commands.add

        def option(field: str) -> Callable[[bool], None]:
            return lambda on: self.page.controls.change(**{field: on})

        engine = [
            add("Pause", "Space", self.pause, on=False),
            add("Record", "Ctrl+R", self.record, on=False),
            add("Snapshot", "P", self.save_snapshot),
            add("Source", "O", self.choose_source),
        ]
        screen = [
            add("Freeze", "F", self.freeze, on=False),
            add("Scroll", "S", option("scroll"), on=options.scroll),
            add("Align", "A", option("align"), on=options.align),
            add("Residual", "R", option("residual"), on=options.residual),
            add("Clean", "C", option("reference"), on=options.reference),
            add("Band", "B", option("band"), on=options.band),
            add("Marks", "M", option("marks"), on=options.marks),
            add("Panel", "L", self.show_side, on=True),
            add("Theme", "T", self.next_theme),
            add("Full", "F11", self.full_screen, on=False),
        ]
        add("Next stream", "PgDown", lambda: self.step_stream(1))
        add("Stream before", "PgUp", lambda: self.step_stream(-1))
        for number in range(9):
            add(f"Stream {number + 1}", str(number + 1), partial(self.select, number))
        add("Restart", "F5", self.restart)
        add("Calibrate", "Ctrl+D", self.measure_screen)
        return engine, screen

    @property
    def _monitoring(self) -> bool:
        return self._pages.currentWidget() is self.page

    # runs

    def play(self, job: Job) -> None:
        """Start an engine for a job, in place of the one that plays."""
        self._close_bridge()
        self.job = job
        self.monitor, self.monitors = None, []
        for name in ("Pause", "Record", "Freeze"):
            self.commands.show(name, False)
        self.commands.show("Record", job.save is not None)
        self.page.banner.hide()
        self.page.controls.show_job(job)
        self.bridge = Bridge(job)
        self._pages.setCurrentIndex(1)
        self._refresh_labels()

    def restart(self) -> None:
        """Play the same again, with the settings that are in force."""
        if not self._monitoring:
            self.start_screen.look()
            return
        if self.monitor and self.monitor.status:
            # Whole samples seldom make whole milliseconds: the hop that was asked for stays.
            in_force = replace(self.monitor.status.setup.clean, hop_ms=self.job.clean.hop_ms)
            self.job = replace(self.job, clean=in_force)
        self.play(self.job)

    def choose_source(self) -> None:
        """Show the start screen; what plays ends."""
        self._close_bridge()
        self._pages.setCurrentIndex(0)
        self.start_screen.look()

    def _close_bridge(self) -> None:
        if self.bridge:
            self.bridge.close()
            self.outcome = self.bridge.outcome or self.outcome
            self.bridge = None

    # timers

    def _frame(self) -> None:
        """Take what came, and draw it."""
        bridge = self.bridge
        if bridge is None:
            return
        life = bridge.life
        frames = bridge.poll()
        if self.monitor is None and bridge.started:
            self.attach(bridge.started)
        if self.monitor:
            share(frames, self.monitors)
            if self.monitor.status:
                self.page.controls.show_setup(self.monitor.status.setup)
            self.page.streams.advance()
            if self.monitors[0].refused:
                self.say(self.monitors[0].refused)
                self.monitors[0].refused = ""
                self.page.controls.show_refused(self.monitor.status.setup if self.monitor.status else None)
                self.commands.show("Record", bool(self.monitor.status and self.monitor.status.recording))
        if bridge.life is not life:
            self._life_changed(bridge)

    def attach(self, started: Started) -> Monitor:
        """Show a run from its first sample on; what its monitors take is drawn. Returns the selected."""
        self.monitors = [Monitor(each, self._range_mv) for each in started.streams]
        self._heard = cycle(self.monitors)
        self.monitor = self.monitors[0]
        self.page.streams.show_monitors(self.monitors)
        self._pages.setCurrentWidget(self.page)
        return self.monitor

    def select(self, number: int) -> None:
        """Have figures and delays of another stream."""
        if not 0 <= number < len(self.monitors):
            return
        self.monitor = self.monitors[number]
        self.page.streams.select(number)
        self._refresh_labels()
        self._refresh_figures()

    def step_stream(self, by: int) -> None:
        """Select the stream below (1) or above (-1); after the last comes the first."""
        if self.monitor:
            self.select((self.monitors.index(self.monitor) + by) % len(self.monitors))

    def _life_changed(self, bridge: Bridge) -> None:
        if bridge.life is Life.DEAD:
            if self.monitor is None and self._came_from_start():
                self._close_bridge()
                self.choose_source()
                self.start_screen.show_error(bridge.reason)
                return
            self.page.show_over(f"The engine stopped: {bridge.reason.strip().splitlines()[-1]}")
            self.page.reason.setToolTip(tip(bridge.reason))
        elif bridge.life is Life.ENDED:
            self.outcome = bridge.outcome
            self.page.show_over("The source has ended.")
        self._refresh_labels()

    def _came_from_start(self) -> bool:
        return self.start_screen.list.topLevelItemCount() > 0

    def _refresh_labels(self) -> None:
        if not self._monitoring:
            return
        self.page.refresh_labels(self.monitor, self.job, self.bridge.life if self.bridge else Life.ENDED)
        while found := self._beats.take():
            for monitor in self.monitors:
                # A search may outlast the run that it was for.
                if found.buffer is monitor.buffer:
                    monitor.take_vitals(found)
        if len(self.monitors) > 1:
            self._listen(next(self._heard))

    def _refresh_figures(self) -> None:
        if self.monitor is None or not self._monitoring:
            return
        if len(self.monitors) == 1:
            self._listen(self.monitor)
        self.page.refresh_figures(self.monitor)

    def _listen(self, monitor: Monitor) -> None:
        """Look for beats: of several streams in turn, so that four have one search a second each."""
        if not monitor.buffer.empty and not monitor.paused:
            self._beats.ask(monitor.buffer, 0)

    # what a person asks for

    def say(self, text: str) -> None:
        """Show a line at the foot for a while."""
        self.page.note.setText(text)
        self.page.note.setToolTip(tip(text))
        self._clear_note.start(_NOTE_MS)

    def _set_noise(self, settings: NoiseSettings) -> None:
        sources = (
            replace(each, noise=self.page.controls.noise.value, snr=settings.snr_db)
            if is_played(each)
            else each
            for each in self.job.sources
        )
        self.job = replace(self.job, sources=tuple(sources))
        if self.bridge:
            self.bridge.set_noise(settings)

    def _retune(self, wanted: CleanSettings) -> None:
        if self.bridge:
            self.bridge.retune(wanted)

    def _set_options(self, options: ViewOptions) -> None:
        self._settings.options = options
        self.page.streams.set_options(options)
        self.page.controls.show_options(options)

    def pause(self, paused: bool) -> None:
        """Hold played signals; of a live one that plays alone, only the screen."""
        if self.bridge is None or self.monitor is None:
            return
        if any(map(is_played, self.job.sources)):
            self.bridge.pause(paused)
            for source, monitor in zip(self.job.sources, self.monitors, strict=True):
                monitor.paused = paused and is_played(source)
        else:
            self.commands["Freeze"].setChecked(paused)
        self._refresh_labels()

    def freeze(self, frozen: bool) -> None:
        """Hold the screen; the engine goes on, and so do the figures."""
        self.page.streams.freeze(frozen)
        self._refresh_labels()

    def record(self, on: bool) -> None:
        """Begin or end a recording."""
        if self.bridge:
            folder = self.job.save or self._settings.folder
            self.bridge.record(folder if on else None)
            self.say(f"recording into {folder}" if on else "recording ended")

    def save_snapshot(self) -> Path | None:
        """Save a picture of the window; returns where."""
        folder = self._settings.folder
        path = folder / f"ecg-stream-{datetime.now():%Y%m%dT%H%M%S}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.grab_to(path)
        except (OSError, InputError) as error:
            self.say(f"no picture: {error}")
            return None
        self.say(f"picture: {path}")
        return path

    def grab_to(self, path: Path) -> None:
        """Save the window as it looks; raises `InputError` where the file cannot be written."""
        # Quality 0 is not worse: a PNG is only packed more tightly.
        if not self.grab().save(str(path), quality=0):
            raise InputError(f"cannot write a picture to {path}; its folder must exist, and it end in .png")

    def full_screen(self, on: bool) -> None:
        """Fill the screen, or be a window again."""
        if on:
            self.showFullScreen()
        else:
            self.showNormal()

    def show_side(self, on: bool) -> None:
        """Show or hide heart rate and delay panel."""
        self.page.side.setVisible(on)

    def next_theme(self) -> None:
        """Dark for the bedside, light for paper."""
        names = list(THEMES)
        self.set_theme(names[(names.index(self._theme.name) + 1) % len(names)])

    def set_theme(self, name: str) -> None:
        """Use the colours of a theme."""
        self._theme = THEMES.get(name, DARK)
        self._settings.theme = self._theme.name
        self.page.set_theme(self._theme)
        self.setStyleSheet(style_sheet(self._theme))
        self._refresh_labels()

    def measure_screen(self) -> None:
        """Ask how long 100 mm on this screen really are, for those that report a wrong size."""
        columns = self.page.view.calibration.px_per_s
        millimetres, taken = QInputDialog.getDouble(
            self,
            "Calibrate the screen",
            "The distance between two heavy grid lines should be 5 mm.\n"
            "How many millimetres do twenty of them measure on this screen?",
            100.0,
            20.0,
            500.0,
            1,
        )
        if taken and columns:
            self._px_per_mm *= 100.0 / millimetres
            self._settings.set("px_per_mm", self._px_per_mm)
            self.page.streams.set_px_per_mm(self._px_per_mm)

    # Qt

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: D102
        self._settings.geometry = self.saveGeometry()
        # Whoever still holds the window, an error's traceback for one, would keep its timers going.
        for timer in self.findChildren(QTimer):
            timer.stop()
        self._close_bridge()
        self._beats.close()
        if event:
            event.accept()
