"""A printed strip has true millimetres, and says what it shows."""

import os
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from gui_tools import message, started, status
from job_tools import job_of
from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QColor, QImage, QPainter
from PyQt6.QtPdf import QPdfDocument
from PyQt6.QtWidgets import QToolButton
from test_gui_window import like
from test_screen import qrs

from engine.marks import Mark
from engine.run.protocol import Started
from gui.main_window import MainWindow
from gui.monitor import Monitor
from gui.printing.sheet import LEFT_MM, TOP_MM
from gui.printing.strip import MINUTE_S, print_strip, sheets
from gui.settings import Settings
from gui.theme import LIGHT
from streamer.errors import InputError

PX_PER_MM = 10
TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def filled(leads=("II",), seconds=70, marks=None, **about):
    first = started(leads=leads)
    monitor = Monitor(replace(first, info=replace(first.info, **about)))
    trace = np.tile(qrs(seconds * 360), (len(leads), 1))
    monitor.take([status(), message(0, trace, marks=marks)])
    return monitor


def pixels(image):
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    data = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    return data.reshape(image.height(), -1, 4)[:, : image.width(), 2::-1].astype(int)


def page_of(path, number=0):
    """The page as a reader of PDF draws it, `PX_PER_MM` pixels in a millimetre, on white."""
    document = QPdfDocument(None)
    assert document.load(str(path)) is QPdfDocument.Error.None_
    points = document.pagePointSize(number)
    assert points.width() * 25.4 / 72 == pytest.approx(297, abs=0.4)
    assert points.height() * 25.4 / 72 == pytest.approx(210, abs=0.4)
    drawn = document.render(number, QSize(round(297 * PX_PER_MM), round(210 * PX_PER_MM)))
    paper = QImage(drawn.size(), QImage.Format.Format_RGB32)
    paper.fill(QColor("#ffffff"))
    painter = QPainter(paper)
    painter.drawImage(0, 0, drawn)
    painter.end()
    return pixels(paper), document


def groups(flags):
    """Middles of runs of True."""
    edges = np.flatnonzero(np.diff(flags.astype(int), prepend=0, append=0))
    return (edges[::2] + edges[1::2] - 1) / 2


def test_a_second_is_25_mm_and_a_millivolt_10_mm(qapp, tmp_path):
    path = print_strip(filled(), 70 * 360, 10.0, tmp_path)
    drawn, document = page_of(path)
    assert document.pageCount() == 1
    # Large boxes are 5 mm.
    row = drawn[round((TOP_MM + 2) * PX_PER_MM)]
    right = round((LEFT_MM + 250.5) * PX_PER_MM)
    lines = groups(like(row[:right], LIGHT.grid_large, 40))
    lines = lines[lines >= (LEFT_MM - 1) * PX_PER_MM]
    assert len(lines) == 51
    np.testing.assert_allclose(np.diff(lines), 5 * PX_PER_MM, atol=1.01)
    assert lines[-1] - lines[0] == pytest.approx(250 * PX_PER_MM, abs=1)
    # The peaks of cleaned stand a second apart, a millivolt above the line between them.
    second = slice(round((TOP_MM + 40.5) * PX_PER_MM), round((TOP_MM + 79) * PX_PER_MM))
    paper = like(drawn[second, round(LEFT_MM * PX_PER_MM) : right], "#000000", 200)
    tops = np.where(paper.any(axis=0), paper.argmax(axis=0), 10_000)
    level = np.median(tops)
    peaks = groups(tops < level - 9 * PX_PER_MM)
    assert len(peaks) == 10
    np.testing.assert_allclose(np.diff(peaks), 25 * PX_PER_MM, atol=1.5)
    assert level - tops.min() == pytest.approx(10 * PX_PER_MM, abs=2)
    # The calibration pulse is a millivolt.
    near = slice(round((TOP_MM + 52) * PX_PER_MM), round((TOP_MM + 66) * PX_PER_MM))
    pulse = like(drawn[near, : round((LEFT_MM - 1) * PX_PER_MM)], "#000000", 200)
    high = np.flatnonzero(pulse[:, round((LEFT_MM - 6) * PX_PER_MM)])
    foot = np.flatnonzero(pulse[:, round((LEFT_MM - 8.5) * PX_PER_MM)])
    assert foot.mean() - high.mean() == pytest.approx(10 * PX_PER_MM, abs=1)
    # The picture beside it is the same, and knows its size.
    picture = QImage(str(path.with_name(f"{path.stem}-1.png")))
    assert picture.width() / picture.dotsPerMeterX() == pytest.approx(0.297, abs=0.001)


