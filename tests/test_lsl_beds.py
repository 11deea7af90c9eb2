"""Live streams side by side that are independent: absent, late, lost, refused, failing."""

import json
import threading
import time
from contextlib import ExitStack

import numpy as np
import pytest
import wfdb
from engine_tools import Counted
from job_tools import job_of
from lsl_outlets import Device, running
from PyQt6.QtCore import QSettings
from test_lsl_engine import Command

import engine.run.newcomers
from engine.run.failure import EngineFailure
from engine.run.protocol import Joined, Started, Told
from engine.run.session import Session
from gui.commands.text_lines import headings
from gui.main_window import MainWindow
from gui.settings import Settings
from streamer.errors import InputError
from streamer.lsl.network import load_pylsl
from streamer.lsl.settings import LslSettings
from streamer.settings import SourceSettings
from streamer.several import side_by_side


def beds(names=None, *, seconds=None, every_stream=False, **lsl):
    base = SourceSettings(kind="lsl", seconds=seconds, lsl=LslSettings(**lsl))
    return side_by_side(base, stream_names=names, every_stream=every_stream)


def device(name, **other):
    return Device(name, source_id=f"{name}-serial", **other)


class Run:
    """A session on a thread of its own, and what is told of it."""

    def __init__(self, *sources, **job):
        self.session = Session(job_of(*sources, ladder=False, **job))
        self.news, self._stopped = [], threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        self.outcome = self.session.run(self._stopped.is_set, news=self.news.append)

    def until(self, done):
        deadline = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline, (self.news, [one.info for one in self.session.streams])
            time.sleep(0.02)

    def plays(self, name, samples=200):
        self.until(
            lambda: any(
                one.info.name == f"LSL {name}" and one.account.samples_out > samples
                for one in self.session.streams
            )
        )

    def stop(self):
        self._stopped.set()
        return self.end()

    def end(self):
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.outcome.summary

    @property
    def lines(self):
        return [each.text for each in self.news if isinstance(each, Told)]

    @property
    def heading(self):
        """The first line that a terminal prints of what plays by now."""
        session = self.session
        started = Started(tuple(map(session.started, session.streams)), session.awaited)
        return next(iter(headings(started, "identity")))


def test_one_that_is_absent_stops_nobody():
    with running(device("bed-1")):
        run = Run(*beds("bed-1,bed-2", timeout=5.0))
        run.until(lambda: any("does not play" in line for line in run.lines))
        run.plays("bed-1")
        summary = run.stop()
    (there,) = summary.streams
    assert (there.source, there.stream.state, there.gaps) == ("LSL bed-1", "LIVE", 0)
    (absent,) = summary.absent
    assert absent.name == "bed-2"
    assert absent.why.startswith("no LSL stream with name 'bed-2' within 5 s; on the network: 'bed-1'")
    assert run.lines[-1] == f"bed-2 does not play: {absent.why}"


def test_one_that_comes_late_joins_while_the_other_plays(tmp_path):
    with ExitStack() as devices:
        devices.enter_context(running(device("bed-2")))
        run = Run(*beds("bed-1,bed-2", wait=True), lsl_out="clean", save=tmp_path)
        run.plays("bed-2")
        assert run.heading == "there: LSL bed-2 · awaited: bed-1"
        devices.enter_context(running(device("bed-1", frame=(1.5,))))
        run.plays("bed-1")
        assert "awaited" not in run.heading
        summary = run.stop()
    assert run.lines == ["bed-1 is not there yet: it joins when it appears"]
    steady, late = summary.streams
    assert (steady.source, steady.lsl_out, steady.gaps) == ("LSL bed-2", "clean-2", 0)
    assert (late.source, late.lsl_out) == ("LSL bed-1", "clean-1")
    assert summary.asked_for == ["bed-1", "bed-2"]
    assert summary.absent == []
    assert summary.samples_lost == 0
    (joined,) = [each for each in run.news if isinstance(each, Joined)]
    assert (joined.stream.info.name, joined.stream.settings.kind) == ("LSL bed-1", "lsl")
    record = wfdb.rdrecord(late.recording)
    np.testing.assert_allclose(record.p_signal[100:300, 0], 1.5, atol=0.01)


def test_one_that_is_refused_is_absent_and_a_run_of_none_fails():
    slow = device("slow", fs=50.0)
    with running(device("good"), slow):
        run = Run(*beds("slow,good", seconds=1.0))
        summary = run.end()
        with pytest.raises(
            EngineFailure, match=r"none of the streams can be played: .*allowed: 100 to .*never"
        ):
            Session(job_of(*beds("slow,never", timeout=5.0)))
    assert [one.source for one in summary.streams] == ["LSL good"]
    (absent,) = summary.absent
    assert absent.name == "slow"
    assert "50 Hz; allowed: 100 to" in absent.why


def test_waiting_for_the_first_one_ends_when_asked():
    asked = []

    def stopped():
        asked.append(True)
        return len(asked) > 5

    with pytest.raises(KeyboardInterrupt):
        Session(job_of(*beds("never,nor-this", wait=True)), stopped)


def test_one_that_fails_in_the_middle_ends_alone(monkeypatch):
    class Failing(Counted):
        def chunks(self):
            yield from super().chunks()
            raise InputError("its rate has changed")

    sources = [Failing("failing", [(0, 500)]), Counted("steady", [(0, 1440)])]
    monkeypatch.setattr(engine.run.newcomers, "open_sources", lambda wanted, stopped: sources)
    settings = side_by_side(SourceSettings(noise="none", speed=0.0), patients=2)
    failing, steady = Session(job_of(*settings)).run().summary.streams
    assert (failing.failure, steady.failure) == ("its rate has changed", "")
    # What was read by then has left.
    assert [one.samples_out for one in (failing, steady)] == [500, 1440]


