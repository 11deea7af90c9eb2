"""What a person changes about the window and not about the run: theme, view, size, pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QInputDialog, QMainWindow, QWidget

from gui.actions import Actions
from gui.calibration import px_per_mm
from gui.full_screen import FullScreen
from gui.help import Help
from gui.lanes import SHEET
from gui.limits import Limits, LimitsDialog
from gui.monitor_page import MonitorPage
from gui.new_file import new_file
from gui.settings import Settings
from gui.style import style_sheet
from gui.theme import DARK, THEMES
from gui.view_options import ViewOptions
from gui.zoom import zoom_of
from streamer.errors import InputError


def px_per_mm_of(window: QWidget, settings: Settings) -> float:
    """Pixels per millimetre of the window's screen: as measured by a person, or as the screen says."""
    screen = window.screen()
    measured: float = settings.get("px_per_mm", 0.0)
    return measured or px_per_mm(screen.physicalDotsPerInchX() if screen else 0.0)


def save_picture(window: QWidget, path: Path) -> None:
    """Save a window as it looks; raises `InputError` where the file cannot be written."""
    # Quality 0 is not worse: a PNG is only packed more tightly.
    if not window.grab().save(str(path), quality=0):
        raise InputError(f"cannot write a picture to {path}; its folder must exist, and it end in .png")


_TOGGLES = {
    "Scroll": "scroll",
    "Align": "align",
    "Residual": "residual",
    "ST view": "st",
    "Reference": "reference",
    "Band": "band",
    "Beats": "marks",
}
"""Commands that are on or off, and the option of the view that each is."""
_TOGGLE_KEYS = ("S", "A", "R", "J", "C", "B", "Q")


