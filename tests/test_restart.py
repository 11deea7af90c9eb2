"""An engine that dies or hangs is started again, and every sink has a gap of the true length."""

import json
import os
import random
import signal
import time
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from job_tools import job_of
from lsl_outlets import Device, running

from engine.messages import Gap
from engine.run import supervised
from engine.run.failure import EngineFailure
from engine.run.known import Standing
from engine.run.protocol import Resume, Setup, Started, StartedStream, Status
from engine.run.session import Session
from engine.run.supervised import SupervisedEngine
from gui.bridge import Bridge, Life
from streamer.chunk import Chunk, StreamInfo
from streamer.errors import InputError
from streamer.go_on import go_on
from streamer.lsl.settings import LslSettings
from streamer.open_source import open_signal, open_source
from streamer.records.record import read_record
from streamer.settings import SourceSettings
from streamer.several import side_by_side

PATIENT = SourceSettings(noise="none")


def endless(*sources, **settings):
    return job_of(*(sources or (PATIENT,)), model="identity", restart=True, **settings)


class Played:
    """An engine, and everything that it told."""

    def __init__(self, job):
        self.engine = SupervisedEngine(job)
        self.frames, self.outcome = [], None

    def __enter__(self):
        self.engine.wait_started()
        return self

    def __exit__(self, *error):
        self.engine.close()

    @property
    def statuses(self):
        return [frame for frame in self.frames if isinstance(frame, Status)]

    def until(self, happened):
        ends = time.monotonic() + 120
        while not happened():
            assert time.monotonic() < ends
            self.outcome = self.engine.finished(0.02) or self.outcome
            self.frames += self.engine.frames()

    def until_recorded(self, frames=200):
        """Wait until a recording that has just begun holds some frames."""

        def held():
            status = [frame for frame in self.frames if isinstance(frame, Status)][-1:]
            return any(
                each.recording and Path(f"{each.recording}.stamps").stat().st_size > 8 * frames
                for each in status
            )

        self.until(held)

    def die(self, number=signal.SIGKILL):
        """Have the engine killed, or hang, and wait until another one plays."""
        before = len(self.engine.deaths)
        os.kill(self.engine.pid, number)
        self.until(lambda: len(self.engine.deaths) > before and not self.engine.restarting)
        self.frames.clear()

    def stop(self):
        self.engine.stop()
        self.until(lambda: self.outcome)
        return self.outcome.summary


def continued(folder, pattern="*.hea"):
    """The records of a run's stream in order, as one: raw of every lead in mV, and the stamps."""
    parts = sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime_ns)
    records = [read_record(part.with_suffix("")) for part in parts]
    for before, after in pairwise(parts):
        first = json.loads(after.with_suffix(".events.jsonl").read_text().splitlines()[0])
        assert first == {"sample": 0, "event": "continues", "record": before.stem}
    raw = np.concatenate([record.data for record in records], axis=1)
    stamps = np.concatenate([np.fromfile(part.with_suffix(".stamps"), "<f8") for part in parts])
    return raw, stamps


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hangs"])
def test_a_played_signal_goes_on_where_it_would_be(tmp_path, number):
    with Played(endless(save=tmp_path)) as played:
        played.until_recorded()
        played.die(number)
        played.until_recorded()
        summary = played.stop()
    (one,) = summary.streams
    assert summary.restarts == 1
    assert ("exit code -9" if number == signal.SIGKILL else "did not answer") in summary.deaths[0]
    assert not summary.failure
    assert summary.samples_in == summary.samples_out
    assert one.gaps == 1
    assert one.unaccounted == {}
    raw, stamps = continued(tmp_path)
    # Every index has a frame, each holds the sample of its index, and each sample was due at its time.
    assert raw.shape[1] == len(stamps) == one.samples_out + one.gap_samples
    missing = np.isnan(raw[0])
    assert missing.sum() == one.gap_samples > 0
    signal_read = open_signal(PATIENT).read(0, raw.shape[1]).data
    np.testing.assert_allclose(raw[0, ~missing], signal_read[0, ~missing], atol=0.0011)
    np.testing.assert_allclose(
        (stamps - stamps[0])[~missing], np.flatnonzero(~missing) / 360, atol=1e-6, rtol=0
    )


