"""The house: who may know whom, and what must not be needed."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MAY_KNOW = {
    "streamer": set(),
    "models": {"streamer"},
    "engine": {"streamer", "models"},
    "gui": {"engine", "streamer"},
    "ward": {"engine", "streamer"},
}
OPTIONAL = ("torch", "onnx", "onnxscript", "tensorrt", "tensorrt_rtx")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in MAY_KNOW
    for path in (ROOT / package).rglob("*.py")
)
# These are the networks and their training: they are torch.
NEED_TORCH = {m for m in MODULES if m.startswith(("models.networks.", "models.training."))}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def modules_of(path: Path) -> set[str]:
    """Every module that a file imports, and every name that it takes from one, by its dotted path."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("package", MAY_KNOW)
def test_the_arrows_hold(package):
    for path in (ROOT / package).rglob("*.py"):
        known = imported(path) & {*MAY_KNOW, "ecg_stream"}
        assert known - {package} <= MAY_KNOW[package], path


def test_nobody_knows_the_front_door():
    for package in MAY_KNOW:
        for path in (ROOT / package).rglob("*.py"):
            assert "ecg_stream" not in imported(path), path


def test_what_measures_the_engine_is_no_part_of_it():
    """`engine.lab` measures; only its commands and the lab itself import it."""
    for package in MAY_KNOW:
        for path in (ROOT / package).rglob("*.py"):
            room = path.relative_to(ROOT).as_posix()
            if not room.startswith(("engine/lab/", "engine/commands/")):
                assert not {name for name in modules_of(path) if name.startswith("engine.lab")}, room


GUI_KNOWS = {
    "engine.choices",
    "engine.files.played",
    "engine.guard.wave_doubt",
    "engine.ledger.delays",
    "engine.marks",
    "engine.messages",
    "engine.run.commands",
    "engine.run.failure",
    "engine.run.protocol",
    "engine.run.summary",
    "engine.run.supervised",
    "engine.st_view",
}
"""All that the window needs of the engine; the commands start runs and know more."""


def test_the_window_knows_little_of_the_engine():
    modules = {name for name in MODULES if name.startswith("engine")}
    known = {
        name
        for path in (ROOT / "gui").rglob("*.py")
        if "commands" not in path.parts
        for name in modules_of(path) & modules
    }
    assert known == GUI_KNOWS


def called(path: Path) -> set[str]:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    return {getattr(call, "id", "") or getattr(call, "attr", "") for call in calls}


def test_nothing_prints_but_the_front_door_and_the_commands():
    """`print` itself is what ruff refuses."""
    for path in [
        *(ROOT / "ecg_stream").glob("*.py"),
        *(path for package in MAY_KNOW for path in (ROOT / package).rglob("*.py")),
    ]:
        place = path.relative_to(ROOT).as_posix()
        assert place == "streamer/console/output.py" or "Console" not in called(path), place
        # One is a program of its own, which nothing imports.
        prints = "/commands/" in place or place in ("ecg_stream/command_line.py", "models/tune_filters.py")
        assert prints or "from streamer.console.output" not in path.read_text("utf-8"), place


def commands_of(group, above: str = "") -> dict[str, Any]:
    """Every command of a group, by the words that call it, and what it runs."""
    own = {f"{above}{each.callback.__name__}": each.callback for each in group.registered_commands}
    for each in group.registered_groups:
        own |= commands_of(each.typer_instance, f"{each.typer_instance.info.name}.")
    return own


def test_every_command_has_a_room_and_every_room_a_command():
    """`ecg-stream evaluate track-f` is `track_f` of some ``commands/evaluate/track_f_command.py``."""
    from ecg_stream import command_line

    rooms = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in MAY_KNOW
        for path in (ROOT / package).rglob("*_command.py")
    }
    commands = commands_of(command_line.commands)
    assert {each.__module__ for each in commands.values()} == rooms
    for words, each in commands.items():
        assert each.__module__.endswith(f".commands.{words}_command")
    # The help of playing lists the same.
    assert commands_of(command_line.app) == commands


BARE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {optional!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
import importlib, importlib.util
there = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name.split(".")[0] in {optional!r} else there(name)
for module in {modules!r}:
    importlib.import_module(module)
from engine.run.session import Session
from engine.run.protocol import Job
from streamer.settings import SourceSettings
summary = Session(Job((SourceSettings(noise="em", seconds=2.0, speed=0.0),))).run().summary
assert summary.samples_out == 720, summary
"""


def test_everything_but_training_works_without_the_extras():
    modules = [module for module in MODULES if module not in NEED_TORCH] + ["ecg_stream.command_line"]
    script = BARE.format(optional=OPTIONAL, modules=modules)
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert ran.returncode == 0, ran.stderr


START = """
import sys
import gui.commands.play_terminal
from engine.run.protocol import Job
from engine.run.session import Session
from streamer.settings import SourceSettings
session = Session(Job((SourceSettings(kind="synthetic", seconds=2.0, speed=0.0),)))
assert session.run().summary.samples_out == 720
print(*(name for name in ("wfdb", "matplotlib", "pandas", "pywt") if name in sys.modules))
"""


def test_a_start_does_without_what_takes_longer_than_all_the_rest():
    """With the filter that stands by for a network that is late."""
    ran = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, ""), ran.stderr


RUNTIME = """
from models.graphs import open_session
from models.registry import load_card
open_session(load_card("lowdelay"))
"""


def test_the_runtime_tells_nobody_what_runs_here(tmp_path):
    """Left alone, ONNX Runtime keeps a number of this machine and what it would send in the user's cache."""
    place = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", RUNTIME], capture_output=True, text=True, cwd=ROOT, check=False, env=place
    )
    assert ran.returncode == 0, ran.stderr
    assert not list(tmp_path.rglob("*"))


SLOW = ("numpy", "scipy", "wfdb", "pandas", "onnxruntime", "matplotlib", "pylsl", "pooch", "PyQt6", *OPTIONAL)
COMMANDS = tuple(f"{words} --help" for words in ("evaluate", "evaluate track-f", "profile hops", "export"))


@pytest.mark.parametrize(
    "words", ["--help", "--help-all", "--version", *COMMANDS], ids=lambda words: words.replace(" ", "-")
)
def test_help_comes_before_what_is_slow_to_import(words):
    """Each of these takes as long as all that the front door needs, or longer."""
    script = f"""
import sys
from ecg_stream.command_line import main
sys.argv = ["ecg-stream", *{words!r}.split()]
try:
    main()
except SystemExit as ended:
    assert not ended.code
print(*(name for name in {SLOW!r} if name in sys.modules), file=sys.stderr)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (ran.returncode, ran.stderr.strip()) == (0, "")
    assert ran.stdout.strip()


def test_the_packages_are_ours():
    import engine
    import gui
    import models
    import streamer

    for package in (streamer, models, engine, gui):
        assert Path(package.__file__ or "").is_relative_to(ROOT)