class Appearance(QObject):
    """Commands that change the window only; none of them reaches the engine.

    Parameters
    ----------
    window, page
        What is changed.
    settings
        Where it is remembered.
    commands
        To which the commands are added.
    refresh
        Brings the labels up to date.
    """

    froze = pyqtSignal(bool)
    """The pages stand still, or follow the run again."""

    def __init__(
        self,
        window: QMainWindow,
        page: MonitorPage,
        settings: Settings,
        commands: Actions,
        refresh: Callable[[], None],
    ) -> None:
        super().__init__(window)
        self._window, self._page, self._settings, self._refresh = window, page, settings, refresh
        self._theme = THEMES[settings.theme]
        self._zoom = 1.0
        window.setStyleSheet(style_sheet(self._theme))
        self.buttons = self._add_commands(commands)
        """In their order on the screen."""
        page.controls.options_asked.connect(self.set_options)
        self._show_layout(settings.options)

    def _add_commands(self, commands: Actions) -> list[QAction]:
        options, add = self._settings.options, commands.add
        self._commands = commands

        def option(field: str) -> Callable[[bool], None]:
            return lambda on: self._page.controls.change(**{field: on})

        buttons = [
            add("Freeze", "F", self.freeze, on=False),
            *(
                add(name, key, option(field), on=getattr(options, field), short=True)
                for (name, field), key in zip(_TOGGLES.items(), _TOGGLE_KEYS, strict=True)
            ),
            add("3x4", "D", self.show_sheet, on=options.layout == SHEET, short=True),
            add("Panel", "L", self._page.side.setVisible, on=True),
            add("Theme", "T", self.next_theme, short=True, always=True),
            FullScreen(self._window, commands, short=True).action,
        ]
        add("Calibrate", "Ctrl+D", self.measure_screen)
        add("Wall", "X", self.show_wall, on=False, short=True)
        add("Next panel", "G", self._page.panel.step)
        add("Trend", "Y", self._page.panel.trends.next_span)
        limits = add("Limits", "Ctrl+L", self.ask_limits, short=True)
        self._page.add_foot_buttons([limits, self._commands["Wall"]])
        self._page.numerics.limits = Limits.of(self._settings)
        self.help = Help(self._window)
        shown = add("Help", "F1", self.help.toggle, always=True)
        shown.setShortcuts([QKeySequence("F1"), QKeySequence("?")])
        self._page.help_button.setDefaultAction(shown)
        reset = add("Reset view", "Ctrl+0", self.reset_view, short=True, always=True)
        reset.setToolTip(
            "Speed, gain, lanes, leads and colours are remembered; this takes them back to the first start  "
            "Ctrl+0"
        )
        self._page.reset_button.setDefaultAction(reset)
        return buttons

    def use_bed(self, names: Sequence[str]) -> None:
        """Show streams as they were shown last; ones that never were, as everything else.

        Parameters
        ----------
        names
            Of the streams; none says that they are shown no longer.
        """
        self.keep_geometry()
        self._settings.use_bed(names)
        if self._settings.bed_has_geometry and not self._window.isFullScreen():
            self._window.restoreGeometry(self._settings.geometry)
        self._show_options(self._settings.options)

    def keep_geometry(self) -> None:
        """Remember where the window stands."""
        self._settings.geometry = self._window.saveGeometry()

    def set_options(self, options: ViewOptions) -> None:
        """Show the traces in another way, and remember it."""
        self._settings.options = options
        self._show_options(options)

    def _show_options(self, options: ViewOptions) -> None:
        for name, field in _TOGGLES.items():
            self._commands.show(name, getattr(options, field))
        self._page.streams.set_options(options)
        self._page.controls.show_options(options)
        self._show_layout(options)

    def show_sheet(self, on: bool) -> None:
        """Show twelve leads as they are printed, or all leads below each other."""
        self._page.controls.change(layout=SHEET if on else "auto")

    def _show_layout(self, options: ViewOptions) -> None:
        sheet = options.layout == SHEET
        self._commands.show("3x4", sheet)
        # Cells stay where they are: an erase bar sweeps over them.
        self._commands["Scroll"].setEnabled(not sheet)

    def freeze(self, frozen: bool) -> None:
        """Hold the screen; the engine goes on, and so do the figures."""
        self._page.streams.freeze(frozen)
        self._commands.show("Freeze", frozen)
        self.froze.emit(frozen)
        self._refresh()

    def save_snapshot(self) -> Path:
        """Save a picture of the window in the folder of the settings; returns where.

        Raises
        ------
        InputError, OSError
            If it cannot be written.
        """
        path = new_file(self._settings.folder, "ecg-stream", ".png")
        save_picture(self._window, path)
        return path

    def next_theme(self) -> None:
        """Dark for the bedside, light for paper."""
        names = list(THEMES)
        self.set_theme(names[(names.index(self._theme.name) + 1) % len(names)])

    def set_theme(self, name: str) -> None:
        """Use the colours of a theme."""
        self._theme = THEMES.get(name, DARK)
        self._settings.theme = self._theme.name
        self._page.set_theme(self._theme)
        self._window.setStyleSheet(style_sheet(self._theme, self._zoom))
        self._refresh()

    def fit(self, width: int, height: int) -> None:
        """Enlarge letters and panels with the window."""
        zoom = zoom_of(width, height)
        if zoom != self._zoom:
            self._zoom = zoom
            self._window.setStyleSheet(style_sheet(self._theme, zoom))
            self._page.set_zoom(zoom)

    def ask_limits(self) -> None:
        """Ask for the limits of the heart rate, while the monitor goes on."""
        dialog = LimitsDialog(self._window, self._page.numerics.limits)

        def take() -> None:
            dialog.limits.keep(self._settings)
            self._page.numerics.limits = dialog.limits
            self._page.numerics.update()

        dialog.accepted.connect(take)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def show_wall(self, on: bool) -> None:
        """Show many streams as tiles, without the panel at the right, or in rows."""
        self._page.streams.set_wall(on)
        self._commands["Panel"].setChecked(not on)

    def reset_view(self) -> None:
        """Go back to how the window looks at its first start; what plays goes on."""
        self.set_theme(DARK.name)
        self.set_options(ViewOptions())
        self._page.streams.choose_lead("")
        self._settings.forget_bed()
        self._commands["Wall"].setChecked(False)
        self._commands["Panel"].setChecked(True)

    def measure_screen(self) -> None:
        """Ask how long 100 mm on this screen really are, for those that report a wrong size."""
        columns = self._page.view.calibration.px_per_s
        millimetres, taken = QInputDialog.getDouble(
            self._window,
            "Calibrate the screen",
            "The distance between two heavy grid lines should be 5 mm.\n"
            "How many millimetres do twenty of them measure on this screen?",
            100.0,
            20.0,
            500.0,
            1,
        )
        if taken and columns:
            scale = px_per_mm_of(self._window, self._settings) * 100.0 / millimetres
            self._settings.set("px_per_mm", scale)
            self._page.streams.set_px_per_mm(scale)
