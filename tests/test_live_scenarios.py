"""The bench of live scenarios, some of it: `make bench` runs all of them."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).with_name("two_hosts")))

import bench
import over_link
from hosts import why_not
from judge import Judge
from report import report
from scenario import KINDS, scenario

from engine.messages import Emitted, Gap

HARDEST = [
    ("lost", "retuned in the outage", "starved", "stalls"),
    ("lost", "ladder", "starved", "losses"),
    ("gone", "retuned", "starved", "stalls"),
    ("long", "plain", "idle", "jitter"),
    ("short", "retuned in the outage", "starved", "steady"),
]
"""Of every outage; the third was once placed by its late arrival, the last took long to recover."""


def test_there_are_two_hundred_scenarios_of_different_kinds():
    plans = [scenario(number, 360.0) for number in range(len(KINDS))]
    assert len({plan.name for plan in plans}) == len(plans) == 200
    assert scenario(7, 360.0) == scenario(7, 360.0)
    assert scenario(42, 360.0, seed=1).cut != scenario(42, 360.0, seed=2).cut
    assert Counter(plan.cut is None for plan in plans)[True] == 40
    for plan in plans:
        spans = [span for span in (plan.cut, *plan.held) if span]
        assert all(0 < begin < end < plan.seconds for begin, end in spans)


def test_simulated_scenarios_lose_move_and_change_nothing():
    rows = bench.in_simulation(0, 40.0, *map(KINDS.index, HARDEST))
    for row in rows:
        assert row["exact"], row
        assert row["out"] + row["gap_samples"] == row["sent"] > 20_000
        if row["outage"] != "gone":
            assert row["lost_on_the_way"] == 0, row
        assert row["recovery_s"] < 2.0, row
    assert rows[1]["steps_down"] > 0
    assert rows[1]["gaps"] > 0
    assert rows[1]["gap_samples"] == rows[1]["never_sent"]
    assert rows[2]["gaps"] == 1
    page = report({"simulated": rows, "simulated_when": "2026-11-27"})
    assert "Every one is exact" in page
    assert f"| {sum(row['sent'] for row in rows)} |" in page


def test_a_part_of_the_day_of_outages_loses_nothing():
    (row,) = bench.in_simulation(0, 0.3, worker="day_in_simulation.py")
    assert row["exact"], row
    assert row["outages"] > 0
    assert row["out"] == row["sent"] > 0.29 * 3600 * 360


@pytest.mark.skipif(why_not() is not None, reason=f"two hosts cannot be made here: {why_not()}")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "kind", [("lost", "retuned in the outage", "starved", "losses"), ("gone", "ladder", "idle", "bursts")]
)
def test_a_scenario_between_two_hosts_loses_nothing_that_was_sent(kind):
    row = over_link.play(scenario(KINDS.index(kind), over_link.FS, longest_s=8.0, quiet_s=4.0, after_s=12.0))
    assert row["exact"], row
    assert row["recovery_s"] is not None
    if kind[0] == "lost":
        assert row["lost_on_the_way"] == 0
    else:
        assert row["lost_on_the_way"] > 0


@pytest.mark.slow
@pytest.mark.skipif(why_not() is not None, reason=f"two hosts cannot be made here: {why_not()}")
@pytest.mark.timeout(4200)
def test_an_hour_at_real_speed_closes_its_account():
    row = over_link.soak(3600.0, seed=0)
    assert row["exact"], row


def test_samples_say_which_they_are_however_many_came_before():
    from engine.lab.soak import counting

    for number in (0, 1_256_000, 1_257_000, counting.WRAP - 1, counting.WRAP, 31_000_000):
        for kind in (np.int32, np.int64):
            (said,) = counting.numbers_of(counting.frames_of(np.array([number], kind)).T)
            assert said == number % counting.WRAP


def messages(*spans):
    """Messages of the device's samples, by first index and last; a span of three is moved by the third."""
    from engine.lab.soak import counting

    for begin, end, *moved in spans:
        raw = counting.frames_of(np.arange(begin, end) + (moved[0] if moved else 0)).T
        marks = np.zeros(raw.shape, np.uint8)
        yield Emitted(
            "far", begin, raw, raw, raw, None, marks, np.arange(begin, end) / 360, (), answer=None, added_ns=0
        )


def judged(*each):
    judge = Judge(0.1)
    for message in each:
        judge.take(message, 0.0)
    return judge


def test_the_judge_sees_a_sample_that_is_moved_lost_or_changed():
    first, second = messages((0, 100), (100, 200))
    assert judged(first, second).misplaced == judged(first, second).torn == 0
    (moved,) = messages((100, 200, 1))
    assert judged(first, moved).misplaced == 100
    assert judged(first, *messages((101, 200))).torn == 1
    behind = judged(first, Gap("far", 100, 110), *messages((110, 200)))
    assert (behind.misplaced, behind.torn, behind.gaps, behind.gap_samples) == (0, 0, 1, 10)
    too_long = judged(first, Gap("far", 100, 111), *messages((111, 200, -1)))
    assert too_long.misplaced == 89
    (changed,) = messages((100, 200))
    changed.cleaned = changed.raw.copy()
    changed.cleaned[0, 7] += 0.001
    assert judged(first, changed).changed == 1
