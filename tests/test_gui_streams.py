"""Several streams in the window: a row each, one selected, none in another's place."""

import os
from dataclasses import replace

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from gui_tools import info, message, started, status
from job_tools import job_of
from PyQt6.QtCore import QPoint, QSettings, Qt
from PyQt6.QtWidgets import QApplication, QToolButton
from test_gui_window import like, picture

from engine.messages import Gap
from engine.run.protocol import Started
from gui.bridge import Life
from gui.main_window import MainWindow
from gui.monitor import Level, share
from gui.settings import Settings
from gui.stream_head import NARROW, StreamHead
from gui.stream_rows import LOWEST_PX
from gui.theme import DARK
from gui.zoom import SMALLEST
from streamer.found import synthetic_patients
from streamer.settings import SourceSettings
from streamer.several import side_by_side


@pytest.fixture
def stored(tmp_path):
    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    settings.set("folder", str(tmp_path / "pictures"))
    return settings


def ward(count, leads=("II",)):
    """The first word of an engine that plays streams 0, 1, …"""
    infos = [replace(info(leads), name=f"ward/{n}", source_id=str(n)) for n in range(count)]
    return Started(tuple(replace(started(leads=leads), info=each) for each in infos))


def of(stream, frame):
    """The same frame, of a stream of the ward."""
    if isinstance(frame, Gap) or not hasattr(frame, "setup"):
        frame.stream = str(stream)
        return frame
    return replace(frame, stream=str(stream))


@pytest.fixture
def window(qtbot, stored):
    window = MainWindow(None, job_of(), (), stored)
    qtbot.addWidget(window)
    window.resize(1280, 720)
    window.show()
    yield window
    window.close()


def test_each_stream_is_drawn_in_its_own_row(qtbot, window):
    window.page.controls.change(layout="stacked", reference=False)
    window.attach(ward(3))
    qtbot.wait(50)
    heights = (0.5, -0.5, 0.25)
    share([of(n, message(0, np.full(1080, mv))) for n, mv in enumerate(heights)], window.run.monitors)
    window.page.streams.advance()
    rows = window.page.streams.rows
    assert [row.monitor.info.name for row in rows] == ["ward/0", "ward/1", "ward/2"]
    for row, mv in zip(rows, heights, strict=True):
        (lane,) = [lane for lane in row.view.lanes if lane.main == "cleaned"]
        line = lane.zero - round(mv * row.view.calibration.px_per_mv)
        pixels = picture(row.view)[lane.top : lane.bottom, 10:200]
        found = set(np.nonzero(like(pixels, DARK.cleaned, 200))[0] + lane.top)
        assert found
        assert found <= set(range(line - 1, line + 2))
    tops = [row.mapTo(window, QPoint(0, 0)).y() for row in rows]
    for before, after, row in zip(tops, tops[1:], rows, strict=False):
        assert after >= before + row.height()


def test_a_gap_or_an_end_of_one_stream_is_said_beside_it_alone(qtbot, window):
    window.attach(ward(3))
    flat = np.zeros(360)
    share(
        [
            *(of(n, message(0, flat)) for n in range(3)),
            of(1, Gap("", 360, 766)),
            of(1, message(766, flat)),
            of(0, status()),
            of(1, status(gaps=1, gap_samples=406, state="LOST", sample_age_s=7.0)),
            of(2, status(ended=True)),
        ],
        window.run.monitors,
    )
    window.page.refresh_labels(window.run.monitor, window.run.job, Life.PLAYING)
    heads = [row.head.texts() for row in window.page.streams.rows]
    assert [head["gaps"] for head in heads] == ["no gaps", "1 gap, 1.1 s", "no gaps"]
    assert heads[0]["state"].startswith("LIVE")
    assert heads[1]["state"] == "LOST 7 s"
    assert heads[2]["state"] == "ENDED"
    assert [monitor.buffer.gaps[0] for monitor in window.run.monitors if monitor.buffer.gaps] == [(360, 766)]