def test_an_engine_that_has_told_of_its_gap_alone_counts_it_once():
    """It was started again at 720, told so, and died before a sample of its own had left."""
    info = StreamInfo(360.0, ("II",), "bed", "bed")
    for speed in (1.0, 2.0):
        started = StartedStream(info, Setup(), SourceSettings(speed=speed))
        standing = Standing(started, Resume(next=360, stamp=10.0, samples=360))
        standing.take(Gap(info.source_id, 360, 720))
        resume = standing.resume(stood=False)
        assert (resume.next, resume.samples, resume.gap_samples) == (720, 360, 360)
        assert resume.stamp == 10.0 + 1.0 / speed


@pytest.mark.parametrize(
    "deaths", [1, pytest.param(10, marks=[pytest.mark.slow, pytest.mark.timeout(900)])], ids=str
)
def test_a_live_stream_goes_on_at_the_index_that_its_stamps_say(tmp_path, monkeypatch, deaths):
    monkeypatch.setattr(supervised, "MOST", deaths)
    moments = random.Random(15)
    # A sample says which it is, in µV.
    device = Device("bed", fs=360.0, channels=[("counter", "microvolts", "ECG")], frame=(0.0,))
    settings = SourceSettings(kind="lsl", lsl=LslSettings("bed"))
    with running(device), Played(endless(settings, save=tmp_path)) as played:
        for number in range(deaths):
            played.until_recorded()
            dies = time.monotonic() + moments.uniform(0, 1)
            played.until(lambda dies=dies: time.monotonic() > dies)
            played.die(signal.SIGSTOP if number % 5 == 4 else signal.SIGKILL)
        played.until_recorded()
        summary = played.stop()
    (one,) = summary.streams
    assert summary.restarts == deaths
    assert one.gaps == deaths
    assert one.unaccounted == {}
    raw, _ = continued(tmp_path)
    assert raw.shape[1] == one.samples_out + one.gap_samples
    missing = np.isnan(raw[0])
    assert missing.sum() == one.gap_samples > 0
    counted = 1000 * raw[0, ~missing]
    np.testing.assert_allclose(counted - counted[0], np.flatnonzero(~missing), atol=0.01)


@pytest.mark.parametrize("every", [False, True], ids=["named", "all"])
def test_several_live_streams_come_back_each_behind_its_own_gap(tmp_path, every):
    """One of them is away while the engine starts again, and joins later; another one is new then."""
    counter = [("counter", "microvolts", "ECG")]
    devices = {
        name: Device(name, source_id=f"{name}-id", fs=360.0, channels=counter, frame=(0.0,))
        for name in ("bed-1", "bed-2", "bed-3")
    }
    base = SourceSettings(kind="lsl", lsl=LslSettings(wait=True))
    settings = side_by_side(base, stream_names=None if every else "bed-1,bed-2,bed-3", every_stream=every)
    with ExitStack() as there:
        there.enter_context(running(devices["bed-1"]))
        (second,) = there.enter_context(running(devices["bed-2"]))
        played = there.enter_context(Played(endless(*settings, save=tmp_path, lsl_out="clean")))
        heard = set()

        def plays(*names):
            heard.update(each.stream for each in played.statuses if each.samples_out > 200)
            return heard >= {f"{name}/{name}-id" for name in names}

        played.until(lambda: plays("bed-1", "bed-2"))
        played.until_recorded()
        second.kill()
        second.join(10)
        played.die()
        heard.clear()
        there.enter_context(running(devices["bed-3"]))
        played.until(lambda: plays("bed-1", "bed-3"))
        there.enter_context(running(devices["bed-2"]))
        played.until(lambda: plays("bed-1", "bed-2", "bed-3"))
        summary = played.stop()
    streams = {one.source.removeprefix("LSL "): one for one in summary.streams}
    assert summary.restarts == 1
    assert summary.absent == []
    assert {name: one.gaps for name, one in streams.items()} == {"bed-1": 1, "bed-2": 1, "bed-3": 0}
    assert all(one.unaccounted == {} and not one.failure for one in streams.values())
    for name in ("bed-1", "bed-2"):
        raw, _ = continued(tmp_path, f"*{name}*.hea")
        missing = np.isnan(raw[0])
        assert missing.sum() == streams[name].gap_samples > 0
        if name == "bed-1":
            counted = 1000 * raw[0, ~missing]
            np.testing.assert_allclose(counted - counted[0], np.flatnonzero(~missing), atol=0.01)
    # Each is published by the name that it had.
    assert {one.lsl_out for one in streams.values()} == {"clean-1", "clean-2", "clean-3"}
    assert streams["bed-3"].lsl_out == "clean-3"


