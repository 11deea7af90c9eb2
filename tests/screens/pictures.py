"""Pictures of every screen: ``python pictures.py --out FOLDER``, with neither data nor a display.

The patients are synthetic and cleaned by the real engine; the time of day and the delays are made up, so that
the same build makes the same pictures.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PIL import Image
from played import CLOCK, Played, standing_still
from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication, QWidget

from engine.run.protocol import Job
from gui.app import parse_size
from gui.appearance import save_picture
from gui.bridge import Life
from gui.main_window import MainWindow
from gui.printing.sheet import ROW_S
from gui.printing.strip import print_strip
from gui.settings import Settings
from gui.theme import THEMES
from streamer.found import FoundSource, synthetic_patients
from streamer.noise import NoiseSettings
from streamer.settings import SourceSettings

SIZES = ("1280x720", "1920x1080", "3840x2160")
SCREEN_MM = 531.0
"""Width of a screen of 24 inches: the larger its picture, the more pixels has a millimetre."""
TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
CHOSEN = {
    "monitor": "dark", "3x4": "light", "wall": "dark", "review": "dark", "trends": "light",
    "start": "dark", "help": "light", "print": "paper",
}  # fmt: skip
"""What stands among the docs, and in which theme."""
MORE = ("twelve-leads", "lost", "engine")


def one_lead() -> Played:
    """Four minutes of ventricular beats under electrode motion that comes and goes."""

    def noise(seconds: float) -> NoiseSettings:
        return NoiseSettings({"em": 1.0}, 18.0 if 90 <= seconds < 180 else 3.0, seed=4)

    bed = SourceSettings(
        rhythm="pvc",
        leads=("II",),
        noise="em",
        snr=3.0,
        seconds=240.0,
        speed=0.0,
        seed=4,
        faults="disconnect:2",
    )
    return Played(bed, noise=noise)


def twelve_leads() -> Played:
    """Muscle noise and drift on twelve leads."""
    return Played(SourceSettings(leads=TWELVE, noise="bw:1,ma:0.3", snr=9.0, seconds=24.0, speed=0.0))


def ward() -> Played:
    """Sixteen beds, of which no two are alike."""
    rhythms, noises = ("sinus", "sinus", "afib", "pvc"), ("bw", "ma", "em")
    return Played(
        *(
            SourceSettings(
                rhythm=rhythms[bed % 4], heart_rate=52.0 + 5 * bed, leads=("II",), noise=noises[bed % 3],
                snr=6.0, seconds=24.0, speed=0.0, seed=bed,
            )
            for bed in range(16)
        )
    )  # fmt: skip


class Pictures:
    """Makes them: a window for each, in every theme and size."""

    def __init__(self, out: Path, sizes: list[str], themes: list[str]) -> None:
        self._out, self._sizes, self._themes = out, sizes, themes

    def take(self, window: MainWindow, name: str, shown: QWidget, sizes: Sequence[str] | None = None) -> None:
        """Save a widget in every theme, in windows of these sizes, or of all."""
        for size in sizes or self._sizes:
            width, height = parse_size(size)
            window.resize(width, height)
            window.page.streams.set_px_per_mm(width / SCREEN_MM)
            for theme in self._themes:
                window.appearance.set_theme(theme)
                refresh(window)
                save_picture(shown, self._out / f"{name}-{size}-{theme}.png")

    def make(self, names: list[str]) -> None:
        """Make some of them, those of one patient in one window."""
        patient: MainWindow | None = None
        for name in names:
            if name == "start":
                self._start()
            elif name in ("wall", "twelve-leads", "3x4"):
                window = window_of(ward() if name == "wall" else twelve_leads())
                window.commands["Wall"].setChecked(name == "wall")
                window.page.controls.change(layout="3x4" if name == "3x4" else "auto")
                self.take(window, name, window)
                window.close()
            else:
                patient = patient or window_of(one_lead())
                getattr(self, f"_{name}")(patient, name)
        if patient:
            patient.close()

    # what each of them is about

    def _monitor(self, window: MainWindow, name: str) -> None:
        window.page.panel.setCurrentWidget(window.page.panel.summary)
        self.take(window, name, window)

    def _trends(self, window: MainWindow, name: str) -> None:
        window.page.panel.setCurrentWidget(window.page.panel.trends)
        self.take(window, name, window)

    def _engine(self, window: MainWindow, name: str) -> None:
        window.page.panel.setCurrentWidget(window.page.panel.latency)
        self.take(window, name, window)

    def _review(self, window: MainWindow, name: str) -> None:
        (monitor,) = window.run.monitors
        window.run.mark(monitor, monitor.buffer.newest - round(4.4 * monitor.info.fs), "patient turned")
        for command in ("Freeze", "Calipers", "March"):
            window.commands[command].setChecked(True)
        self.take(window, name, window)
        window.commands["Freeze"].setChecked(False)

    def _lost(self, window: MainWindow, name: str) -> None:
        (monitor,) = window.run.monitors
        status = monitor.status
        monitor.take([replace(status, state="LOST", sample_age_s=17.0)])
        self.take(window, name, window)
        monitor.take([status])

    def _help(self, window: MainWindow, name: str) -> None:
        help = window.appearance.help
        for size in self._sizes:
            window.resize(*parse_size(size))
            help.hide()
            help.toggle()
            self.take(window, name, help, [size])
        help.hide()

    def _print(self, window: MainWindow, name: str) -> None:
        (monitor,) = window.run.monitors
        with tempfile.TemporaryDirectory() as folder:
            pdf = print_strip(monitor, monitor.buffer.newest, ROW_S, Path(folder))
            (page,) = pdf.parent.glob("*.png")
            shutil.copy(page, self._out / f"{name}-paper.png")

    def _start(self) -> None:
        base = SourceSettings()
        found = [
            FoundSource("Live (LSL)", f"bed-{bed}", f"ECG · {leads} channels · {fs} Hz · on ward-{bed}", base)
            for bed, leads, fs in ((1, 3, 500), (2, 12, 1000))
        ]
        finders = [lambda: found, lambda: synthetic_patients(base)]
        window = MainWindow(None, Job((base,)), finders, Settings())
        window.show()
        while not window.start_screen.list.topLevelItemCount():
            QApplication.processEvents()
        self.take(window, "start", window)
        window.close()


def window_of(played: Played) -> MainWindow:
    """A window that shows what was played."""
    CLOCK.now = 0.0
    window = MainWindow(None, Job((SourceSettings(),)), (), Settings())
    window.show()
    # Whatever is shown stays so: its engine has gone.
    for timer in window.findChildren(QTimer):
        timer.stop()
    played.show(window)
    window.page.controls.show_job(played.job)
    window.page.controls.show_setup(window.run.monitors[0].status.setup)
    window.setProperty("now", CLOCK.now)
    return window


def refresh(window: MainWindow) -> None:
    """Bring everything up to date, as the timers of the window do."""
    if window.run.monitor is None:
        QApplication.processEvents()
        return
    # Another window may have been shown meanwhile, at another time.
    CLOCK.now = window.property("now")
    for _ in range(2):
        QApplication.processEvents()
        window.page.streams.advance()
        window.page.refresh_figures(window.run.monitor)
        window.page.refresh_labels(window.run.monitor, window.run.job, Life.PLAYING)
    window.review.refresh()


def pack(picture: Path, into: Path) -> None:
    """Write a picture small enough for a page of text: 200 colours hold all that a screen shows."""
    with Image.open(picture) as image:
        image = image.convert("RGB")
        image.thumbnail((1280, 1280))
        image.quantize(200, dither=Image.Dither.NONE).save(into, optimize=True)


def _listed(text: str) -> list[str]:
    return text.split(",")


def main() -> None:
    """Make what is asked for."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--out", type=Path, default=Path("out/screens"))
    ask.add_argument("--docs", type=Path, help="write the chosen ones here, small")
    ask.add_argument("--sizes", type=_listed, default=list(SIZES))
    ask.add_argument("--themes", type=_listed, default=list(THEMES))
    ask.add_argument("names", nargs="*", metavar="NAME")
    asked = ask.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    application = QApplication(["ecg-stream"])
    with standing_still():
        Pictures(asked.out, asked.sizes, asked.themes).make(asked.names or [*CHOSEN, *MORE])
    application.quit()
    for name, theme in CHOSEN.items() if asked.docs else ():
        picture = asked.out / ("print-paper.png" if name == "print" else f"{name}-{SIZES[0]}-{theme}.png")
        pack(picture, asked.docs / f"screen-{name}.png")


if __name__ == "__main__":
    main()
