"""What a person meets first: what `make run` says, a quiet terminal, the size asked for, a 200 % screen."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from job_tools import job_of
from PyQt6.QtCore import QSettings, QTimer
from PyQt6.QtWidgets import QApplication

from gui.app import Screen, run_window
from gui.main_window import MainWindow
from gui.settings import Settings
from streamer.lsl import network

PROJECT = Path(__file__).parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_run_says_what_it_does_before_pip_takes_its_minutes(tmp_path):
    planned = subprocess.run(
        ["make", "--dry-run", f"VENV={tmp_path / 'venv'}", f"PYTHON={sys.executable}", "run"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    said, installs = planned.index("installing what ecg-stream needs"), planned.index("--editable")
    assert "a few minutes" in planned[said:installs]
    line = next(line for line in planned.splitlines() if "--editable" in line and "pip install" in line)
    assert "--quiet" not in line, "pip says how far it is"


def test_liblsl_is_quiet_unless_its_user_has_said_otherwise(tmp_path, monkeypatch):
    told = []
    monkeypatch.setitem(sys.modules, "pylsl", SimpleNamespace(set_config_content=told.append))
    monkeypatch.delenv("LSLAPICFG", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    network.load_pylsl.__wrapped__()
    if not Path("/etc/lsl_api/lsl_api.cfg").exists():
        assert told == ["[log]\nlevel = -2\n"], "errors alone reach the terminal"
    (tmp_path / "lsl_api.cfg").write_text("[log]\nlevel = 4\n")
    told.clear()
    network.load_pylsl.__wrapped__()
    (tmp_path / "lsl_api.cfg").unlink()
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "own.cfg"))
    network.load_pylsl.__wrapped__()
    assert told == []


def test_the_size_that_was_asked_for_holds_over_the_one_that_is_remembered(qapp, tmp_path):
    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    before = MainWindow(None, job_of(), (), settings)
    before.resize(1400, 800)
    before.show()
    before.close()
    assert not settings.geometry.isEmpty()
    sizes = []

    def look():
        (window,) = [each for each in QApplication.topLevelWidgets() if each.isVisible()]
        sizes.append((window.width(), window.height()))
        window.close()

    for size in (None, (1600, 900)):
        QTimer.singleShot(0, look)
        run_window(None, job_of(), (), Screen(size=size), settings)
    # What is remembered is fitted to the screen that there is.
    assert sizes[0] != sizes[1] == (1600, 900)


_DOUBLED = """
import numpy as np
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication
application = QApplication(["ecg-stream"])
from engine.run.protocol import Started
from gui.main_window import MainWindow
from gui.settings import Settings
from gui.zoom import SMALLEST
from gui_tools import message, started, status
from job_tools import job_of
window = MainWindow(None, job_of(), (), Settings())
window.resize(*SMALLEST)
window.show()
window.attach(Started((started(),)))
window.run.monitors[0].take([status(), message(0, np.sin(np.arange(720) / 9))])
application.processEvents()
window.page.streams.advance()
image = window.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
data = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
pixels = data.reshape(image.height(), -1)[:, : image.width()].astype(int)
assert (window.width(), window.height()) == SMALLEST
assert pixels.shape == (1440, 2560), pixels.shape
needs = window.page.minimumSizeHint()
assert needs.width() <= SMALLEST[0] and needs.height() <= SMALLEST[1], (needs.width(), needs.height())
# Drawn in the screen's own pixels: a picture that was only doubled has four alike in each square.
for part in (window.page.view, window.page.header, window.page.numerics):
    corner = part.mapTo(window, part.rect().topLeft())
    x, y, width, height = (2 * each for each in (corner.x(), corner.y(), part.width(), part.height()))
    cut = pixels[y : y + height, x : x + width]
    squares = cut[: height // 2 * 2, : width // 2 * 2].reshape(height // 2, 2, width // 2, 2)
    assert (np.ptp(squares, axis=(1, 3)) > 40).sum() > 50, part
window.close()
"""


def test_at_200_percent_all_has_its_room_and_is_sharp():
    done = subprocess.run(
        [sys.executable, "-c", _DOUBLED],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ
        | {
            "QT_SCALE_FACTOR": "2",
            "QT_QPA_PLATFORM": "offscreen",
            "PYTHONPATH": os.pathsep.join([str(PROJECT), str(Path(__file__).parent)]),
        },
    )
    assert done.returncode == 0, done.stderr
