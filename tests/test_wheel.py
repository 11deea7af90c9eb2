"""The wheel: what is in it, and that it runs where the tree is not."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from models.registry import DEFAULT_NETWORK, NETWORKS

ROOT = Path(__file__).parents[1]
PACKAGES = ("ecg_stream", "streamer", "engine", "gui", "models", "ward")
LARGEST = 18.2e6
"""Half of what it was when every weight was in it twice, bytes."""


def run(*command, cwd):
    """Standard output of a command that must succeed, without a way to the tree."""
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(command, cwd=cwd, env=outside, capture_output=True, encoding="utf-8", check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = (
        "wheel",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    )
    run(sys.executable, "-m", "pip", *build, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An environment that has the wheel, and of this one the libraries alone: (folder, its commands)."""
    folder = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"), cwd=folder)
    place = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    site = Path(sysconfig.get_path("purelib", "venv", vars=place))
    # What stands in a .pth file over there is not read, so the editable tree stays out.
    ours = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (site / "libraries.pth").write_text("\n".join(ours), encoding="utf-8")
    commands = Path(sysconfig.get_path("scripts", "venv", vars=place))
    python = str(commands / "python")
    asked = ("--python", python, "install", "--no-deps", "--no-index", "--ignore-installed", str(wheel))
    run(sys.executable, "-m", "pip", *asked, cwd=folder)
    where = run(python, "-c", "import engine, models; print(engine.__file__, models.__file__)", cwd=folder)
    assert [Path(path).parents[1] for path in where.split()] == [site, site]
    return folder, commands


def test_each_weight_is_in_it_once_and_so_are_the_types(wheel):
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    for name in NETWORKS:
        kept = sizes[f"models/weights/{name}.safetensors"]
        assert kept >= 4 * NETWORKS[name].parameters
        # Constants that the exporter computed are all that a graph holds.
        assert sizes[f"models/weights/{name}.onnx"] < max(0.4 * kept, 10_000)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(sizes)
    assert {name.split("/")[0] for name in sizes if "dist-info" not in name} == set(PACKAGES)
    assert wheel.stat().st_size <= LARGEST


def test_it_runs_where_the_tree_is_not(installed):
    folder, commands = installed
    command = str(commands / "ecg-stream")
    assert "--model" in run(command, "--help", cwd=folder)
    played = ("--seconds", "2", "--speed", "0", "--headless", "--json", "run.json")
    run(command, *played, cwd=folder)
    assert DEFAULT_NETWORK in (folder / "run.json").read_text(encoding="utf-8")
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))


def test_what_needs_no_torch_runs_without_it(installed):
    """`--model acdae` on a base installation: neither torch nor ``onnx`` can be imported."""
    folder, commands = installed
    code = (
        "import sys; sys.modules.update(torch=None, onnx=None)\n"
        "import numpy as np\n"
        "from engine.backends import open_backend\n"
        "from models.registry import load_card\n"
        "backend = open_backend('onnx', load_card('acdae'))\n"
        "print(backend.infer(np.zeros((1, 2, 256), np.float32)).shape)"
    )
    assert run(str(commands / "python"), "-c", code, cwd=folder).strip() == "(1, 2, 256)"
