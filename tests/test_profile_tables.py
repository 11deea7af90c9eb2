"""Profiles of several numbers of streams, and of two revisions, side by side."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ecg_stream import command_line
from engine.lab.profile import revisions
from engine.lab.profile.hops import ProfileSettings
from engine.lab.profile.revisions import HERE, checkout, compare_revisions
from engine.lab.profile.start import profile_start
from models.registry import DEFAULT_NETWORK
from streamer.errors import InputError

OTHER = Path("other")


def profile(*words):
    return CliRunner().invoke(command_line.commands, ["profile", *map(str, words)])


def worktrees():
    """Folders of those that a comparison made."""
    words = ["git", "-C", HERE, "worktree", "list", "--porcelain"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return {line for line in listed.splitlines() if line.startswith("worktree ") and "ecg-stream-" in line}


def test_one_table_for_one_stream_and_for_several(tmp_path):
    file = tmp_path / "p.json"
    ran = profile("streams", "--streams", "1,3", "--hops", 200, "--backend", "onnx", "--json", file)
    assert ran.exit_code == 0, ran.output
    one, three = json.loads(file.read_text())["runs"]
    assert (one["model"], one["streams"], three["streams"]) == (DEFAULT_NETWORK, 1, 3)
    for run in (one, three):
        us = run["backends"]["onnx"]["us"]
        assert us["bare"]["count"] == us["overhead"]["count"] == 200
        assert min(us[row]["p50"] for row in ("bare", "overhead", "hop")) > 0


def test_calls_and_memory_are_counted_and_more_streams_cost_few_calls_each(tmp_path):
    """Counts do not depend on the machine's load: what a hop calls for each stream is held down here."""
    file = tmp_path / "c.json"
    words = ("--streams", "1,16", "--hops", 200, "--hop", 44, "--backend", "onnx", "--count-calls")
    ran = profile("streams", *words, "--json", file)
    assert ran.exit_code == 0, ran.output
    one, many = json.loads(file.read_text())["runs"]
    assert (one["streams"], many["streams"]) == (1, 16)
    assert 100 < one["calls"] < 290
    assert 20 < (many["calls"] - one["calls"]) / 15 < 40
    assert 20 < many["kb"] < 230


def test_a_revision_is_timed_in_a_checkout_of_its_own(tmp_path):
    if not (HERE / ".git").exists():
        pytest.skip("this is no git checkout")
    before, file = worktrees(), tmp_path / "p.json"
    ran = profile(
        *("compare", "HEAD", "--streams", 1, "--hops", 200, "--turns", 1, "--cpu-time", "--json", file)
    )
    assert ran.exit_code == 0, ran.output
    found = json.loads(file.read_text())
    assert (found["revision"], found["clock"]) == ("HEAD", "CPU time")
    rows = {row["figure"]: row for row in found["rows"]}
    call, rare = rows["the call alone, p50"], rows["hop, p99"]
    assert call["ratio"] == pytest.approx(call["this_us"] / call["other_us"])
    # 200 hops cannot tell.
    assert rare["ratio"] is rare["least"] is None
    assert worktrees() <= before


def test_ratios_are_those_within_a_turn_and_turns_alternate(monkeypatch):
    """The machine slows down threefold from turn to turn; this one takes half as long throughout."""
    asked = []

    def profile_of(folder, settings, count):
        asked.append(folder)
        us = count * (1 if folder == HERE else 2) * 3 ** ((len(asked) - 1) // 2)
        return {row: {"p50": us, "p90": us, "p99": None} for row in ("bare", "overhead", "hop")}

    monkeypatch.setattr(revisions, "_profile_of", profile_of)
    monkeypatch.setattr(revisions, "measure_others", lambda: 0.0)
    found = compare_revisions(OTHER, ProfileSettings(DEFAULT_NETWORK, "onnx", hops=200), [10], 3)
    assert asked == [OTHER, HERE, HERE, OTHER, OTHER, HERE]
    call = found["rows"][0]
    assert call == {
        "streams": 10, "figure": "the call alone, p50", "this_us": 30, "other_us": 60,
        "ratio": 0.5, "least": 0.5, "largest": 0.5,
    }  # fmt: skip
    assert found["rows"][-1]["ratio"] is None


def test_what_cannot_be_compared_is_said(tmp_path):
    with pytest.raises(InputError, match="holds no ecg-stream; give the folder of a checkout"):
        with checkout(str(tmp_path)):
            pass
    with pytest.raises(InputError, match=r"no other revision to be had of .*no-such-revision"):
        with checkout("no-such-revision"):
            pass
    # Of a folder without the package itself Python would run what is installed.
    package = tmp_path / "ecg_stream"
    package.mkdir()
    with pytest.raises(InputError, match="holds no ecg-stream"):
        with checkout(str(tmp_path)):
            pass
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text('raise SystemExit("too old")')
    settings = ProfileSettings(DEFAULT_NETWORK, "onnx", hops=200)
    with checkout(str(tmp_path)) as other, pytest.raises(InputError, match="cannot be profiled so: too old"):
        compare_revisions(other, settings, [1], 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("streams", "--streams", "1,x"), "no list of numbers"),
        (("streams", "--streams", "0"), "numbers of streams must be 1 to 4096"),
        (("streams", "--backend", "all"), "name it with --backend"),
        (("compare", "HEAD", "--streams", "5000"), "numbers of streams must be 1 to 4096"),
    ],
)
def test_nonsense_is_refused_before_anything_is_timed(words, message):
    with pytest.raises(InputError, match=message):
        CliRunner().invoke(command_line.commands, ["profile", *words], catch_exceptions=False)


def test_a_start_is_told_part_by_part(tmp_path):
    file = tmp_path / "p.json"
    ran = profile("start", "--times", 1, "--json", file)
    assert ran.exit_code == 0, ran.output
    found = json.loads(file.read_text())
    parts = found["parts"]
    engine = ["process", "source", "network", "rehearsal", "first sample"]
    assert list(parts) == ["command", *engine]
    assert all(part["wall_s"] > 0 for part in parts.values())
    assert sum(parts[name]["wall_s"] for name in engine) == pytest.approx(found["cold_start_s"]["wall_s"])
    # Importing is work, and none of it is counted twice.
    assert 0 < sum(part["cpu_s"] or 0 for part in parts.values()) < 2 * found["cpu_s"]


def test_a_start_that_cannot_be_is_said():
    with pytest.raises(InputError, match=r"the product does not start: .*no-such-model"):
        profile_start("no-such-model", "auto", 1)
