"""What commands say of what is missing, where it can be done, and before a run rather than after it."""

import io
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from rich.console import Console

from streamer.console import installed
from streamer.console.installed import how_to_install, why_missing

PROJECT = Path(installed.__file__).parents[2]


def test_in_a_checkout_the_hint_installs_the_checkout():
    assert how_to_install("gui") == f"pip install -e '{PROJECT}[gui]'"
    assert how_to_install() == f"pip install -e '{PROJECT}'"


def test_elsewhere_the_hint_names_what_is_needed_and_not_a_project_that_no_index_has(monkeypatch):
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [f"{each}; extra == 'gui'" for each in project["optional-dependencies"]["gui"]]
    monkeypatch.setattr(installed, "_PROJECT", PROJECT / "nowhere.toml")
    monkeypatch.setattr("importlib.metadata.requires", lambda name: [*project["dependencies"], *needed])
    assert how_to_install("gui") == "pip install 'PyQt6>=6.7,<7' 'pyqtgraph>=0.13'"
    assert "'numpy>=1.26'" in how_to_install()
    assert "PyQt6" not in how_to_install()
    monkeypatch.setattr(installed, "find_spec", lambda module: None)
    assert why_missing(["PyQt6"], "gui").startswith("PyQt6 not installed; run `pip install 'PyQt6")


def test_no_hint_asks_an_index_for_the_project():
    """It may not have it: hints are made by `how_to_install`."""
    folders = ("ecg_stream", "streamer", "engine", "gui", "models", "ward")
    files = [file for folder in folders for file in (PROJECT / folder).rglob("*.py")]
    assert [file for file in files if "pip install 'ecg-stream" in file.read_text(encoding="utf-8")] == []


@pytest.fixture
def told(monkeypatch):
    """What commands print on a terminal of so many columns."""

    def listen(width):
        console = Console(file=io.StringIO(), width=width, force_terminal=False)
        for module in ("engine.commands.doctor_command", "streamer.commands.streams_command"):
            monkeypatch.setattr(f"{module}.out", console)
        return console.file

    return listen


def test_doctor_prints_brackets_as_they_are(told, monkeypatch):
    from engine.commands.doctor_command import doctor

    monkeypatch.setattr("engine.choices.networks", lambda: {"unet": "run `pip install -e '.[train]'`"})
    monkeypatch.setattr("engine.commands.doctor_command._try_backend", lambda name: "no: [rtx] is missing")
    text = told(200)
    doctor()
    assert "run `pip install -e '.[train]'`" in text.getvalue()
    assert "no: [rtx] is missing" in text.getvalue()


@pytest.mark.parametrize("name", ["bed-1-of-ward-7", "a-name-of-a-bed-that-somebody-made-very-long-indeed"])
def test_streams_shows_the_whole_name_at_80_columns(told, monkeypatch, name):
    from streamer.commands.streams_command import streams
    from streamer.lsl.survey import Surveyed

    found = Surveyed(
        name=name,
        type="ECG",
        fs=360.0,
        source_id="ecg-stream/device/0123456789abcdef",
        host="a-host.of.a-hospital",
        leads=("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"),
        unit="mV",
        measured_hz=359.98,
    )
    monkeypatch.setattr("streamer.lsl.survey.survey", lambda: [found])
    text = told(80)
    streams(json_file=None)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    first = "".join(line.split("│")[1].strip() for line in lines if line.startswith("│"))
    assert first == name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--plot", "x.xyz"], "its name must end in .png or .pdf or .svg or .jpg"),
        (["--screenshot", "x.gif"], "its name must end in .png or .jpg"),
        (["--screenshot", "x.png", "--size", "800x480"], "1280x720 is the smallest"),
    ],
)
def test_a_picture_that_cannot_be_made_is_refused_before_the_run(tmp_path, options, message):
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "ecg_stream", "--seconds", "600", "--headless", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begun < 100
