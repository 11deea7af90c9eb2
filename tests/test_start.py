"""The start: what is played at once, what a start screen lists, and what it does with errors."""

import os
import subprocess
import sys

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from job_tools import job_of
from PyQt6.QtCore import QSettings, Qt

from ecg_stream import command_line
from gui.main_window import MainWindow
from gui.settings import Settings
from streamer import found
from streamer.errors import InputError
from streamer.found import find_streams, synthetic_patients
from streamer.lsl.network import LslStream
from streamer.open_source import check_source
from streamer.settings import SourceSettings

BED = LslStream("bed-1", "ECG", 360.0, 2, "bed-1-id", "uid", "here", is_text=False, handle=None)


@pytest.fixture
def one_bed(monkeypatch):
    """A network on which one live stream is announced."""
    monkeypatch.setattr(found, "look_around", lambda: [BED])


@pytest.fixture
def stored(tmp_path):
    return Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))


def make_window(qtbot, stored, job, base, finders):
    window = MainWindow(job, base, finders, stored)
    qtbot.addWidget(window)
    window.resize(1280, 720)
    window.show()
    return window


# What the start screen lists


@pytest.mark.parametrize(
    "base",
    [
        SourceSettings(noise="em"),
        SourceSettings(kind="replay", record="100", noise="em", speed=2.0, loop=True, start=60.0),
    ],
    ids=["no option", "a replay with every option"],
)
def test_a_live_stream_that_is_found_can_be_played_whatever_played_before(one_bed, base):
    (stream,) = find_streams(base)
    check_source(stream.settings)
    assert stream.settings.lsl.stream_name == "bed-1"


def test_a_live_stream_on_the_network_is_listed_beside_the_rest(qtbot, one_bed, stored):
    base = job_of(noise="em")
    finders = [lambda: find_streams(base.sources[0]), lambda: synthetic_patients(base.sources[0])]
    window = make_window(qtbot, stored, None, base, finders)
    listed = window.start_screen.list
    qtbot.waitUntil(lambda: listed.topLevelItemCount() == 4, timeout=10_000)
    assert listed.topLevelItem(0).text(0) == "bed-1"
    chosen = []
    window.start_screen.chosen.disconnect()
    window.start_screen.chosen.connect(chosen.append)
    window.start_screen.choose()
    check_source(chosen[0].sources[0])
    assert window.isVisible()
    window.close()


def test_a_search_that_fails_is_said_and_takes_nothing_from_the_others(qtbot, stored):
    def broken():
        raise InputError("the network cannot be asked")

    base = job_of(noise="em")
    window = make_window(qtbot, stored, None, base, [broken, lambda: synthetic_patients(base.sources[0])])
    start = window.start_screen
    qtbot.waitUntil(lambda: start.list.topLevelItemCount() == 3, timeout=10_000)
    assert start.error.text() == "the network cannot be asked"
    assert window.isVisible()
    window.close()


def test_choosing_another_source_in_a_replay_ends_nothing_but_the_replay(qtbot, one_bed, stored):
    job = job_of(noise="em", speed=1.0)

    def broken():
        raise RuntimeError("a finder broke")

    finders = [lambda: find_streams(job.sources[0]), broken]
    window = make_window(qtbot, stored, job, job, finders)
    qtbot.waitUntil(lambda: window.run.monitor is not None, timeout=60_000)
    qtbot.keyClick(window, Qt.Key.Key_O)
    start = window.start_screen
    qtbot.waitUntil(lambda: start.list.topLevelItemCount() == 1, timeout=10_000)
    assert start.isVisible()
    assert start.error.text() == "a finder broke"
    window.close()


def test_the_noise_that_was_asked_for_is_chosen_beforehand(qtbot, stored):
    window = make_window(qtbot, stored, None, job_of(noise="ma", snr=6.0), ())
    assert window.start_screen.noise.value == "ma"
    assert window.start_screen.snr.value() == 6
    window.close()
    window = make_window(qtbot, stored, None, job_of(noise="em"), ())
    assert window.start_screen.noise.value == "default"
    window.close()


# Which options start a source


class Opened(Exception):
    """The window would open now."""


@pytest.fixture
def opened(monkeypatch):
    """Run the command as far as to the window; returns what it would show."""

    def no_window(job, screen, *, chosen, seconds):
        raise Opened(job, chosen)

    import gui.commands.play_window

    monkeypatch.setattr(gui.commands.play_window, "takes_window", lambda screen: True)
    monkeypatch.setattr(gui.commands.play_window, "play_in_window", no_window)

    def run(*options):
        with pytest.raises(Opened) as asked:
            command_line.app(list(options), standalone_mode=False)
        return asked.value.args

    return run


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (["--stream-name", "bed-1"], "lsl"),
        (["--source-id", "x"], "lsl"),
        (["--stream-type", "ECG"], "lsl"),
        (["--all-streams"], "lsl"),
        (["--wait"], "lsl"),
        (["--unit", "uV"], "lsl"),
        (["--rhythm", "afib"], "synthetic"),
        (["--rhythm", "sinus"], "synthetic"),
        (["--heart-rate", "70"], "synthetic"),
        (["--patients", "1"], "synthetic"),
        (["--patients", "3"], "synthetic"),
        (["--record", "100"], "replay"),
        (["--source", "synthetic"], "synthetic"),
    ],
    ids=" ".join,
)
def test_whatever_implies_a_source_starts_it(one_bed, opened, options, kind):
    job, chosen = opened(*options)
    assert {source.kind for source in job.sources} == {kind}
    assert chosen


@pytest.mark.parametrize("options", [[], ["--noise", "em", "--snr", "6"], ["--seconds", "30"]], ids=" ".join)
def test_nothing_chosen_asks(opened, options):
    _, chosen = opened(*options)
    assert not chosen


def test_options_of_different_sources_contradict_each_other():
    done = subprocess.run(
        [sys.executable, "-m", "ecg_stream", "--record", "100", "--rhythm", "afib", "--headless"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "--record and --rhythm belong to sources of different kinds" in done.stderr
