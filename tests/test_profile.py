"""A profiler that tells the truth: known costs on a known clock come out, and what was not seen does not."""

import json
import math
from collections import namedtuple
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from engine_tools import FS, Identity
from typer.testing import CliRunner

from ecg_stream import command_line
from engine.config import EngineConfig
from engine.lab.profile import hops as profile
from engine.lab.profile import machine
from engine.lab.profile import sweep as profile_sweep
from engine.lab.profile.hops import ProfileSettings
from engine.lab.profile.lane import Lane, make_chunks
from engine.lab.profile.report import at_most, compare, distribution, lateness, needed, supported
from models.registry import DEFAULT_NETWORK, load_card
from streamer.errors import InputError

MS = 1_000_000
HOP = 14
HOP_NS = 1e9 * HOP / FS


class FakeTime:
    """A clock that only calls and sleeps move."""

    def __init__(self):
        self.now = 10**9

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += round(1e9 * seconds)


class Costly(Identity):
    """Takes a known time for each row; `slow_every`-th calls take `slow_ns` longer."""

    def __init__(self, clock, row_ns, *, name="costly", slow_every=0, slow_ns=0, log=None):
        self._clock, self._row_ns, self.name = clock, row_ns, name
        self._slow_every, self._slow_ns = slow_every, slow_ns
        self.calls, self.seen, self.log, self.closed = 0, [], log, False

    def infer(self, batch):
        self.calls += 1
        self.seen.append(batch)
        if self.log is not None:
            self.log.append(self.name)
        self._clock.now += self._row_ns * len(batch)
        if self._slow_every and self.calls % self._slow_every == 0:
            self._clock.now += self._slow_ns
        return batch.copy()

    def close(self):
        self.closed = True


@pytest.fixture
def config():
    return EngineConfig(FS, 720, HOP, 108)


@pytest.fixture(scope="module")
def chunks():
    return make_chunks(load_card(DEFAULT_NETWORK))


def lane_of(backend, clock, config, chunks, **how):
    return Lane(backend, config, chunks, clock=clock, sleep=clock.sleep, **how)


# Figures


def test_percentiles_are_those_of_the_durations_and_only_those_that_can_be_known():
    durations = np.arange(1, 1001)[::-1] * 1000
    figures = distribution(durations)
    assert figures["p50"] == pytest.approx(500.5)
    assert figures["p99"] == pytest.approx(990.01)
    assert (figures["p99.9"], figures["p99.99"]) == (None, None)
    assert figures["max"] == 1000
    assert figures["tail"] == pytest.approx(1000 - 950.05)
    assert figures["flat"] == pytest.approx(900.1 - 100.9)
    assert figures["count"] == 1000


def test_a_percentile_needs_three_durations_beyond_it():
    assert [needed(p) for p in (50, 99, 99.9, 99.99)] == [6, 300, 3000, 30_000]
    assert supported(99.9, 3000)
    assert not supported(99.9, 2999)
    assert not supported(10, 29)  # as far from the middle as 90
    nothing = distribution(np.array([], np.int64))
    assert nothing.pop("count") == 0
    assert set(nothing.values()) == {None}


def test_what_the_rule_promises_holds():
    """With that many draws the largest lies beyond the percentile 19 times in 20, with fewer not."""
    draws = np.random.default_rng(0).random((4000, needed(99)))
    beyond = (draws.max(axis=1) > 0.99).mean()
    assert beyond == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(("seen", "trials"), [(0, 3000), (1, 3000), (7, 200), (0, 3_000_000)])
def test_the_bound_on_a_rate_is_the_one_that_would_be_missed_once_in_twenty(seen, trials):
    expected = at_most(seen, trials) * trials
    missed = sum(math.exp(-expected) * expected**k / math.factorial(k) for k in range(seen + 1))
    assert missed == pytest.approx(0.05)


def test_nothing_tried_bounds_nothing():
    assert at_most(0, 0) == 1
    assert at_most(0, 3000) == pytest.approx(3 / 3000, rel=0.01)


def test_a_hop_is_late_when_it_takes_longer_than_a_hop():
    figures = lateness(np.array([1, 39, 40, 41, 90]) * MS, 40 * MS)
    assert (figures["late"], figures["hops"]) == (2, 5)


def test_an_unknown_percentile_makes_an_unknown_ratio():
    rows = {"bare": 100, "call": 110, "overhead": 20, "hop": 130}
    few = {row: distribution(np.full(50, us * 1000)) for row, us in rows.items()}
    beside = compare(few)
    assert beside["overhead_percent"] == pytest.approx(20)
    assert beside["hop_p50"] == pytest.approx(1.3)
    assert beside["hop_p99"] is None
    many = {row: distribution(np.full(300, us * 1000)) for row, us in rows.items()}
    assert compare(many)["hop_p99"] == pytest.approx(1.3)