def test_it_says_what_it_shows(qapp, tmp_path):
    marks = np.zeros((1, 70 * 360), np.uint8)
    marks[0, 65 * 360 : 66 * 360] = Mark.BYPASSED
    monitor = filled(marks=marks, name="bed 7", origin="record", length_s=600.0)
    monitor.mark(64 * 360, "turned")
    monitor.mark(3, "long ago")
    (sheet,) = sheets(monitor, 70 * 360, 10.0)
    text = "\n".join([sheet.title, *sheet.lines, sheet.foot])
    for said in (
        "bed 7",
        "from 01:00 of the record",
        "10.0 s · leads II · 25 mm/s · 10 mm/mV",
        "unet, look-ahead 300 ms",
        "above 0.5 Hz",
        "bypassed 10 % (underlined): raw passed on",
        "marked: turned",
        "ST and P waves not validated",
    ):
        assert said in text
    assert "long ago" not in text
    drawn, document = page_of(print_strip(monitor, 70 * 360, 10.0, tmp_path))
    # Letters of the file itself, for who searches in it.
    assert "look-ahead 300 ms" in document.getAllText(0).text()
    underlined = like(drawn, LIGHT.bad, 25).any(axis=0)
    found = np.flatnonzero(underlined) / PX_PER_MM - LEFT_MM
    assert (found.min(), found.max()) == pytest.approx((125, 150), abs=0.3)


def test_a_minute_has_six_rows_and_a_page_a_lead(qapp, tmp_path):
    pages = sheets(filled(("II", "V1")), 70 * 360, MINUTE_S)
    assert [len(page.rows) for page in pages] == [6, 6]
    assert all(trace.millivolts.size == 3600 for row in pages[0].rows for trace in row.traces)
    path = print_strip(filled(("II", "V1")), 70 * 360, MINUTE_S, tmp_path)
    assert page_of(path, 1)[1].pageCount() == 2
    assert len(list(tmp_path.glob("*.png"))) == 2


def test_twelve_leads_fit_a_sheet(qapp):
    (sheet,) = sheets(filled(TWELVE), 70 * 360, 10.0)
    assert [row.label for row in sheet.rows] == list(TWELVE)
    assert sheet.row_mm * 12 + TOP_MM <= 200


def test_what_was_never_cleaned_is_not_printed(qapp, tmp_path):
    with pytest.raises(InputError, match="nothing to print"):
        print_strip(Monitor(started()), 100, 10.0, tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OSError, match="exists"):
        print_strip(filled(), 70 * 360, 10.0, file)


def test_the_window_prints_by_key_and_by_button(qtbot, tmp_path):
    settings = Settings()
    settings.set("folder", str(tmp_path / "strips"))
    window = MainWindow(None, job_of(), (), settings)
    qtbot.addWidget(window)
    with qtbot.waitActive(window, timeout=20_000):
        window.show()
    window.attach(Started((started(),)))
    held = Qt.KeyboardModifier
    qtbot.keyClick(window, Qt.Key.Key_P, held.ControlModifier)
    assert "nothing to print" in window.page.note.text()
    window.run.monitors[0].take([status(), message(0, qrs(70 * 360))])
    qtbot.keyClick(window, Qt.Key.Key_P, held.ControlModifier)
    (path,) = (tmp_path / "strips").glob("*.pdf")
    assert window.page.note.text() == f"printed: {path}"
    path.unlink()
    action = window.commands["Print minute"]
    (button,) = [each for each in window.findChildren(QToolButton) if each.defaultAction() is action]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    (path,) = (tmp_path / "strips").glob("*.pdf")
    assert page_of(path)[1].pageCount() == 1
    window.close()


def test_what_a_key_writes_never_takes_the_place_of_another(qapp, tmp_path, monkeypatch):
    """All within one second: each has its own name, and what was there stays as it was."""

    class Second(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 3, 4, 5, 6, 7)

    monkeypatch.setattr("gui.new_file.datetime", Second)
    settings = Settings()
    settings.set("folder", str(tmp_path / "written"))
    window = MainWindow(None, job_of(), (), settings)
    window.attach(Started((started(),)))
    window.run.monitors[0].take([status(), message(0, qrs(20 * 360))])
    window.save_snapshot()
    first = (tmp_path / "written" / "ecg-stream-20260304T050607.png").read_bytes()
    window.appearance.next_theme()
    for _ in range(2):
        window.save_snapshot()
        window.commands["Print"].trigger()
    window.close()
    names = [f"ecg-stream-20260304T050607{number}.png" for number in ("", "-2", "-3")]
    names += [f"ecg-strip-20260304T050607{end}" for end in (".pdf", "-1.png", "-2.pdf", "-2-1.png")]
    assert sorted(path.name for path in (tmp_path / "written").iterdir()) == sorted(names)
    assert (tmp_path / "written" / names[0]).read_bytes() == first
    assert all(path.stat().st_size > 1000 for path in (tmp_path / "written").iterdir())
