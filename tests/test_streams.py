"""Several streams at once: each is cleaned as if it were alone, and none disturbs another."""

import threading
import time

import numpy as np
import pytest
import wfdb
from engine_tools import Counted, Identity, assert_counted, indices, joined
from job_tools import job_of

import engine.run.newcomers
from engine.messages import Cleaned
from engine.run.process import EngineProcess
from engine.run.protocol import CleanSettings, Status
from engine.run.session import Session
from streamer.chunk import Chunk
from streamer.errors import InputError
from streamer.noise import NoiseSettings
from streamer.settings import SourceSettings
from streamer.several import open_sources, side_by_side


def job(count=3, **changes):
    fields = SourceSettings.__dataclass_fields__
    given = {name: changes.pop(name) for name in list(changes) if name in fields}
    base = SourceSettings(**{"noise": "em", "snr": 0.0, "seconds": 5.0, "speed": 0.0} | given)
    return job_of(*side_by_side(base, patients=count), **changes)


def run(wanted, **hooks):
    messages = []
    return Session(wanted).run(show=messages.append, **hooks), messages


class Silent(Counted):
    """Says nothing, until the run is stopped."""

    def chunks(self):
        while True:
            time.sleep(0.05)
            yield Chunk(self.info.name, 0, np.empty((1, 0), np.float32), np.empty(0), 0)


@pytest.fixture
def opened(monkeypatch):
    """A session of given sources and a network that returns its input."""

    def session(*sources):
        monkeypatch.setattr(engine.run.newcomers, "open_sources", lambda wanted, stopped: list(sources))
        monkeypatch.setattr("engine.run.prepare.open_reliable", lambda *how: Identity())
        return Session(job(len(sources)))

    return session


SEGMENTS = {
    "steady": [(0, 1440)],
    "short": [(0, 333)],
    "broken": [(0, 401), (450, 800), (1000, 1300)],
}


@pytest.mark.parametrize("speed", [0.0, 2.0])
def test_every_sample_of_every_stream_leaves_once_and_in_its_place(opened, speed):
    sources = [
        Counted(name, parts, speed=speed, size=3 + i) for i, (name, parts) in enumerate(SEGMENTS.items())
    ]
    messages = []
    summary = opened(*sources).run(show=messages.append).summary
    for name, segments in SEGMENTS.items():
        assert_counted(messages, name, segments)
    assert [one.source for one in summary.streams] == list(SEGMENTS)
    assert [one.samples_out for one in summary.streams] == [1440, 333, 1051]
    assert [one.gaps for one in summary.streams] == [0, 0, 2]
    totals = {
        name: getattr(summary, name)
        for name in ("samples_in", "samples_out", "samples_lost", "gaps", "gap_samples")
    }
    assert totals == {
        "samples_in": 2824, "samples_out": 2824, "samples_lost": 0, "gaps": 2, "gap_samples": 249,
    }  # fmt: skip


@pytest.mark.timeout(60)
def test_a_silent_stream_holds_up_nobody(opened):
    messages, idled = [], []
    heard = threading.Event()

    def show(message):
        messages.append(message)
        # The end of the steady one leaves when it ends, not when all have.
        if message.stop == 720:
            heard.set()

    session = opened(Silent("silent", []), Counted("steady", [(0, 720)]))
    summary = session.run(heard.is_set, show, lambda: idled.append(1)).summary
    assert idled
    silent, steady = summary.streams
    assert silent.samples_in == 0
    assert steady.samples_in == steady.samples_out == 720


def test_what_breaks_a_source_is_raised_and_leaves_no_thread(opened):
    session = opened(Counted("steady", [(0, 36_000)]), Counted("broken", [(0, 36)], fails=True))
    with pytest.raises(RuntimeError, match="the source broke"):
        session.run()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("source")]


def test_a_sink_that_breaks_ends_paused_sources_too():
    session = Session(job(seconds=None, speed=1.0))

    def show(message):
        session.pause(True)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        session.run(show=show)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("source")]


def by_stream(messages, name="cleaned"):
    streams = sorted({message.stream for message in messages})
    return {stream: joined(messages, name, stream) for stream in streams}


def test_each_stream_has_the_bytes_that_it_has_alone_whatever_the_speed():
    # Without the ladder: what a busy machine steps down to is another output.
    fast, again, real = (
        by_stream(run(job(seconds=2.0, speed=speed, ladder=False))[1]) for speed in (0.0, 0.0, 1.0)
    )
    assert len(fast) == 3
    for number, settings in enumerate(job(seconds=2.0).sources):
        ((name, alone),) = by_stream(run(job_of(settings))[1]).items()
        assert settings.seed == number
        for streams in (fast, again, real):
            np.testing.assert_array_equal(streams[name], alone)


