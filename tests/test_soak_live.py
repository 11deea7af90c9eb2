"""The soak at real speed: a live stream that goes wrong all the time, and the account of every sample."""

import json
import os
from itertools import islice, pairwise

import numpy as np
import pytest
from typer.testing import CliRunner

from ecg_stream.command_line import commands
from engine.lab.soak import counting
from engine.lab.soak.live import LiveSoakSettings, soak
from engine.lab.soak.recorded import judge
from engine.lab.soak.trouble import LASTS_S, Trouble, troubles
from streamer.errors import InputError


@pytest.fixture
def own_lsl(monkeypatch):
    """A soak has LSL keep to itself; the tests' own configuration comes back."""
    monkeypatch.setenv("LSLAPICFG", os.environ.get("LSLAPICFG", ""))


@pytest.mark.timeout(300)
def test_a_short_one_closes_its_account(own_lsl, tmp_path):
    """The device loses samples and holds others back, and the engine is killed."""
    plan = [Trouble("loss", samples=50), Trouble("silence", lasts_s=1.2), Trouble("kill")]
    told = []
    figures = soak(LiveSoakSettings(1.0, record=tmp_path), told.append, plan)
    assert figures["exact"], figures
    assert figures["done"] == {"kill": 1, "loss": 1, "silence": 1}
    assert figures["restarts"] == 1
    assert "exit code -9" in figures["deaths"][0]
    recorded = figures["recorded"]
    assert recorded["records"] == len(list(tmp_path.glob("*.hea"))) == 2
    assert recorded["never_sent"] == 50
    # What the silence held back has left; what was sampled while no engine was there lies in one gap.
    assert (recorded["gaps"], recorded["unexplained_gaps"]) == (2, 1)
    assert len(told) == 3


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_minutes_of_everything_close_their_account(own_lsl, tmp_path):
    figures = soak(LiveSoakSettings(6.0, seed=1, record=tmp_path))
    assert figures["exact"], figures
    assert set(figures["done"]) == set(LASTS_S)


def test_a_seed_decides_and_every_kind_comes_as_often():
    first = list(islice(troubles(3), 5 * len(LASTS_S)))
    assert first == list(islice(troubles(3), len(first)))
    assert first != list(islice(troubles(4), len(first)))
    for kind, (shortest, longest) in LASTS_S.items():
        of_kind = [each for each in first if each.kind == kind]
        assert len(of_kind) == 5
        assert all(shortest <= each.lasts_s <= longest for each in of_kind)
    # More than three deaths within a minute would end the run.
    for one, other in pairwise(first):
        if {one.kind, other.kind} <= {"kill", "hang"}:
            assert other.calm_s > 20


@pytest.fixture
def recorded(write_record, tmp_path):
    """Write spans of the device's samples as records, each continuing the one before."""

    def write(*parts):
        for number, part in enumerate(parts):
            samples = np.concatenate([np.arange(*span) for span in part])
            frames = counting.frames_of(samples).T.astype(np.float64)
            frames[:, samples < 0] = np.nan
            write_record(tmp_path, f"part-{number}", frames, gain=1000.0, fmt="24", leads=counting.LEADS)
            event = {"event": "continues", "record": f"part-{number - 1}"} if number else {"event": "state"}
            (tmp_path / f"part-{number}.events.jsonl").write_text(json.dumps(event) + "\n")
        return tmp_path

    return write


def test_the_judge_knows_a_gap_that_the_device_explains_from_one_that_nothing_does(recorded):
    missing = (-30, 0)  # written as NaN
    folder = recorded([(100, 200), missing, (230, 300)], [missing, (330, 400)])
    verdict = judge(folder, [(0, 50), (205, 215)])
    assert (verdict.records, verdict.frames, verdict.out, verdict.in_gaps) == (2, 300, 240, 60)
    assert (verdict.misplaced, verdict.never_sent) == (0, 10)
    assert (verdict.gaps, verdict.unexplained_gaps) == (2, 1)


def test_the_judge_sees_samples_behind_a_gap_of_the_wrong_length(recorded):
    assert judge(recorded([(100, 200), (-30, 0), (231, 300)]), []).misplaced == 69


def test_records_that_do_not_continue_each_other_are_no_account(recorded):
    folder = recorded([(0, 100)], [(100, 200)])
    (folder / "part-1.events.jsonl").write_text('{"event": "state"}\n')
    with pytest.raises(ValueError, match="both continue nothing"):
        judge(folder, [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--hours 2", "--hours"),
        ("--patients 3", "--patients"),
        ("--minutes 0", "above 0"),
        ("--minutes nan", "above 0"),
    ],
)
def test_what_it_cannot_do_is_refused(words, said):
    refused = CliRunner().invoke(commands, ["soak", "--live", *words.split()])
    assert isinstance(refused.exception, InputError)
    assert said in str(refused.exception)


def test_a_folder_that_holds_something_is_refused(tmp_path, own_lsl):
    (tmp_path / "old.hea").touch()
    with pytest.raises(InputError, match="not empty"):
        soak(LiveSoakSettings(1.0, record=tmp_path))