def test_the_selected_stream_feeds_the_figures(qtbot, window):
    window.attach(ward(12))
    for number, monitor in enumerate(window.run.monitors):
        share(
            [of(number, message(0, np.zeros(360))), of(number, status(snr_in_db=float(number)))],
            window.run.monitors,
        )
        assert monitor.status.snr_in_db == number

    def shown():
        return window.page.numerics.texts()["snr"].split(" ")[0]

    window.select(0)
    assert shown() == "+0.0"
    for key, expected in (
        (Qt.Key.Key_PageDown, 1),
        (Qt.Key.Key_PageDown, 2),
        (Qt.Key.Key_PageUp, 1),
        (Qt.Key.Key_9, 8),
        (Qt.Key.Key_1, 0),
        (Qt.Key.Key_PageUp, 11),
    ):
        qtbot.keyClick(window, key)
        assert window.run.monitor is window.run.monitors[expected]
        assert shown() == f"{expected:+.1f}"
        assert window.page.streams.current is window.page.streams.rows[expected]
    assert "ward/11" in window.page.header.source.text()
    assert "one of" not in window.page.header.source.text()
    qtbot.mouseClick(window.page.streams.rows[4].head, Qt.MouseButton.LeftButton)
    assert window.run.monitor is window.run.monitors[4]
    window.select(99)
    assert window.run.monitor is window.run.monitors[4]


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_twelve_streams_of_two_leads_have_a_readable_row_each(qtbot, window, size):
    window.resize(*size)
    window.attach(ward(12, leads=("MLII", "V5")))
    qtbot.wait(50)
    window.page.refresh_labels(window.run.monitor, window.run.job, Life.PLAYING)
    page = window.page
    assert not page.streams.verticalScrollBar().isVisible()
    for row in page.streams.rows:
        assert row.height() >= LOWEST_PX
        assert all(lane.bottom - lane.top >= LOWEST_PX for lane in row.view.lanes)
        assert 0 in {lane.lead for lane in row.view.lanes}
    assert {row.head.texts()["leads"] for row in page.streams.rows} == {"+1 lead"}


def test_a_full_ward_scrolls_to_the_selected_stream(qtbot, window):
    window.attach(ward(40))
    qtbot.wait(50)
    rows = window.page.streams.rows
    assert rows[39].view.visibleRegion().isEmpty()
    share([of(39, message(0, np.zeros(360)))], window.run.monitors)
    window.page.streams.advance()
    assert window.run.monitors[39].buffer._changed is not None, "what nobody sees is not drawn"
    window.step_stream(-1)
    qtbot.wait(50)
    assert not rows[39].view.visibleRegion().isEmpty()
    window.page.streams.advance()
    assert window.run.monitors[39].buffer._changed is None
    assert all(row.height() >= LOWEST_PX for row in rows)


def test_one_stream_has_no_head_and_a_ward_leaves_none_behind(qtbot, window):
    window.attach(ward(5))
    window.attach(ward(1))
    assert len(window.page.streams.rows) == 1
    assert not window.page.streams.rows[0].head.isVisible()


def test_a_label_that_says_the_same_is_not_painted_again(qtbot, window):
    painted = []

    class Head(StreamHead):
        def paintEvent(self, event):
            super().paintEvent(event)
            painted.append(self.texts()["state"])

    window.attach(ward(2))
    head = Head(DARK)
    head.show_monitor(window.run.monitors[0], 1)
    head.show()
    for state in ("LIVE", Level.GOOD), ("LOST", Level.BAD):
        head.refresh(state, selected=False, hidden_leads=0)
        qtbot.waitUntil(lambda state=state: painted[-1:] == [state[0]])
        QApplication.processEvents()
        painted.clear()
        head.refresh(state, selected=False, hidden_leads=0)
        QApplication.processEvents()
        assert not painted


def test_options_and_freezing_are_for_every_row(qtbot, window):
    window.attach(ward(3))
    window.page.controls.change(speed=50.0)
    window.appearance.freeze(True)
    for row in window.page.streams.rows:
        assert row.view.calibration.speed == 50.0
        assert row.view.frozen
    window.appearance.freeze(False)
    window.appearance.set_theme("light")
    for row in window.page.streams.rows:
        assert picture(row.view).mean() > 200
    states = {row.monitor.state(Life.ENDED, frozen=True) for row in window.page.streams.rows}
    assert states == {("ENDED", Level.HELD)}


