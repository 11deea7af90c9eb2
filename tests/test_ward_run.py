"""A ward with real engines: beds on several of them, one that is killed, streams that come."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from lsl_outlets import Device, running

from ecg_stream.command_line import main
from engine.run.protocol import CleanSettings, Job
from streamer.lsl.settings import LslSettings
from streamer.partition import worker_of
from streamer.settings import SourceSettings
from ward.report import as_json, table_of
from ward.workers import Ward, share_out

CLEAN = CleanSettings(model="butterworth", hop_ms=100.0)


@pytest.fixture(autouse=True)
def _ctrl_c():
    """Ctrl-C as in a command: the front door, once imported, leaves it to the system until it runs."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def playing(jobs, then):
    """Run a ward, and do something meanwhile from another thread; what the run comes to."""
    told = []
    ward = Ward(jobs, told.append)
    with ThreadPoolExecutor(1) as other:
        done = other.submit(then, ward)
        summary = ward.run()
        done.result()
    return ward, summary, told


def until(condition, timeout_s=120.0):
    ends = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


def kill(ward, worker):
    """End a worker as the system does when memory is short, once its beds play."""
    until(lambda: any(bed.worker == worker and bed.newest > 180 for bed in ward.beds.all))
    os.kill(ward._engines[worker].pid, signal.SIGKILL)


def test_a_worker_that_is_killed_costs_its_beds_a_gap_and_the_others_nothing():
    sources = tuple(SourceSettings(seed=seed) for seed in range(6))
    jobs = share_out(Job(sources, CLEAN, restart=True, ladder=False), 2)
    assert len(jobs) == 2

    def kill_and_stop(ward):
        kill(ward, 0)
        until(lambda: any(event.text == "is cleaned again" for event in ward.beds.events()))
        before = [bed.newest for bed in ward.beds.all]
        until(lambda: all(bed.newest > then + 180 for bed, then in zip(ward.beds.all, before, strict=True)))
        os.kill(os.getpid(), signal.SIGINT)

    ward, summary, _ = playing(jobs, kill_and_stop)
    assert len(ward.beds.all) == 6
    assert summary.failures == {}
    for number, worker in enumerate(summary.workers):
        assert worker.restarts == (1 if number == 0 else 0)
        assert len(worker.streams) == len(jobs[number].sources)
        for bed in worker.streams:
            assert bed.unaccounted == {}
            assert (bed.gap_samples > 0) is (number == 0)
    assert [event.text for event in ward.beds.events()].count("is cleaned again") >= len(jobs[0].sources)
    assert not any(bed.dead for bed in ward.beds.all)
    said = json.loads(json.dumps(as_json(summary), allow_nan=False))
    assert said["beds"] == 6
    assert said["total"]["samples_lost"] == 0
    assert table_of(summary).row_count == 3


def test_a_worker_that_fails_for_good_leaves_the_others_alone():
    sources = tuple(SourceSettings(seed=seed, seconds=20.0) for seed in range(4))
    jobs = share_out(Job(sources, CLEAN, ladder=False), 2)

    ward, summary, told = playing(jobs, lambda ward: kill(ward, 1))
    assert list(summary.failures) == [2]
    assert any(line.startswith("worker 2 has ended: ") for line in told)
    assert [bool(bed.dead) for bed in ward.beds.all] == [bed.worker == 1 for bed in ward.beds.all]
    assert all(bed.samples_out == 20 * 360 for bed in summary.workers[0].streams)


def test_every_stream_that_comes_goes_to_one_worker():
    names = ["bed-5", "bed-6", "bed-7", "bed-15"]
    assert {worker_of(f"{name}/{name}", 2) for name in names} == {0, 1}
    everything = SourceSettings(kind="lsl", lsl=LslSettings(every=True, wait=True, scale=1.0), seconds=None)
    jobs = share_out(Job((everything,), CLEAN, ladder=False), 2)

    def stop(ward):
        until(lambda: len(ward.beds.all) == 4 and all(bed.newest > 360 for bed in ward.beds.all))
        os.kill(os.getpid(), signal.SIGINT)

    devices = [Device(name, source_id=name, channels=[("II", "mV", "ECG")]) for name in names]
    with running(*devices):
        ward, summary, _ = playing(jobs, stop)
    whose = {bed.info.name.removeprefix("LSL "): bed.worker for bed in ward.beds.all}
    assert whose == {name: worker_of(f"{name}/{name}", 2) for name in names}
    for worker in summary.workers:
        for bed in worker.streams:
            assert bed.samples_in == bed.samples_out > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workers", "0"], "greater than or equal to 1"),
        (["--serve", "nowhere"], "is no address"),
        (["--token", "0123456789abcdef"], "--token is for the station"),
        (["--plot", "x.png"], "--plot draws single streams"),
    ],
)
def test_what_cannot_be_done_is_one_line(options, said, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["ecg-stream", "ward", "--patients", "2", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