def test_every_stream_joins_when_it_appears_and_is_waited_for_while_another_plays():
    brain = device("brain", type="EEG", channels=[("Fp1", "microvolts", "EEG")])
    with ExitStack() as devices:
        (first,) = devices.enter_context(running(device("one"), brain))[:1]
        run = Run(*beds(every_stream=True, timeout=5.0), lsl_out="own")
        run.plays("one")
        devices.enter_context(running(device("two")))
        run.plays("two")
        assert run.heading == "there: LSL one, LSL two · awaited: every ECG stream"
        one, two = run.session.streams
        first.kill()
        run.until(lambda: one.source.health.state == "LOST")
        lost_at = time.monotonic()
        run.until(lambda: time.monotonic() > lost_at + 6)
        devices.enter_context(running(device("one")))
        run.until(lambda: one.source.health.state == "RECOVERED")
        run.until(lambda: one.account.gaps == 1)
        summary = run.stop()
    assert summary.asked_for == ["every ECG stream"]
    assert [each.source for each in summary.streams] == ["LSL one", "LSL two"]
    assert [each.gaps for each in summary.streams] == [1, 0]
    assert summary.samples_lost == 0
    assert two.account.samples_out > 3 * 360


def test_every_stream_is_the_ecgs_of_others():
    """Their makers gave both the same id: their names still tell them apart."""
    pylsl = load_pylsl()
    outlet = pylsl.StreamOutlet(
        pylsl.StreamInfo("mine", "ECG", 1, 360, "float32", "ecg-stream/cleaned/mine/one")
    )
    with running(Device("one", source_id="same"), Device("two", source_id="same")):
        run = Run(*beds(every_stream=True), lsl_out="clean")
        run.plays("one")
        run.plays("two")
        summary = run.stop()
    del outlet
    assert sorted(one.source for one in summary.streams) == ["LSL one", "LSL two"]
    assert sorted(one.lsl_out for one in summary.streams) == ["clean-1", "clean-2"]


def test_every_stream_lost_for_the_timeout_ends_the_run():
    with running(device("last")) as (process,):
        run = Run(*beds(every_stream=True, timeout=5.0))
        run.plays("last")
        process.kill()
        summary = run.end()
    (last,) = summary.streams
    assert last.stream.state == "LOST"
    assert last.samples_in == last.samples_out


def test_a_board_of_another_kind_plays_beside_a_stream():
    pytest.importorskip("brainflow", reason="brainflow is not installed (pip install -e '.[devices]')")
    board = SourceSettings("brainflow:board=synthetic,channels=3")
    with running(device("bed", fs=360.0)):
        run = Run(board, *beds("bed"))
        run.plays("bed")
        run.until(lambda: all(one.account.samples_out > 250 for one in run.session.streams))
        summary = run.stop()
    of_board, of_stream = summary.streams
    assert summary.asked_for == ["brainflow", "bed"]
    assert (of_board.fs_hz, of_stream.fs_hz, of_stream.source) == (250.0, 360.0, "LSL bed")
    for one in summary.streams:
        assert (one.samples_lost, one.unaccounted, one.failure) == (0, {}, "")


def test_no_ecg_on_the_network_is_said():
    with pytest.raises(EngineFailure, match="no ECG is on the network"):
        Session(job_of(*beds(every_stream=True, timeout=0.5)))


def test_the_command_goes_on_without_the_absent_and_fails_where_none_is_there(tmp_path):
    report = tmp_path / "run.json"
    with running(device("bed-1")):
        command = Command(
            *("--stream-name", "bed-1,bed-2", "--timeout", "5", "--seconds", "12"),
            *("--headless", "--json", str(report)),
        )
        none = Command("--stream-name", "never,nor-this", "--timeout", "1", "--headless")
        assert command.end() == 0, command.lines
        assert none.end() == 1, none.lines
    assert any("bed-2 does not play: no LSL stream with name 'bed-2'" in line for line in command.lines)
    summary = json.loads(report.read_text())
    assert [one["source"] for one in summary["streams"]] == ["LSL bed-1"]
    assert [each["name"] for each in summary["absent"]] == ["bed-2"]
    (said,) = [line for line in none.lines if line.startswith("ecg-stream:")]
    assert "none of the streams can be played: never: no LSL stream" in said
    assert not any("Traceback" in line for line in none.lines)


def test_one_that_joins_gets_a_row_in_the_window(qtbot, tmp_path):
    stored = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    with ExitStack() as devices:
        devices.enter_context(running(device("bed-1")))
        job = job_of(*beds("bed-1,bed-2", wait=True), ladder=False)
        window = MainWindow(job, job, [], stored)
        qtbot.addWidget(window)
        window.show()
        rows = window.page.streams.rows
        qtbot.waitUntil(lambda: len(window.run.monitors) == 1, timeout=60_000)
        qtbot.waitUntil(lambda: not window.run.monitors[0].buffer.empty, timeout=60_000)
        assert not rows[0].head.isVisible()
        devices.enter_context(running(device("bed-2")))
        qtbot.waitUntil(lambda: len(rows) == 2, timeout=60_000)
        assert "LSL bed-2 has joined" in window.page.note.text()
        assert window.run.monitor is window.run.monitors[0]
        assert not window.run.monitors[0].buffer.empty
        qtbot.waitUntil(lambda: all(row.head.isVisible() for row in rows), timeout=10_000)
        qtbot.waitUntil(lambda: not window.run.monitors[1].buffer.empty, timeout=60_000)
        assert "one of 2" in window.page.header.source.toolTip()
        assert not window.run.pause(True)
        window.close()
    assert [one.source for one in window.run.outcome.summary.streams] == ["LSL bed-1", "LSL bed-2"]
