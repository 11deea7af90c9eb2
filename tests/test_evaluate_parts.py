"""Parts of an evaluation: none is done twice, none is taken for another, and Ctrl-C loses none."""

import json

import numpy as np
import pytest

from engine.lab import parts as evaluate_parts
from engine.lab.parts import Part, data_sha256, run_parts
from models.beat_matching import BeatCount, count_beats, match_beats
from streamer.errors import InputError


def quiet(*_):
    pass


def square(number, diary):
    """Work that leaves a trace of each time it is done."""
    with open(diary, "a") as file:
        file.write(f"{number}\n")
    if number < 0:
        raise InputError("negative")
    if number == 13:
        raise KeyboardInterrupt
    return {"square": number * number}


@pytest.fixture
def parts_of(tmp_path):
    diary = tmp_path / "diary"

    def make(*numbers, **key):
        parts = [Part(f"part {n}", {"number": n} | key, square, (n, str(diary))) for n in numbers]
        return parts, lambda: [int(line) for line in diary.read_text().split()]

    return make


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_part_is_done_once_and_comes_in_order(parts_of, tmp_path, jobs):
    parts, done = parts_of(3, 1, 2)
    told = []
    results = run_parts(parts, tmp_path / "out", jobs, lambda *progress: told.append(progress))
    assert [result["square"] for result in results] == [9, 1, 4]
    assert sorted(done()) == [1, 2, 3]
    assert [count for _, count, _ in told] == [0, 1, 2, 3]
    assert not list((tmp_path / "out").glob("*.tmp"))
    assert run_parts(parts, tmp_path / "out", jobs, quiet) == results
    assert len(done()) == 3


def test_what_decides_a_result_decides_whether_it_is_kept(parts_of, tmp_path, monkeypatch):
    def run(*given, **key):
        parts, done = parts_of(*given, **key)
        run_parts(parts, tmp_path / "out", 1, quiet)
        return len(done())

    assert run(1, 2) == 2
    assert run(1, 2, 3) == 3
    assert run(1, weights="other") == 4
    assert run(1, weights="other") == 4
    monkeypatch.setattr(evaluate_parts, "code_sha256", lambda: "other code")
    assert run(1, 2) == 6


def test_a_command_and_a_report_decide_no_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_parts, "__file__", str(tmp_path / "engine" / "lab" / "parts.py"))
    (tmp_path / "engine").mkdir()

    def code_with(name):
        (tmp_path / "engine" / name).write_text(name)
        return evaluate_parts.code_sha256.__wrapped__()

    before = code_with("guard.py")
    assert code_with("report.py") == code_with("evaluate_command.py") == before
    assert code_with("evaluate.py") != before


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_stop_keeps_what_is_done(parts_of, tmp_path, jobs):
    parts, done = parts_of(1, 2, -1)
    with pytest.raises(InputError, match="negative"):
        run_parts(parts, tmp_path / "out", jobs, quiet)
    before = len(done())
    parts, done = parts_of(1, 2)
    run_parts(parts, tmp_path / "out", 1, quiet)
    assert len(done()) <= before + (jobs - 1)
    parts, _ = parts_of(1, 13, 2)
    with pytest.raises(KeyboardInterrupt):
        run_parts(parts, tmp_path / "other", 1, quiet)
    assert len(list((tmp_path / "other").glob("*.json"))) == 1


def test_a_kill_leaves_no_half_result(parts_of, tmp_path, monkeypatch):
    parts, _ = parts_of(1)

    def killed(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(evaluate_parts.os, "replace", killed)
    with pytest.raises(OSError, match="no space"):
        run_parts(parts, tmp_path / "out", 1, quiet)
    assert not list((tmp_path / "out").glob("*.json"))


def test_data_is_known_by_its_content(tmp_path):
    for name, content in {"100.dat": b"one", "100.hea": b"two", "1000.dat": b"other"}.items():
        (tmp_path / name).write_bytes(content)
    hashes = data_sha256([tmp_path / "100"])
    assert set(hashes) == {f"{tmp_path.name}/100.dat", f"{tmp_path.name}/100.hea"}
    assert json.dumps(hashes).count("7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed") == 1


# Beats


def beats(*samples):
    return np.array(samples, np.int64)


@pytest.mark.parametrize(
    ("annotated", "detected", "count"),
    [
        (beats(), beats(), (0, 0, 0)),
        (beats(100, 400), beats(), (0, 2, 0)),
        (beats(), beats(7), (0, 0, 1)),
        (beats(100, 400, 700), beats(110, 390, 755), (2, 1, 1)),
        (beats(100), beats(90, 110), (1, 0, 1)),
        # One detection between two beats is one of them, not both.
        (beats(100, 140), beats(125), (1, 1, 0)),
        # The second detection is the second beat's, though the first beat could reach it.
        (beats(100, 140), beats(80, 138), (2, 0, 0)),
        # A detection belongs to the nearer beat, even if then another is left over.
        (beats(100, 140), beats(138, 160), (1, 1, 1)),
        (beats(100), beats(154), (1, 0, 0)),
        (beats(100), beats(155), (0, 1, 1)),
    ],
)
def test_beats_are_counted_once(annotated, detected, count):
    assert count_beats(annotated, detected, 54) == BeatCount(*count)


def test_pairs_are_within_tolerance_in_order_and_unique():
    rng = np.random.default_rng(0)
    for _ in range(50):
        annotated = np.sort(rng.choice(5000, 40, replace=False))
        detected = np.sort(rng.choice(5000, 40, replace=False))
        ours, theirs = match_beats(annotated, detected, 30)
        assert (np.abs(annotated[ours] - detected[theirs]) <= 30).all()
        assert (np.diff(ours) > 0).all()
        assert (np.diff(theirs) > 0).all()


def test_figures_of_a_count():
    count = BeatCount(8, 2, 0) + BeatCount(0, 0, 8)
    assert (count.sensitivity, count.predictivity) == (0.8, 0.5)
    assert count.f1 == pytest.approx(2 * 0.8 * 0.5 / 1.3)
    assert np.isnan(BeatCount(0, 0, 0).f1)