# Measuring


@pytest.mark.parametrize("paced", [False, True])
@pytest.mark.parametrize("streams", [1, 3])
def test_a_known_cost_is_what_is_measured(config, chunks, paced, streams):
    clock = FakeTime()
    backend = Costly(clock, 2 * MS)
    lane = lane_of(backend, clock, config, chunks, hops=40, streams=streams, paced=paced)
    lane.turn(25)
    lane.turn(15)
    took = lane.durations()
    cost = 2 * MS * streams
    for row, expected in {"bare": cost, "call": cost, "overhead": 0, "hop": cost}.items():
        np.testing.assert_array_equal(took[row], np.full(40, expected), row)
    # All streams were ready together: one call for all.
    assert {batch.shape for batch in backend.seen} == {(streams, 1, 720)}


def test_what_the_engine_does_beside_the_call_is_overhead(config, chunks):
    clock = FakeTime()

    def looked_at():
        clock.now += 100
        return clock.now

    lane = Lane(Costly(clock, 2 * MS), config, chunks, hops=20, clock=looked_at, sleep=clock.sleep)
    lane.turn(20)
    took = lane.durations()
    assert (took["call"] >= 2 * MS).all()
    # Each chunk, stage and note looks at the clock; what the feed looks is not the engine's.
    assert (took["overhead"] > 500).all()
    assert (took["overhead"] < 3000).all()


def test_the_bare_call_sees_the_windows_that_the_engine_saw(config, chunks):
    clock = FakeTime()
    backend = Costly(clock, MS)
    lane = lane_of(backend, clock, config, chunks, hops=30, streams=2)
    backend.seen.clear()
    lane.turn(30)
    assert len(backend.seen) == 60
    for engine, bare in zip(backend.seen[:30], backend.seen[30:], strict=True):
        np.testing.assert_array_equal(engine, bare)
    assert not np.array_equal(backend.seen[0], backend.seen[1])


def test_paced_hops_come_at_absolute_deadlines(config, chunks):
    clock = FakeTime()
    lane = lane_of(Costly(clock, 3 * MS), clock, config, chunks, hops=50, paced=True, baseline=False)
    begun = clock.now
    lane.turn(50)
    # 50 hops last 50 hops, however long the calls take: the last ends a call after its deadline.
    assert clock.now - begun == pytest.approx(50 * HOP_NS + 3 * MS, abs=1e9 * 4 / FS)
    lane.ledger.settle()
    assert lane.ledger.stages["compute"].percentile_ms(50) == pytest.approx(3, rel=0.011)
    assert lane.ledger.stages["hold"].percentile_ms(50) == pytest.approx(8 * HOP_NS / MS, rel=0.04)
    assert lane.ledger.stages["transport"].max_ms <= 1e3 * 4 / FS
    assert lane.ledger.deadline_misses == 0


def test_a_turn_of_somebody_else_is_no_delay(config, chunks):
    clock = FakeTime()
    lane = lane_of(Costly(clock, 3 * MS), clock, config, chunks, hops=100, paced=True, baseline=False)
    for _ in range(4):
        clock.now += 5_000 * MS
        lane.turn(25)
    lane.ledger.settle()
    assert lane.ledger.total.max_ms < 400
    assert lane.durations()["hop"].max() == 3 * MS


# Backends side by side


@pytest.fixture
def fakes(monkeypatch):
    """Two backends of known cost, one that cannot run and one that breaks when it is opened."""
    clock, log, opened = FakeTime(), [], {}

    def open_backend(name, card, threads):
        if name == "broken":
            raise InputError("the card has fallen out")
        opened[name] = Costly(clock, {"swift": 1, "slow": 15}[name] * MS, name=name, log=log)
        return opened[name]

    reasons = {"absent": "it is not installed"}
    monkeypatch.setattr(profile, "BACKENDS", ("auto", "swift", "absent", "broken", "slow"))
    monkeypatch.setattr(profile, "why_not", reasons.get)
    monkeypatch.setattr(profile, "open_backend", open_backend)
    for module in (profile, profile_sweep):
        monkeypatch.setattr(module, "measure_others", lambda: 0.0)
        monkeypatch.setattr(module, "choose_backend", lambda name, spec=None: name)
    monkeypatch.setattr(ProfileSettings, "clock", clock)
    return log, opened