def test_one_of_several_that_does_not_come_back_is_summed_up_with_what_is_known(tmp_path):
    devices = [Device(name, source_id=name, fs=360.0) for name in ("bed-1", "bed-2")]
    settings = side_by_side(SourceSettings(kind="lsl"), stream_names="bed-1,bed-2")
    with running(devices[0]), running(devices[1]) as (second,), Played(endless(*settings)) as played:
        played.until(
            lambda: (
                {frame.stream for frame in played.frames if isinstance(frame, Status) and frame.samples_out}
                == {"bed-1/bed-1", "bed-2/bed-2"}
            )
        )
        second.kill()
        second.join(10)
        played.die()
        played.until(lambda: any(each.samples_out for each in played.statuses))
        summary = played.stop()
    back, away = summary.streams
    assert (back.source, back.gaps, back.failure) == ("LSL bed-1", 1, "")
    assert away.source == "LSL bed-2"
    assert away.samples_out > 0
    assert "did not come back" in away.failure
    assert [each.name for each in summary.absent] == ["bed-2"]
    assert summary.samples_out == back.samples_out + away.samples_out


def test_one_that_dies_again_and_again_is_left_dead(monkeypatch):
    monkeypatch.setattr(supervised, "MOST", 1)
    with Played(endless()) as played:
        played.die()
        played.until(lambda: any(isinstance(frame, Gap) for frame in played.frames))
        os.kill(played.engine.pid, signal.SIGKILL)
        with pytest.raises(EngineFailure, match="started again 1 times within 60 s") as raised:
            played.until(lambda: False)
    summary = raised.value.outcome.summary
    assert summary.restarts == 1
    assert "left dead" in summary.failure
    assert summary.gaps == 1
    assert summary.gap_samples > 0


def test_one_that_dies_before_it_plays_is_told_at_once():
    engine = SupervisedEngine(endless())
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineFailure, match="without a word"):
        engine.wait_started()
    engine.close()


def test_the_window_goes_on_behind_a_gap():
    bridge = Bridge(endless())
    lives, frames = [], []

    def until(happened):
        ends = time.monotonic() + 120
        while not happened():
            assert time.monotonic() < ends
            frames.extend(bridge.poll())
            lives.append(bridge.life)
            time.sleep(0.02)

    try:
        until(lambda: any(isinstance(frame, Status) and frame.next for frame in frames))
        bridge.pause(True)
        frames.clear()
        os.kill(bridge.pid, signal.SIGKILL)
        until(lambda: Life.RESTARTS in lives and bridge.life is Life.PLAYING)
        # What was held is held still; its own time has not gone on.
        bridge.pause(False)
        until(lambda: len([frame for frame in frames if isinstance(frame, Status) and frame.next]) > 2)
    finally:
        bridge.close()
    assert Life.RESTARTS.failed
    assert bridge.outcome.summary.restarts == 1
    assert bridge.outcome.summary.streams[0].unaccounted == {}


