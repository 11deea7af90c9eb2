"""Files on the start screen: opened, dropped, remembered; and what is said where nothing is found."""

import os
import shutil

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import edfio
import numpy as np
import wfdb
from job_tools import job_of
from PyQt6.QtCore import QMimeData, QPointF, QSettings, Qt, QUrl
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QApplication, QFileDialog

from gui.main_window import MainWindow
from gui.open_file import OpenFile
from gui.settings import Settings
from gui.start_screen import StartScreen, hint
from streamer.errors import InputError
from streamer.found import FoundSource, found_in_file
from streamer.open_source import open_signal
from streamer.records.nstdb import missing_noise
from streamer.settings import SourceSettings

LEFT = Qt.MouseButton.LeftButton
PLAYED = []


@pytest.fixture
def record(tmp_path):
    folder = tmp_path / "my ward, 3"
    folder.mkdir()
    wave = np.sin(np.arange(3600) / 10)[:, None]
    wfdb.wrsamp("bed-7", 360, ["mV"], ["II"], wave, fmt=["16"], write_dir=str(folder))
    return folder / "bed-7.hea"


@pytest.fixture
def stored(tmp_path):
    return Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def window(qtbot, stored, monkeypatch):
    """A window on its start screen; what it would play is kept in `PLAYED`, and no engine runs."""
    PLAYED.clear()
    monkeypatch.setattr(MainWindow, "play", lambda self, job: PLAYED.append(job))
    window = MainWindow(None, job_of(), (), stored)
    qtbot.addWidget(window)
    with qtbot.waitActive(window, timeout=20_000):
        window.show()
    yield window
    window.close()


def test_a_file_is_its_record(record):
    for name in ("bed-7.hea", "bed-7.dat"):
        found = found_in_file(record.with_name(name), SourceSettings())
        assert (found.title, found.settings.record) == ("bed-7", str(record))
        assert "II · 360 Hz · 10 s" in found.detail


def test_what_is_no_record_says_what_is(record, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("none")
    for path in (text, tmp_path, tmp_path / "gone.hea"):
        with pytest.raises(InputError, match="is no ECG that can be opened; choose the header"):
            found_in_file(path, SourceSettings())
    record.write_text("bed-7 0 360 0\n")
    with pytest.raises(InputError, match="cannot be played"):
        found_in_file(record, SourceSettings())


def test_a_file_in_any_folder_plays(record):
    """The folder's name is no name of a database, and the file is opened all the same."""
    signal = open_signal(found_in_file(record, SourceSettings()).settings)
    assert signal.info.leads == ("II",)


@pytest.mark.parametrize("by", ["key", "mouse"])
def test_the_dialog_opens_a_file(qtbot, window, record, by):
    if by == "key":
        qtbot.keyClick(window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    else:
        qtbot.mouseClick(window.start_screen.open, LEFT)
    (dialog,) = window.findChildren(QFileDialog)
    qtbot.waitUntil(dialog.isVisible)
    dialog.selectFile(str(record))
    dialog.fileSelected.emit(str(record))
    dialog.reject()
    (job,) = PLAYED
    assert (job.sources[0].kind, job.sources[0].record) == ("replay", str(record))


def drop(window, path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    copy, left, held = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    at = QPointF(100, 100)
    enter = QDragEnterEvent(at.toPoint(), copy, mime, left, held)
    QApplication.sendEvent(window, enter)
    event = QDropEvent(at, copy, mime, left, held)
    QApplication.sendEvent(window, event)
    return enter.isAccepted() and event.isAccepted()


def test_a_file_is_dropped_and_remembered(qtbot, window, record, stored, tmp_path):
    assert drop(window, record)
    assert [job.sources[0].record for job in PLAYED] == [str(record)]
    shutil.copy(record.with_suffix(".dat"), tmp_path / "bed-7.dat")
    shutil.copy(record, tmp_path / "bed-7.hea")
    drop(window, tmp_path / "bed-7.hea")
    drop(window, record)
    fresh = OpenFile(window, SourceSettings(), stored, window.commands)
    assert [found.settings.record for found in fresh.recent()] == [str(record), str(tmp_path / "bed-7.hea")]
    # One that is gone is not offered.
    record.unlink()
    assert [found.settings.record for found in fresh.recent()] == [str(tmp_path / "bed-7.hea")]
    window.start_screen.look()
    qtbot.waitUntil(lambda: window.start_screen.list.topLevelItemCount() == 1, timeout=20_000)
    assert window.start_screen.list.topLevelItem(0).text(2) == "Recent"


def test_what_cannot_be_opened_is_said_and_plays_nothing(window, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("none")
    drop(window, text)
    assert "notes.txt is no ECG" in window.start_screen.error.text()
    assert not PLAYED


def test_where_nothing_is_found_it_says_what_to_do(qtbot, window):
    qtbot.waitUntil(lambda: window.start_screen.hint.text() != "", timeout=20_000)
    said = window.start_screen.hint.text()
    assert "ecg-stream broadcast" in said
    assert "ECG_STREAM_DATA" in said
    live = FoundSource("Live (LSL)", "bed", "", SourceSettings())
    assert "broadcast" not in hint([live])
    record = FoundSource("Records", "mitdb/100", "", SourceSettings())
    assert hint([live, record]) == ""
    assert hint([live, record], "No noise.") == "No noise."


def test_it_says_which_noise_is_not_at_hand(qtbot, tmp_path):
    (tmp_path / "nstdb").mkdir()
    for kind in ("bw", "ma"):
        (tmp_path / "nstdb" / f"{kind}.hea").touch()
    screen = StartScreen((), job_of(data_dir=tmp_path))
    qtbot.addWidget(screen)
    screen.look()
    qtbot.waitUntil(lambda: screen.hint.text() != "", timeout=20_000)
    assert (
        f"Noise records em of nstdb are not at hand: put the database into {tmp_path}" in screen.hint.text()
    )
    (tmp_path / "nstdb" / "em.hea").touch()
    assert missing_noise(tmp_path) == ""


def test_noise_that_can_be_fetched_is_said_to_be(tmp_path, monkeypatch):
    monkeypatch.setenv("ECG_STREAM_DATA", str(tmp_path))
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache"))
    assert "bw, em, ma of nstdb are not at hand: noise that is added is fetched" in missing_noise()
    cache = tmp_path / "cache" / "physionet" / "nstdb"
    cache.mkdir(parents=True)
    for kind in ("bw", "em", "ma"):
        (cache / f"{kind}.hea").touch()
    assert missing_noise() == ""


def test_a_file_of_another_format_opens_as_well(window, tmp_path):
    """At its own rate; what does not say its rate is refused in one line."""
    path = tmp_path / "bed.edf"
    wave = np.sin(np.arange(2500) / 20)
    edfio.Edf([edfio.EdfSignal(wave, 250, label="ECG II", physical_dimension="mV")]).write(path)
    drop(window, path)
    (job,) = PLAYED
    assert (job.sources[0].kind, job.sources[0].record) == ("file", str(path))
    table = tmp_path / "bed.csv"
    table.write_text("II\n0.1\n0.2\n")
    drop(window, table)
    assert len(PLAYED) == 1
