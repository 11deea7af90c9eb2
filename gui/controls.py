"""The controls under the traces: everything that can be changed while a run plays."""

from dataclasses import replace

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QVBoxLayout, QWidget

from engine.choices import NUMPY, backends, needs_numpy, networks
from engine.run.protocol import CleanSettings, Job, Setup
from gui.calibration import GAINS, SPEEDS
from gui.choice import Choice
from gui.lanes import LAYOUTS
from gui.view_options import ViewOptions
from gui.zoom import spread
from streamer.noise import NoiseSettings, parse_noise
from streamer.open_source import is_played

NOISES = (
    ("none", "none"),
    ("bw", "baseline wander"),
    ("em", "electrode motion"),
    ("ma", "muscle"),
    ("emb", "all three"),
)
LOOKAHEADS_MS = (0, 25, 50, 100, 150, 200, 300, 400, 500, 750, 1000)
LOWEST_DB, HIGHEST_DB = -6, 24
_SETTLE_MS = 120


def choice_of(label: str, reasons: dict[str, str | None], *more: str) -> Choice:
    """A list of names, those that cannot be taken greyed, with the reason as their tip."""
    names = (*more, *reasons)
    return Choice(
        label,
        [(name, name) for name in names],
        {name: reason for name, reason in reasons.items() if reason},
    )


class Controls(QWidget):
    """Two rows: what the engine does, and how the screen shows it."""

    noise_asked = pyqtSignal(object)
    """A `NoiseSettings`."""
    retune_asked = pyqtSignal(object)
    """A `CleanSettings`."""
    options_asked = pyqtSignal(object)
    """A `ViewOptions`."""

    def __init__(self, options: ViewOptions) -> None:
        super().__init__()
        self._options = options
        self._noise: NoiseSettings | None = None
        self._setup: Setup | None = None
        self._hop_ms = 40.0
        self.noise = Choice("Noise N", NOISES)
        self.snr = QSlider(Qt.Orientation.Horizontal)
        self.snr.setRange(LOWEST_DB, HIGHEST_DB)
        self.snr.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._snr_text = QLabel()
        self.network = choice_of("Network W", networks())
        self.lookahead = Choice("Look-ahead [ ]", [(str(ms), f"{ms} ms") for ms in LOOKAHEADS_MS])
        self.backend = choice_of("Backend K", backends())
        self.speed = Choice("Speed , .", [(f"{s:g}", f"{s:g} mm/s") for s in SPEEDS])
        self.gain = Choice("Gain - +", [("0", "auto"), *((f"{g:g}", f"{g:g} mm/mV") for g in GAINS)])
        self.lanes = Choice("Lanes V", [(name, name) for name in LAYOUTS])
        self._rows = rows = QVBoxLayout(self)
        slider_name = QLabel("SNR ↓ ↑")
        slider_name.setObjectName("quiet")
        self._engine_row = _row(
            [
                self.noise,
                slider_name,
                self.snr,
                self._snr_text,
                self.network,
                self.lookahead,
                self.backend,
            ]
        )
        self._screen_row = _row([self.speed, self.gain, self.lanes])
        rows.addLayout(self._engine_row)
        rows.addLayout(self._screen_row)
        # While the slider is dragged it changes at every pixel: send one command when it rests.
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._ask_noise)
        self.snr.valueChanged.connect(self._show_snr)
        self.snr.valueChanged.connect(lambda value: self._settle.start())
        self.noise.chosen.connect(lambda value: self._ask_noise())
        for choice in (self.network, self.lookahead, self.backend):
            choice.chosen.connect(lambda value: self._ask_retune())
        self.speed.chosen.connect(lambda value: self.change(speed=float(value)))
        self.gain.chosen.connect(lambda value: self.change(gain=float(value)))
        self.lanes.chosen.connect(lambda value: self.change(layout=value))
        self.show_options(options)
        self._show_snr(self.snr.value())
        self.set_zoom(1.0)

    def set_zoom(self, zoom: float) -> None:
        """Have room for larger letters."""
        self._snr_text.setFixedWidth(round(46 * zoom))
        self.snr.setMinimumWidth(round(90 * zoom))
        spread(self._rows, zoom, (8, 4, 8, 4), 4)
        for row in (self._engine_row, self._screen_row):
            spread(row, zoom, (0, 0, 0, 0), 5)

    def add_buttons(self, engine: list[QAction], screen: list[QAction]) -> None:
        """Put buttons of commands at the end of the two rows."""
        for row, actions in ((self._engine_row, engine), (self._screen_row, screen)):
            for action in actions:
                button = QToolButton()
                button.setDefaultAction(action)
                button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
                row.addWidget(button)

    def show_job(self, job: Job) -> None:
        """Show what a run began with."""
        source = job.sources[0]
        self._noise = source.noise_settings
        self._hop_ms = job.clean.hop_ms
        self._setup = None
        self.noise.show_value(source.noise)
        self.snr.blockSignals(True)
        self.snr.setValue(round(source.snr))
        self.snr.blockSignals(False)
        self._show_snr(self.snr.value())
        self.network.show_value(job.clean.model)
        self._show_lookahead(job.clean.lookahead_ms)
        played = any(map(is_played, job.sources))
        for control in (self.noise, self.snr):
            control.setEnabled(played)

    def show_setup(self, setup: Setup) -> None:
        """Show the settings in force, where they have changed."""
        if setup != self._setup:
            self._setup = setup
            self.network.show_value(setup.clean.model)
            self.backend.show_value(setup.clean.backend)
            self._show_lookahead(setup.clean.lookahead_ms)

    def _show_lookahead(self, ms: float) -> None:
        nearest = min(LOOKAHEADS_MS, key=lambda each: abs(each - ms))
        # In force is a whole number of samples, which is seldom a whole number of milliseconds.
        text = f"{nearest}" if abs(nearest - ms) < 3 else f"{ms:.0f}"
        self.lookahead.show_value(text, f"{text} ms")

    def show_refused(self, setup: Setup | None) -> None:
        """Go back to what is in force, after a command was refused."""
        self._setup = None
        if setup:
            self.show_setup(setup)

    def show_options(self, options: ViewOptions) -> None:
        """Show how the traces are shown."""
        self._options = options
        self.speed.show_value(f"{options.speed:g}")
        self.gain.show_value(f"{options.gain:g}")
        self.lanes.show_value(options.layout)

    def change(self, **changes: object) -> None:
        """Ask for other options of the view."""
        self.options_asked.emit(replace(self._options, **changes))  # type: ignore[arg-type]

    def step_snr(self, db: int) -> None:
        """Move the slider."""
        self.snr.setValue(self.snr.value() + db)

    def _show_snr(self, value: int) -> None:
        self._snr_text.setText(f"{value:+d} dB")

    def _ask_noise(self) -> None:
        if self._noise is None:
            return
        weights = parse_noise(self.noise.value)
        self._noise = replace(self._noise, weights=weights, snr_db=float(self.snr.value()))
        self.noise_asked.emit(self._noise)

    def _ask_retune(self) -> None:
        network, backend = self.network.value, self.backend.value
        # Networks and classical systems need different runtimes: let the engine choose when the type changes.
        if needs_numpy(network) != (backend == NUMPY):
            backend = "auto"
        self.retune_asked.emit(CleanSettings(network, backend, float(self.lookahead.value), self._hop_ms))


def _row(widgets: list[QWidget]) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return row