def test_all_backends_take_turns_on_the_same_windows(fakes):
    log, opened = fakes
    shown = []
    found = profile.profile(
        ProfileSettings(DEFAULT_NETWORK, "all", hops=250, baseline=False), lambda *told: shown.append(told)
    ).figures
    assert found["refused"] == {"absent": "it is not installed", "broken": "the card has fallen out"}
    assert list(found["backends"]) == ["swift", "slow"]
    for name, ms in (("swift", 1), ("slow", 15)):
        us = found["backends"][name]["us"]
        assert us["call"]["p50"] == us["hop"]["p90"] == 1000 * ms
        assert us["hop"]["p99"] is None
        assert found["backends"][name]["lateness"] == {
            "late": 0, "hops": 250, "rate_at_most": pytest.approx(3 / 250, rel=0.01),
        }  # fmt: skip
        assert opened[name].closed
    assert found["backends"]["swift"]["beside_bare"] is None
    changes = [one for one, next_one in pairwise(log) if one != next_one]
    # Opening, warm-up, and then three turns each.
    assert changes == ["swift", "slow"] * 4 + ["swift"]
    for one, other in zip(opened["swift"].seen[2:], opened["slow"].seen[2:], strict=True):
        np.testing.assert_array_equal(one, other)
    assert ("swift", 100, 250) in shown
    assert shown[-1] == ("slow", 250, 250)


def test_no_backend_at_all_is_an_error_with_every_reason(fakes, monkeypatch):
    monkeypatch.setattr(profile, "BACKENDS", ("auto", "absent", "broken"))
    with pytest.raises(InputError, match=r"absent: it is not installed; broken: the card has fallen out"):
        profile.profile(ProfileSettings(DEFAULT_NETWORK, "all", hops=200))


# How many streams


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 7, 8, 20, 39])
@pytest.mark.parametrize("glance", [1, 1.7])
def test_the_search_finds_the_largest_number(limit, glance):
    tried = []

    def holds(streams):
        tried.append(streams)
        return streams <= limit

    assert profile_sweep.most(lambda streams: streams <= glance * limit, holds) == limit
    assert len(tried) == len(set(tried)) <= 7


def test_a_large_number_is_found_to_five_percent_and_the_search_ends():
    found = profile_sweep.most(lambda n: n <= 3000, lambda n: n <= 3000)
    assert 0.95 * 3000 <= found <= 3000
    assert 0.95 * profile.MOST_STREAMS <= profile_sweep.most(lambda n: True, lambda n: True) <= 4096


def sweep(backend, clock, config, chunks, rounds=3000):
    shown = []
    trials = profile_sweep.find_most(backend, config, chunks, rounds, lambda *told: shown.append(told), clock)
    return {trial["streams"]: trial for trial in trials}, shown


def test_a_known_cost_fits_a_known_number_of_times(config, chunks):
    clock = FakeTime()
    trials, shown = sweep(Costly(clock, 15 * MS), clock, config, chunks)
    assert {streams: trial["holds"] for streams, trial in trials.items()} == {2: True, 3: False}
    assert trials[2]["us"]["p99.9"] == 30_000
    assert trials[2]["rate_at_most"] == pytest.approx(1e-3, rel=0.01)
    # What fails is given up as soon as that is certain.
    assert trials[3]["hops"] < 20
    assert ("2 streams", 3000, 3000) in shown


def test_one_late_hop_in_thousands_is_more_than_one_in_a_million(config, chunks):
    clock = FakeTime()
    backend = Costly(clock, 30 * MS, slow_every=2500, slow_ns=20 * MS)
    trials, _ = sweep(backend, clock, config, chunks)
    assert list(trials) == [1]
    assert (trials[1]["late"], trials[1]["hops"], trials[1]["holds"]) == (1, 3000, False)
    assert trials[1]["us"]["p99.9"] < HOP_NS / 1e3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"backend": "all"}, "one backend"),
        ({"streams": 2}, "leave out --streams"),
        ({"paced": True}, "leave out --streams and --paced"),
        ({"hops": 2999}, "at least 3000 hops"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        profile_sweep.sweep(ProfileSettings(DEFAULT_NETWORK, **{"hops": 3000, **settings}))


# The machine


def test_others_are_what_the_machine_does_without_us(monkeypatch):
    times = namedtuple("times", "user system idle iowait steal guest guest_nice")
    own = namedtuple("own", "user system")
    looks = iter([times(10.0, 2, 50, 5, 1, 3, 0), times(13.0, 2.5, 51, 6, 1.5, 3, 0)])
    own_looks = iter([own(4.0, 1), own(5.0, 1.5)])
    seconds = iter([100.0, 102.0])
    monkeypatch.setattr(machine.psutil, "cpu_times", lambda: next(looks))
    process = SimpleNamespace(cpu_times=lambda: next(own_looks))
    monkeypatch.setattr(machine.psutil, "Process", lambda: process)
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(seconds))
    # Busy: 3 user + 0.5 system + 0.5 stolen; ours: 1.5; in 2 s.
    assert machine.Others().cores() == pytest.approx((4 - 1.5) / 2)