def test_as_fast_as_possible_even_the_order_is_the_same_each_time():
    first, second = ([(m.stream, m.start) for m in run(job(seconds=1.5))[1]] for _ in range(2))
    assert first == second
    assert len({stream for stream, _ in first[:6]}) == 3


def test_streams_of_other_rates_play_beside_each_other(tmp_path):
    for name, fs in (("r250", 250), ("r360", 360), ("r500", 500)):
        data = np.sin(np.arange(4 * fs) / fs * 2 * np.pi * 3)[:, None]
        wfdb.wrsamp(
            name, fs, ["mV"], ["II"], data, fmt=["16"], adc_gain=[1000], baseline=[0], write_dir=str(tmp_path)
        )
    base = SourceSettings(kind="replay", data_dir=tmp_path, speed=0.0)
    outcome, messages = run(job_of(*side_by_side(base, records="r250,r360,r500")))
    assert [one.samples_out for one in outcome.summary.streams] == [1000, 1440, 2000]
    for raw, fs in zip(by_stream(messages, "raw").values(), (250, 360, 500), strict=True):
        expected = np.sin(np.arange(4 * fs) / fs * 2 * np.pi * 3)
        np.testing.assert_allclose(raw[0], expected, atol=0.001)


def test_every_command_is_for_every_stream(tmp_path):
    session = Session(job(seconds=6.0))
    done = []

    def show(message):
        if message.stop > 700 and not done:
            done.append(message)
            session.retune(CleanSettings("unet", "onnx", 100.0, 40.0))
            session.set_noise(NoiseSettings({"em": 1.0}, snr_db=40.0))
            session.record(tmp_path)

    messages = []
    outcome = session.run(show=lambda message: (messages.append(message), show(message)))
    assert outcome.summary.lookahead_ms == 100.0
    for one, stream in zip(outcome.summary.streams, session.streams, strict=True):
        assert one.samples_out == 2160
        assert one.noise_snr_db == 40.0
        record = wfdb.rdrecord(one.recording)
        assert 1200 < record.sig_len < 1500
        name = stream.info.source_id
        np.testing.assert_array_equal(indices(messages, name), np.arange(2160))
        noise = joined(messages, "raw", name) - joined(messages, "reference", name)
        assert noise[:, 900:].std() < 0.05 * noise[:, :700].std()
    assert len(list(tmp_path.glob("*.hea"))) == 3


def test_a_pause_holds_all_and_is_no_delay_of_the_engine():
    session = Session(job(2, seconds=2.0, speed=1.0))
    begun = time.perf_counter()
    paused = []

    def show(message):
        if message.stop > 200 and not paused:
            paused.append(message)
            session.pause(True)
            threading.Timer(0.8, session.pause, [False]).start()

    summary = session.run(show=show).summary
    assert time.perf_counter() - begun > 2.7
    for one in summary.streams:
        assert one.samples_out == 720
        assert one.gaps == 0


def test_the_engine_process_tells_streams_apart():
    with EngineProcess(job(seconds=4.0, speed=1.0)) as process:
        started = process.wait_started()
        names = [each.info.source_id for each in started.streams]
        assert len(set(names)) == 3
        frames, outcome, ends = [], None, time.monotonic() + 60
        while outcome is None and time.monotonic() < ends:
            outcome = process.finished(0.05)
            frames += process.frames()
    assert outcome is not None
    assert [one.samples_out for one in outcome.summary.streams] == [1440] * 3
    assert {frame.stream for frame in frames if isinstance(frame, Status)} == set(names)
    for name, stream in zip(names, outcome.streams, strict=True):
        shown = [frame for frame in frames if isinstance(frame, Cleaned) and frame.stream == name]
        assert sum(frame.raw.shape[1] for frame in shown) > 1000
        assert stream.traces[-1].stop == 1440
        assert stream.traces[-1].stream == name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"records": "100,103,100"}, "--record names 100 twice"),
        ({"records": "100,,103"}, "empty name"),
        ({"records": "100", "patients": 2}, "--patients makes synthetic patients"),
    ],
)
def test_lists_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        side_by_side(SourceSettings(kind="replay"), **options)


def test_one_bad_name_among_good_ones_is_a_clear_error(made_physionet):
    base = SourceSettings(kind="replay", data_dir=made_physionet)
    with pytest.raises(InputError, match="no record '999'"):
        open_sources(side_by_side(base, records="100,999,101"))


def test_a_stream_cannot_play_twice_nor_a_live_one_as_fast_as_possible(monkeypatch):
    twice = SourceSettings()
    with pytest.raises(InputError, match="synthetic sinus 70 bpm is named twice"):
        open_sources([twice, twice])
    with pytest.raises(InputError, match="which a live stream cannot"):
        open_sources([SourceSettings(speed=0.0), SourceSettings(seed=1)])
