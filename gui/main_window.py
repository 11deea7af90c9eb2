"""The window: start screen or monitor, one timer that paints, and a key for everything."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QAction, QCloseEvent, QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QMainWindow,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.session import Job, Outcome, Retune
from gui.bridge import Bridge, Life
from gui.calibration import px_per_mm
from gui.controls import Controls
from gui.header import Header
from gui.lane_labels import LaneLabels
from gui.latency_panel import LatencyPanel
from gui.monitor import RANGE_MV, Monitor
from gui.numerics import Numerics
from gui.settings import Settings
from gui.start_screen import StartScreen
from gui.style import style_sheet
from gui.terminal import WARNING
from gui.theme import DARK, THEMES
from gui.trace_view import TraceView
from gui.view_options import ViewOptions
from gui.vitals import BeatFinder
from streamer.errors import InputError
from streamer.found import Finder
from streamer.noise import NoiseSettings

FRAME_MS = 16
_LABELS_MS, _FIGURES_MS = 250, 1000
_SIDE_PX = 248
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
        self.monitor: Monitor | None = None
        self.job = job or base
        self.outcome: Outcome | None = None
        self._beats = BeatFinder()

        self._make_actions()
        screen = self.screen()
        measured = settings.get("px_per_mm", 0.0)
        dpi = screen.physicalDotsPerInchX() if screen else 96.0
        self._px_per_mm = measured or px_per_mm(dpi)
        self.view = TraceView(self._theme, settings.options, self._px_per_mm)
        self.labels = LaneLabels(self.view, self._theme)
        self.header = Header(self._theme)
        self.numerics = Numerics(self._theme)
        self.latency = LatencyPanel(self._theme)
        self.controls = Controls(settings.options, self._engine_actions, self._screen_actions)
        self.start_screen = StartScreen(finders, base)
        self.note = QLabel()
        self._pages = QStackedWidget()
        self._pages.addWidget(self.start_screen)
        self._pages.addWidget(self._make_monitor_page())
        self.setCentralWidget(self._pages)
        self.setStyleSheet(style_sheet(self._theme))
        self.resize(1280, 720)
        if not settings.geometry.isEmpty():
            self.restoreGeometry(settings.geometry)

        self.start_screen.chosen.connect(self.play)
        self.controls.noise_asked.connect(self._set_noise)
        self.controls.retune_asked.connect(self._retune)
        self.controls.options_asked.connect(self._set_options)
        self.view.painted.connect(self._painted)
        self._clear_note = QTimer(self)
        self._clear_note.setSingleShot(True)
        self._clear_note.timeout.connect(self.note.clear)
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

    # what the window is made of

    def _make_monitor_page(self) -> QWidget:
        self.side = QWidget()
        self.side.setFixedWidth(_SIDE_PX)
        column = QVBoxLayout(self.side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(self.numerics)
        column.addWidget(self.latency, 1)
        middle = QHBoxLayout()
        middle.setContentsMargins(0, 0, 0, 0)
        middle.setSpacing(0)
        middle.addWidget(self.labels)
        middle.addWidget(self.view, 1)
        middle.addWidget(self.side)

        self._banner = QFrame()
        self._banner.setObjectName("banner")
        self._reason = QLabel()
        self._reason.setWordWrap(True)
        self.restart_button = QPushButton("Restart  F5")
        self.restart_button.clicked.connect(lambda: self.restart())
        source_button = QPushButton("Choose another source  O")
        source_button.clicked.connect(lambda: self.choose_source())
        row = QHBoxLayout(self._banner)
        row.addWidget(self._reason, 1)
        row.addWidget(self.restart_button)
        row.addWidget(source_button)
        self._banner.hide()

        warning = QLabel(WARNING)
        warning.setObjectName("quiet")
        self._scale = QLabel()
        self._scale.setObjectName("quiet")
        footer = QHBoxLayout()
        footer.setContentsMargins(10, 2, 12, 4)
        footer.setSpacing(16)
        footer.addWidget(self._scale)
        footer.addWidget(self.note, 1)
        footer.addWidget(warning)

        page = QWidget()
        rows = QVBoxLayout(page)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.header)
        rows.addWidget(self._banner)
        rows.addLayout(middle, 1)
        rows.addWidget(self.controls)
        rows.addLayout(footer)
        return page

    def _make_actions(self) -> None:
        self.actions_by_name: dict[str, QAction] = {}

        def action(name: str, key: str, slot: Callable[..., object], *, on: bool | None = None) -> QAction:
            made = QAction(f"{name} {key}", self)
            made.setShortcut(QKeySequence(key))
            if on is None:
                made.triggered.connect(lambda: slot())
            else:
                made.setCheckable(True)
                made.setChecked(on)
                made.toggled.connect(slot)
            self.addAction(made)
            self.actions_by_name[name] = made
            return made

        def option(field: str) -> Callable[[bool], None]:
            return lambda on: self.controls.change(**{field: on})

        options = self._settings.options
        self._engine_actions = [
            action("Pause", "Space", self.pause, on=False),
            action("Record", "Ctrl+R", self.record, on=False),
            action("Source", "O", self.choose_source),
        ]
        self._screen_actions = [
            action("Freeze", "F", self.freeze, on=False),
            action("Scroll", "S", option("scroll"), on=options.scroll),
            action("Align", "A", option("align"), on=options.align),
            action("Residual", "R", option("residual"), on=options.residual),
            action("Reference", "C", option("reference"), on=options.reference),
            action("Band", "B", option("band"), on=options.band),
            action("Marks", "M", option("marks"), on=options.marks),
            action("Panel", "L", self.show_side, on=True),
            action("Theme", "T", self.next_theme),
            action("Photo", "P", self.save_snapshot),
            action("Full", "F11", self.full_screen, on=False),
        ]
        action("Restart", "F5", self.restart)
        action("Calibrate", "Ctrl+D", self.measure_screen)
        for key, step in (
            ("N", lambda: self.controls.noise.step(1)),
            ("W", lambda: self.controls.network.step(1)),
            ("K", lambda: self.controls.backend.step(1)),
            ("V", lambda: self.controls.layout_choice.step(1)),
            ("[", lambda: self.controls.lookahead.step(-1, wrap=False)),
            ("]", lambda: self.controls.lookahead.step(1, wrap=False)),
            (",", lambda: self.controls.speed.step(-1, wrap=False)),
            (".", lambda: self.controls.speed.step(1, wrap=False)),
            ("-", lambda: self.controls.gain.step(-1, wrap=False)),
            ("+", lambda: self.controls.gain.step(1, wrap=False)),
            ("=", lambda: self.controls.gain.step(1, wrap=False)),
            ("Up", lambda: self.controls.step_snr(1)),
            ("Down", lambda: self.controls.step_snr(-1)),
        ):
            QShortcut(QKeySequence(key), self).activated.connect(self._on_monitor(step))

    def _on_monitor(self, step: Callable[[], None]) -> Callable[[], None]:
        """A key that means something only while the monitor is shown."""
        return lambda: step() if self._pages.currentIndex() == 1 else None

    # runs

    def play(self, job: Job) -> None:
        """Start an engine for a job, in place of the one that plays."""
        self._close_bridge()
        self.job = job
        self.monitor = None
        for name in ("Pause", "Record", "Freeze"):
            self._check(name, False)
        self._check("Record", job.save is not None)
        self._banner.hide()
        self.controls.show_job(job)
        self.bridge = Bridge(job)
        self._pages.setCurrentIndex(1)
        self._refresh_labels()

    def restart(self) -> None:
        """Play the same again, with the settings that are in force."""
        if self._pages.currentIndex() == 1:
            self.play(self.job)
        else:
            self.start_screen.look()

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

    def _check(self, name: str, on: bool) -> None:
        """Set a button without doing what it does."""
        action = self.actions_by_name[name]
        action.blockSignals(True)
        action.setChecked(on)
        action.blockSignals(False)

    # timers

    def _frame(self) -> None:
        """Take what came, and draw it."""
        bridge = self.bridge
        if bridge is None:
            return
        life = bridge.life
        frames = bridge.poll()
        if self.monitor is None and bridge.started:
            self.monitor = Monitor(bridge.started, self._range_mv)
            self.view.show_monitor(self.monitor)
            self.labels.show_monitor(self.monitor)
        if self.monitor:
            self.monitor.take(frames)
            self.view.advance()
            if self.monitor.refused:
                self.say(self.monitor.refused)
                self.monitor.refused = ""
                self.controls.show_refused()
                self._check("Record", bool(self.monitor.status and self.monitor.status.recording))
        if bridge.life is not life:
            self._life_changed(bridge)

    def _painted(self) -> None:
        if self.monitor:
            self.monitor.drawn()

    def _life_changed(self, bridge: Bridge) -> None:
        if bridge.life is Life.DEAD:
            if self.monitor is None and self._came_from_start():
                self._close_bridge()
                self.choose_source()
                self.start_screen.show_error(bridge.reason)
                return
            self._reason.setText(f"The engine stopped: {bridge.reason.strip().splitlines()[-1]}")
            self._reason.setToolTip(bridge.reason)
            self._banner.show()
        elif bridge.life is Life.ENDED:
            self.outcome = bridge.outcome
            self._reason.setText("The source has ended.")
            self._banner.show()
        self._refresh_labels()

    def _came_from_start(self) -> bool:
        return self.start_screen.list.count() > 0

    def _refresh_labels(self) -> None:
        if self._pages.currentIndex() == 0:
            return
        monitor, bridge = self.monitor, self.bridge
        life = bridge.life if bridge else Life.ENDED
        self.header.refresh(monitor, self.job, life, self.view.frozen)
        scale = self.view.calibration
        automatic = " (auto)" if not self.view.options.gain else ""
        self._scale.setText(f"{scale.speed:g} mm/s · {scale.gain:g} mm/mV{automatic}")
        if monitor is None:
            return
        self.labels.set_alarms(monitor.alarms())
        if self.side.isVisible():
            self.latency.refresh(monitor)
        if monitor.status:
            self.controls.show_setup(monitor.status.setup)
        found = self._beats.take()
        if found:
            monitor.take_vitals(found)

    def _refresh_figures(self) -> None:
        monitor = self.monitor
        if monitor is None or self._pages.currentIndex() == 0:
            return
        if not monitor.buffer.empty and not monitor.paused:
            self._beats.ask(monitor.buffer, 0)
        if not self.view.frozen:
            self.view.settle()
        self.numerics.refresh(monitor)
        self.labels.update()

    # what a person asks for

    def say(self, text: str) -> None:
        """Show a line at the foot for a while."""
        self.note.setText(text)
        self.note.setToolTip(text)
        self._clear_note.start(_NOTE_MS)

    def _set_noise(self, settings: NoiseSettings) -> None:
        source = replace(self.job.source, noise=self.controls.noise.value, snr=settings.snr_db)
        self.job = replace(self.job, source=source)
        if self.bridge:
            self.bridge.set_noise(settings)

    def _retune(self, wanted: Retune) -> None:
        self.job = replace(
            self.job, model=wanted.model, backend=wanted.backend, lookahead_ms=wanted.lookahead_ms
        )
        if self.bridge:
            self.bridge.retune(wanted)

    def _set_options(self, options: ViewOptions) -> None:
        self._settings.options = options
        self.view.set_options(options)
        self.controls.show_options(options)

    def pause(self, paused: bool) -> None:
        """Hold a played signal; of a live one, only the screen."""
        if self.bridge is None or self.monitor is None:
            return
        if self.job.source.kind in ("synthetic", "replay"):
            self.bridge.pause(paused)
            self.monitor.paused = paused
        else:
            self.actions_by_name["Freeze"].setChecked(paused)
        self._refresh_labels()

    def freeze(self, frozen: bool) -> None:
        """Hold the screen; the engine goes on, and so do the figures."""
        self.view.freeze(frozen)
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
        if not self.grab().save(str(path)):
            raise InputError(f"cannot write a picture to {path}; its folder must exist, and it end in .png")

    def full_screen(self, on: bool) -> None:
        """Fill the screen, or be a window again."""
        if on:
            self.showFullScreen()
        else:
            self.showNormal()

    def show_side(self, on: bool) -> None:
        """Show or hide heart rate and delay panel."""
        self.side.setVisible(on)

    def next_theme(self) -> None:
        """Dark for the bedside, light for paper."""
        names = list(THEMES)
        self.set_theme(names[(names.index(self._theme.name) + 1) % len(names)])

    def set_theme(self, name: str) -> None:
        """Use the colours of a theme."""
        self._theme = THEMES.get(name, DARK)
        self._settings.theme = self._theme.name
        for part in (self.view, self.labels, self.header, self.numerics, self.latency):
            part.set_theme(self._theme)
        self.setStyleSheet(style_sheet(self._theme))
        self._refresh_labels()

    def measure_screen(self) -> None:
        """Ask how long 100 mm on this screen really are, for those that report a wrong size."""
        columns = self.view.calibration.px_per_s
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
            self.view.set_px_per_mm(self._px_per_mm)

    # Qt

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: D102
        self._settings.geometry = self.saveGeometry()
        self._close_bridge()
        self._beats.close()
        if event:
            event.accept()
