"""Plans on disk: found, refused and built anew, and never in each other's way."""

import errno
import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.backends.tensorrt import plans
from engine.backends.tensorrt.plans import (
    FOLDER_VARIABLE,
    PlanKey,
    Unfit,
    find_or_build,
    plans_folder,
    read_plan,
    write_plan,
)

KEY = PlanKey("unet", "ab12", "rtx", "1.7.1", "8.9", "fp32", (1, 8))


class Builder:
    """Counts how often it was asked."""

    def __init__(self, plan=b"plan\n\x00"):
        self.plan, self.built = plan, 0

    def __call__(self):
        self.built += 1
        return self.plan


def found(key, build, folder, load=bytes):
    return find_or_build(key, build, load, folder)


def test_the_second_start_builds_nothing(tmp_path, caplog):
    build = Builder()
    assert [found(KEY, build, tmp_path / "new") for _ in range(3)] == [build.plan] * 3
    assert build.built == 1
    assert not caplog.records
    assert [path.name for path in (tmp_path / "new").iterdir()] == [KEY.file_name]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("graph", "cd34"),
        ("version", "1.8.0"),
        ("gpu", "8.9 other card CUDA 13.1"),
        ("rows", (1, 16)),
        ("samples", (4, 16)),
    ],
)
def test_a_plan_for_something_else_is_not_used(tmp_path, field, value):
    """Whether the name tells them apart or, here under one name, only the header."""
    other = replace(KEY, **{field: value})
    write_plan(tmp_path / KEY.file_name, other, b"old")
    with pytest.raises(Unfit, match=f"its {field} is .*{str(getattr(other, field))[:4]}".replace("(", r"\(")):
        read_plan(tmp_path / KEY.file_name, KEY)


def test_a_plan_from_before_there_were_steps_is_still_used(tmp_path):
    write_plan(tmp_path / KEY.file_name, KEY, b"old")
    magic, header, plan = (tmp_path / KEY.file_name).read_bytes().split(b"\n", 2)
    fields = json.loads(header)
    assert fields.pop("samples") == []
    (tmp_path / KEY.file_name).write_bytes(b"\n".join((magic, json.dumps(fields).encode(), plan)))
    assert read_plan(tmp_path / KEY.file_name, KEY) == b"old"
    with pytest.raises(Unfit, match="samples"):
        read_plan(tmp_path / KEY.file_name, replace(KEY, samples=(4, 16)))


def test_an_outdated_plan_is_built_anew_with_one_line(tmp_path, caplog):
    found(KEY, Builder(b"old"), tmp_path)
    build = Builder(b"new")
    newer = replace(KEY, version="1.8.0")
    assert newer.file_name == KEY.file_name
    assert found(newer, build, tmp_path) == b"new"
    assert [record.getMessage() for record in caplog.records] == [
        f"plan {tmp_path / KEY.file_name} is built anew: its version is 1.7.1, not 1.8.0"
    ]
    assert read_plan(tmp_path / KEY.file_name, newer) == b"new"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda whole: whole[:-1], "damaged"),
        (lambda whole: whole[:-1] + b"!", "damaged"),
        (lambda whole: whole.replace(b"sha256", b"sha512"), "header is damaged"),
        (lambda whole: whole.replace(b"{", b"[", 1), "header is damaged"),
        (lambda whole: b"", "no plan of this version"),
        (lambda whole: os.urandom(5000), "no plan of this version"),
    ],
)
def test_a_corrupt_file_is_built_anew_with_one_line(tmp_path, caplog, damage, words):
    build = Builder()
    found(KEY, build, tmp_path)
    path = tmp_path / KEY.file_name
    path.write_bytes(damage(path.read_bytes()))
    assert found(KEY, build, tmp_path) == build.plan
    assert build.built == 2
    (record,) = caplog.records
    assert words in record.getMessage()
    assert read_plan(path, KEY) == build.plan


def test_a_plan_of_another_user_is_not_run(tmp_path, monkeypatch):
    write_plan(tmp_path / KEY.file_name, KEY, b"plan")
    monkeypatch.setattr(plans.os, "getuid", lambda: 4711)
    owner = (tmp_path / KEY.file_name).stat().st_uid
    if owner == 0:
        os.chown(tmp_path / KEY.file_name, 99, 99)
        owner = 99
    with pytest.raises(Unfit, match=f"belongs to user {owner}"):
        read_plan(tmp_path / KEY.file_name, KEY)


def test_a_plan_that_the_library_refuses_is_built_anew(tmp_path, caplog):
    write_plan(tmp_path / KEY.file_name, KEY, b"stale")
    refused = []

    def load(plan):
        if plan == b"stale":
            refused.append(plan)
            return None
        return plan

    assert found(KEY, Builder(b"fresh"), tmp_path, load) == b"fresh"
    assert refused
    assert "rtx 1.7.1 refuses it" in caplog.text
    with pytest.raises(RuntimeError, match="refuses the plan that it has built"):
        found(replace(KEY, network="other"), Builder(), tmp_path, lambda plan: None)


def test_a_folder_that_cannot_be_made_costs_a_build_and_one_line(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    build = Builder()
    for _ in range(2):
        assert found(KEY, build, tmp_path / "file" / "plans") == build.plan
    assert build.built == 2
    assert all("is not kept" in record.getMessage() for record in caplog.records)
    assert len(caplog.records) == 2


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_still_runs(tmp_path, caplog):
    tmp_path.chmod(0o500)
    assert found(KEY, Builder(), tmp_path) == Builder().plan
    assert "is not kept" in caplog.text


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_or_read_only_disk_still_runs_and_leaves_nothing(
    tmp_path, caplog, monkeypatch, function, number
):
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(plans.os, function, fail)
    build = Builder()
    assert found(KEY, build, tmp_path) == build.plan
    assert os.strerror(number) in caplog.text
    assert not list(tmp_path.iterdir())


RACE = """
import sys, time
from pathlib import Path
from engine.backends.tensorrt.plans import PlanKey, find_or_build
key = PlanKey("unet", "ab12", "rtx", "1.7.1", "8.9", "fp32", (1, 8))
me, folder, start = int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
time.sleep(max(0, start - time.time()))
for round in range(40):
    (folder / key.file_name).unlink(missing_ok=True)
    plan = find_or_build(key, lambda: bytes([me]) * 200_000, bytes, folder)
    assert len(plan) == 200_000 and len(set(plan)) == 1, (me, round)
"""


def test_builders_at_the_same_time_do_not_hurt_each_other(tmp_path, caplog):
    """Each always gets a whole plan, its own or another's, and none stumbles."""
    import time

    start = str(time.time() + 1.0)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(number), str(tmp_path), start],
            cwd=Path(__file__).parents[1],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2, 3)
    ]
    said = [racer.communicate(timeout=60)[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0], said
    assert said == ["", "", ""]
    assert [path.name for path in tmp_path.iterdir()] == [KEY.file_name]


def test_the_folder_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert plans_folder() == tmp_path
    monkeypatch.delenv(FOLDER_VARIABLE)
    assert plans_folder().parts[-2:] == ("ecg-stream", "plans")


def test_the_header_is_one_line_that_anybody_can_read(tmp_path):
    write_plan(tmp_path / "a.plan", KEY, b"plan")
    magic, header, plan = (tmp_path / "a.plan").read_bytes().split(b"\n", 2)
    assert (magic, plan) == (b"ecg-stream plan 1", b"plan")
    assert json.loads(header)["version"] == "1.7.1"


@pytest.fixture(autouse=True)
def _hear_everything(caplog):
    caplog.set_level(logging.INFO)