def test_a_run_of_two_patients_is_shown_and_ended(qtbot, stored):
    job = job_of(*side_by_side(SourceSettings(noise="em"), patients=2))
    window = MainWindow(job, job, (), stored)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: len(window.run.monitors) == 2, timeout=60_000)
    qtbot.waitUntil(
        lambda: all(m.buffer.final > 500 and m.status for m in window.run.monitors), timeout=60_000
    )
    window.page.controls.snr.setValue(20)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    assert all(monitor.paused for monitor in window.run.monitors)
    qtbot.wait(800)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    at = [monitor.buffer.newest for monitor in window.run.monitors]
    qtbot.waitUntil(
        lambda: all(m.buffer.newest > n + 180 for m, n in zip(window.run.monitors, at, strict=True)),
        timeout=60_000,
    )
    assert [source.snr for source in window.run.job.sources] == [20.0, 20.0]
    window.close()
    summary = window.run.outcome.summary
    assert summary.samples_lost == summary.gaps == 0
    assert [one.noise_snr_db for one in summary.streams] == [20.0, 20.0]
    assert [one.seed for one in summary.streams] == [0, 1]


def test_several_sources_are_chosen_on_the_start_screen(qtbot, stored, monkeypatch):
    base = job_of(noise="em")
    window = MainWindow(None, base, [lambda: synthetic_patients(base.sources[0])], stored)
    qtbot.addWidget(window)
    window.show()
    start = window.start_screen
    qtbot.waitUntil(lambda: start.list.topLevelItemCount() == 3, timeout=10_000)
    assert "Ctrl or Shift" in start.state.text()
    chosen = []
    start.chosen.disconnect()
    start.chosen.connect(chosen.append)
    third = start.list.visualItemRect(start.list.topLevelItem(2)).center()
    qtbot.mouseClick(
        start.list.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, third
    )
    assert "2 side by side" in start.start.text()
    qtbot.mouseClick(start.start, Qt.MouseButton.LeftButton)
    assert [source.rhythm for source in chosen[0].sources] == ["sinus", "pvc"]
    assert [source.noise for source in chosen[0].sources] == ["em", "em"]
    window.close()


@pytest.mark.parametrize("by", ["key", "mouse"])
def test_a_wall_has_sixteen_tiles_with_rates_to_be_read_from_afar(qtbot, window, by):
    window.resize(1920, 1080)
    window.attach(ward(16))
    streams = window.page.streams
    qtbot.waitUntil(lambda: streams.rows[15].height() > 0)
    action = window.commands["Wall"]

    def toggle():
        if by == "key":
            window.activateWindow()
            qtbot.waitUntil(window.isActiveWindow, timeout=20_000)
            qtbot.keyClick(window, Qt.Key.Key_X)
        else:
            (button,) = [each for each in window.findChildren(QToolButton) if each.defaultAction() is action]
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    toggle()
    assert streams.columns == 4
    assert not window.page.side.isVisible()
    qtbot.waitUntil(lambda: streams.rows[0].width() < 500)
    boxes = [row.geometry() for row in streams.rows]
    assert all(not a.intersects(b) for number, a in enumerate(boxes) for b in boxes[:number])
    assert max(box.right() for box in boxes) <= streams.width()
    assert {row.height() for row in streams.rows} <= set(range(200, 240))
    for row in streams.rows:
        assert row.view.width() >= 200
        assert not row.labels.isVisible()
    # In the smallest window too, with narrower heads: sixteen are four by four.
    window.resize(*SMALLEST)
    qtbot.waitUntil(lambda: streams.rows[0].width() <= SMALLEST[0] / 4)
    assert streams.columns == 4
    assert max(row.geometry().right() for row in streams.rows) <= streams.width()
    assert {row.head.width() for row in streams.rows} == {NARROW}
    assert all(row.view.width() >= 200 for row in streams.rows)
    toggle()
    assert streams.columns == 1
    assert window.page.side.isVisible()
    assert all(row.labels.isVisible() for row in streams.rows)