# The command


def command(*arguments):
    """A command in this process: what it came to, what it printed, and how it was refused."""
    return CliRunner().invoke(command_line.commands, ["profile", *map(str, arguments)])


def test_the_command_leaves_figures_and_a_picture(tmp_path, monkeypatch):
    ran = command(
        *("hops", "--hops", 300, "--backend", "onnx", "--streams", 2, "--threads", 1),
        *("--json", tmp_path / "p.json", "--plot", tmp_path / "p.png"),
    )
    assert ran.exit_code == 0, ran.output
    figures = json.loads((tmp_path / "p.json").read_text())
    assert (figures["cadence"], figures["streams"], figures["threads"]) == ("back to back", 2, 1)
    assert figures["hop_ms"] == pytest.approx(1000 * 16 / 360)
    described = figures["machine"]
    assert described["cpu"]
    assert described["cores"] > 0
    assert len(described["load_average"]) == 3
    assert "onnxruntime" in described["packages"]
    assert set(described["others_cores"]) == {"before", "during"}
    assert {"clock_mhz", "governor", "system", "python", "omp_num_threads"} <= set(described)
    onnx = figures["backends"]["onnx"]
    assert set(onnx["us"]) == {"bare", "call", "overhead", "hop"}
    for row in onnx["us"].values():
        assert 0 < row["p10"] <= row["p50"] <= row["p95"] <= row["p99"] <= row["max"]
        assert (row["p99.9"], row["p99.99"], row["count"]) == (None, None, 300)
    assert set(onnx["cold_ms"]) == {"open", "first_call", "second_call"}
    assert {"compute", "hold", "total"} <= set(onnx["ledger_ms"])
    assert set(figures["memory_growth"]) == {"resident_kib", "python_blocks"}
    assert "overhead is" in ran.output
    assert "p99.9 3000" in ran.output.replace("\n", " ")
    from matplotlib.image import imread

    picture = imread(tmp_path / "p.png")
    assert picture.shape[0] > 400
    assert picture.std() > 0.01


def test_the_command_leaves_the_trials_of_a_sweep(tmp_path, fakes):
    ran = command(
        *("sweep", "--backend", "slow", "--json", tmp_path / "s.json", "--plot", tmp_path / "s.png")
    )
    assert ran.exit_code == 0, ran.output
    figures = json.loads((tmp_path / "s.json").read_text())
    assert (figures["streams"], figures["backend"]) == (2, "slow")
    assert {trial["streams"] for trial in figures["trials"]} == {2, 3}
    assert figures["machine"]["others_cores"]["before"] == 0
    told = " ".join(ran.output.split())
    assert "streams held within a hop of 44.4 ms on 1 thread: 2." in told
    assert "at most 1.0e-03 of them do (95 %), which does not show that fewer than 1e-06 do" in told
    assert (tmp_path / "s.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hops", "--backend", "abacus"], "allowed: auto"),
        (["hops", "--plot", "p.gif"], "a picture ends in .png, .pdf, .svg"),
        (["sweep", "--plot", "p.gif"], "a picture ends in .png, .pdf, .svg"),
        (["hops", "--json", "nowhere/p.json"], "cannot write"),
        (["screen", "--json", "nowhere/p.json"], "cannot write"),
        (["hops", "--streams", "5000"], "streams must be 1 to 4096, got 5000"),
        (["hops", "--cpu-time", "--paced"], "leave out --paced"),
        (["hops", "--cpu-time", "--threads", "2"], "--threads above 1"),
        (["sweep", "--backend", "all"], "a sweep is of one backend"),
        (["sweep", "--hops", "500"], "at least 3000 hops a trial"),
        (["hops", "--hop", "0"], "hop of 0 ms is not possible; lowdelay takes multiples of 11.1 ms"),
    ],
)  # fmt: skip
def test_what_cannot_be_profiled_is_one_clear_line(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = command(*arguments)
    assert isinstance(ran.exception, InputError), ran.output
    assert words in str(ran.exception)
    assert "\n" not in str(ran.exception)
