"""The container and the unit: what they name is there, and what they run is understood and answers."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import typer
import yaml

from ecg_stream import command_line
from engine.service.server import served
from engine.service.watcher import Newest

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
UNIT = ROOT / "deploy" / "ecg-stream.service"


def rests(instruction):
    return re.findall(rf"^{instruction} (.*)$", DOCKERFILE, re.MULTILINE)


def understood(words):
    """The options of playing, or of the command that is named; it must be one that is."""
    if words[0].startswith("-"):
        command = typer.main.get_command(command_line.app)
    else:
        command = typer.main.get_group(command_line.commands).commands[words[0]]
    return command.make_context("ecg-stream", [word for word in words if word != "broadcast"]).params


def test_the_container_copies_all_that_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    copied = {word for rest in rests("COPY") for word in rest.split()[:-1]}
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert copied == {*wheel, "pyproject.toml", "locked.txt", "README.md", "LICENSE"}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"}
    assert let_in == copied
    (extras,) = re.findall(r'"\.\[(.*)\]"', DOCKERFILE)
    assert set(extras.split(",")) <= set(project["project"]["optional-dependencies"])
    assert project["project"]["requires-python"] == ">=3.11"
    assert rests("FROM") == ["python:3.11-slim"]
    # Nothing that follows runs as root.
    assert DOCKERFILE.index("\nUSER ecg\n") < DOCKERFILE.index("\nENTRYPOINT")


def test_what_the_container_runs_is_understood_and_its_check_tells_health():
    (words,) = map(json.loads, rests("CMD"))
    options = understood(words)
    assert options["metrics"] == "0.0.0.0:9464"
    (check,) = (json.loads(rest.partition("CMD ")[2]) for rest in rests("HEALTHCHECK"))
    for hangs in (False, True):
        newest = Newest(playing=True, hangs=hangs)
        with served("0", newest, "m") as (_, port):
            code = check[-1].replace("9464", str(port))
            ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        assert bool(ran.returncode) == hangs
    with served("0", Newest(), "m") as (_, port):
        pass
    code = check[-1].replace("9464", str(port))
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode


def test_the_composed_services_run_what_is_understood_without_privileges():
    services = COMPOSE["services"]
    assert understood(services["engine"]["command"])["lsl_out"] == "cleaned"
    assert understood(services["device"]["command"])["loop"]
    for each in services.values():
        assert each["cap_drop"] == ["ALL"]
        assert each["read_only"]
    assert services["engine"]["ports"] == ["127.0.0.1:9464:9464"]
    assert services["engine"]["shm_size"] == "64mb"


def test_the_unit_runs_what_is_understood(tmp_path):
    (line,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    program, *words = shlex.split(line)
    at = words.index("--config")
    assert words[at + 1] == "/etc/ecg-stream/ecg-stream.toml"
    (tmp_path / "ecg-stream.toml").write_text('source = "lsl"\nwait = true\n')
    words[at + 1] = str(tmp_path / "ecg-stream.toml")
    options = understood(words)
    assert (options["source"], options["metrics"], options["log"]) == ("lsl", "9464", "json")
    if shutil.which("systemd-analyze"):
        there = tmp_path / UNIT.name
        there.write_text(UNIT.read_text().replace(program, sys.executable))
        verify = ["systemd-analyze", "verify", there]
        ran = subprocess.run(verify, capture_output=True, text=True, check=False)
        assert ran.returncode == 0
        assert UNIT.name not in ran.stderr