@pytest.mark.parametrize(
    ("settings", "said"), [({"speed": 0.0}, "--speed 0"), ({"faults": "gaps"}, "--faults")], ids=str
)
def test_what_cannot_go_on_is_refused(settings, said):
    with pytest.raises(InputError, match=said):
        endless(replace(PATIENT, **settings))


@pytest.mark.parametrize("speed", [0.5, 1.0, 20.0])
def test_a_player_goes_on_at_what_is_due(speed):
    player = open_source(replace(PATIENT, speed=speed))
    fs = player.info.fs
    left_s = 100.0
    stop = round(left_s * fs)
    stamp = time.perf_counter() - 5.0
    first = next(iter(go_on(player, stop, stamp).chunks()))
    # The sample before `stop` was taken at `stamp`; each later one so much later.
    position_s = (stop - 1) / fs + (first.source_time[0] - stamp) * speed
    assert first.start / fs == pytest.approx(position_s, abs=1e-6)
    assert first.start / fs >= left_s + 5.0 * speed - 1 / fs


@pytest.mark.parametrize("beds", [1, 2])
@pytest.mark.parametrize("fs", [360.0, 250.0])
def test_what_was_left_of_a_signal_that_ended_meanwhile_is_a_gap(tmp_path, fs, beds):
    """The engine died 2 s into a signal of 10 s, and the next one begins long after."""
    length, left = round(10 * fs), round(2 * fs)
    values = np.random.default_rng(0).normal(0, 0.3, length)
    sources, resume = [], []
    for number in range(1, beds + 1):
        path = tmp_path / f"bed-{number}.csv"
        np.savetxt(path, values, header="II", comments="")
        sources.append(SourceSettings(kind=f"file:rate={fs:g},unit=mV", record=str(path), noise="none"))
        info = open_source(sources[-1]).info
        stands = Resume(info.source_id, info.leads, number, left, time.perf_counter() - 100, left, left)
        resume.append(replace(stands, recorded="before", recorded_next=left))
    shown = []
    job = endless(*sources, resume=tuple(resume), save=tmp_path / "recorded")
    outcome = Session(job).run(show=shown.append)
    for one, stands in zip(outcome.summary.streams, resume, strict=True):
        gaps = [(each.start, each.stop) for each in shown if each.stream == stands.stream]
        assert gaps == [(left, length)]
        assert (one.samples_out, one.gaps, one.gap_samples) == (left, 1, length - left)
        assert one.unaccounted == {}
        recorded = read_record(Path(one.recording)).data
        assert recorded.shape == (1, length - left)
        assert np.isnan(recorded).all()


class Live:
    speed, health = 1.0, None

    def __init__(self, stamps):
        self.stamps = stamps
        self.info = StreamInfo(250.0, ("II",), "live", "live")

    def chunks(self):
        nothing = np.empty((1, 0), np.float32)
        yield Chunk("live", 0, nothing, np.empty(0), 0)
        yield Chunk("live", 0, np.zeros((1, len(self.stamps)), np.float32), self.stamps, 0)


def test_a_live_stream_goes_on_by_its_stamps():
    stamps = 1000.0 + np.arange(1, 6) / 250
    # 2 s later, and a little off, as clocks are.
    source = go_on(Live(stamps + 2.0 + 0.0005), 500, 1000.0)
    silent, first = source.chunks()
    assert silent.start <= first.start == 500 + 500
    # Never before what has left, whatever the stamps say.
    *_, first = go_on(Live(stamps - 50.0), 500, 1000.0).chunks()
    assert first.start == 500


def test_started_again_is_what_played():
    engine = SupervisedEngine(endless())
    try:
        (stream,) = engine.wait_started().streams
        for other in ({"leads": ("V1",)}, {"source_id": "another"}):
            with pytest.raises(EngineFailure, match="others now"):
                engine._goes_on(Started((replace(stream, info=replace(stream.info, **other)),)))
    finally:
        engine.close()
