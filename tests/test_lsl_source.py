"""The inlet against real outlets in child processes."""

import gc
import time
import weakref
from itertools import pairwise

import numpy as np
import pytest
from lsl_outlets import Device, running

from streamer.errors import InputError
from streamer.lsl.network import LslStream, Wanted, best_match
from streamer.lsl.settings import LslSettings
from streamer.lsl.source import LslSource
from streamer.noise import NoiseSettings
from streamer.watchdog import StreamState


def listen(source, enough, timeout_s=30.0):
    """Chunks until `enough` says so of what came so far."""
    chunks, deadline = [], time.monotonic() + timeout_s
    for chunk in source.chunks():
        chunks.append(chunk)
        if enough(chunks):
            return chunks
        assert time.monotonic() < deadline, f"waited in vain; {source.health}"
    return chunks


def samples(chunks):
    return np.concatenate([chunk.data for chunk in chunks], axis=1)


def seconds_of(count):
    return lambda chunks: sum(chunk.data.shape[1] for chunk in chunks) >= count


@pytest.mark.parametrize(
    ("unit", "frame", "options", "format"),
    [
        ("volts", 0.0015, {}, "double64"),
        ("mV", 1.5, {}, "float32"),
        ("microvolts", 1500, {}, "int32"),
        ("uV", 1500, {}, "float32"),
        ("counts", 300, {"scale": 0.005}, "int16"),
        ("", 0.0015, {"unit": "V"}, "float32"),
        ("mV", 1500, {"unit": "uV"}, "float32"),
    ],
)
def test_every_unit_arrives_in_millivolts(unit, frame, options, format):
    device = Device("units", channels=[("II", unit, "ECG")], frame=(frame,), format=format)
    with running(device):
        source = LslSource(LslSettings("units", **options))
        chunks = listen(source, seconds_of(100))
    np.testing.assert_allclose(samples(chunks), 1.5, rtol=1e-5)
    assert source.info.unit == "mV"
    assert source.info.leads == ("II",)


def test_leads_stamps_arrivals_and_indices():
    channels = [("I", "uV", "ECG"), ("counter", "samples", "counter"), ("V1", "mV", "ECG")]
    device = Device("three", fs=500, channels=channels, frame=(2000, 0, np.nan))
    with running(device):
        source = LslSource(LslSettings("three"))
        assert source.info.leads == ("I", "V1")
        assert source.info.fs == 500
        assert source.speed == 1
        chunks = listen(source, seconds_of(600))
    held = [chunk for chunk in chunks if chunk.data.shape[1]]
    data = samples(held)
    assert data.dtype == np.float32
    np.testing.assert_allclose(data[0], 2.0)
    assert np.isnan(data[1]).all()
    assert held[0].start == 0
    for before, after in pairwise(held):
        assert after.start == before.stop
    stamps = np.concatenate([chunk.source_time for chunk in held])
    np.testing.assert_allclose(np.diff(stamps), 1 / 500, atol=1e-6)
    delays = np.array([chunk.arrived_ns / 1e9 - chunk.source_time[-1] for chunk in held])
    # One machine, one monotonic clock: never before it was sampled, and soon after.
    assert (delays > 0).all()
    assert np.median(delays) < 0.1


def test_named_leads_and_scale_override_the_metadata():
    channels = [("I", "uV", "ECG"), ("aux", "", "other"), ("V1", "mV", "ECG")]
    with running(Device("named", channels=channels, frame=(1, 2, 3))):
        source = LslSource(LslSettings("named", scale=10.0), ("V1", "aux"))
        assert source.info.leads == ("V1", "aux")
        np.testing.assert_allclose(samples(listen(source, seconds_of(10)))[:, 0], [30, 20])


def test_an_eeg_amplifier_is_taken_with_a_word():
    with running(Device("amp", type="EEG", channels=[("ch", "uV", "EEG")])):
        source = LslSource(LslSettings())
        assert any("type is EEG" in note for note in source.info.notes)


def test_what_is_not_there_is_answered_with_what_is():
    with running(Device("here", source_id="serial-7")):
        with pytest.raises(InputError, match=r"'elsewhere' within 2 s; on the network: 'here' .*'serial-7'"):
            LslSource(LslSettings("elsewhere", timeout=2.0))
        with pytest.raises(InputError, match="source id 'serial-8'"):
            LslSource(LslSettings(source_id="serial-8", timeout=1.0))
        assert LslSource(LslSettings(source_id="serial-7")).info.name == "LSL here"
    with pytest.raises(InputError, match="no stream at all"):
        LslSource(LslSettings(timeout=0.5))


def test_two_of_one_name_must_be_told_apart():
    devices = (Device("twin", source_id="left", frame=(1,)), Device("twin", source_id="right", frame=(2,)))
    with running(*devices):
        with pytest.raises(
            InputError, match=r"2 LSL streams .*'left'.*'right'|2 LSL streams .*'right'.*'left'"
        ):
            LslSource(LslSettings("twin"))
        source = LslSource(LslSettings("twin", source_id="right"))
        np.testing.assert_allclose(samples(listen(source, seconds_of(10))), 2)


@pytest.mark.parametrize(
    ("device", "said"),
    [
        (Device("odd", fs=0), "no regular rate"),
        (Device("odd", fs=50), "50 Hz; allowed: 100 to 16384 Hz"),
        (Device("odd", fs=20000), "20000 Hz; allowed"),
        (Device("odd", fs=0, format="string"), "holds text"),
        (Device("odd", channels=[("II", "", "ECG")]), "state it with --unit"),
        (Device("odd", channels=[("arm", "uV", "EMG")]), "no ECG channel"),
    ],
)
def test_streams_that_cannot_be_cleaned_are_refused(device, said):
    with running(device), pytest.raises(InputError, match=said):
        LslSource(LslSettings("odd"))


@pytest.mark.parametrize("fs", [499.83, 1000.012, 2048])
def test_a_stated_rate_that_is_true_is_taken_as_it_is(fs):
    with running(Device("quartz", fs=fs)):
        source = LslSource(LslSettings("quartz"))
        # The metadata carry it to nine digits or so.
        assert source.info.fs == pytest.approx(fs, rel=1e-6)
        assert not any("time stamps say" in note for note in source.info.notes)


@pytest.mark.parametrize(("stated", "true"), [(256, 200), (250, 125), (250, 500)])
def test_a_stated_rate_that_is_wrong_is_found_before_the_first_sample(stated, true):
    with running(Device("liar", fs=stated, true_fs=true)):
        source = LslSource(LslSettings("liar"), seconds=3)
        assert source.info.fs == true
        assert any(f"states {stated} Hz, but its time stamps say {true} Hz" in n for n in source.info.notes)
        chunks = listen(source, lambda chunks: False)
    assert source.health.counts.gaps == 0
    assert sum(chunk.data.shape[1] for chunk in chunks) == 3 * true


def test_stamps_in_milliseconds_are_refused():
    with (
        running(Device("ms", stamp_scale=1000.0)),
        pytest.raises(InputError, match=r"advance as if it had 0\.25 Hz; stamps must be seconds"),
    ):
        LslSource(LslSettings("ms"))


@pytest.mark.parametrize(
    ("begin", "said"),
    [(time.time(), "Unix time"), (-500.0, "clock of their own"), (12.5, "clock of their own")],
    ids=["unix", "negative", "boot"],
)
def test_stamps_of_another_clock_leave_the_delay_unknown(begin, said):
    with running(Device("other", stamp_from_s=begin)):
        source = LslSource(LslSettings("other"), seconds=1)
        chunks = [chunk for chunk in listen(source, lambda chunks: False) if chunk.data.shape[1]]
    assert said in source.health.untimed
    assert "delay is unknown" in source.health.untimed
    assert all(np.isnan(chunk.source_time).all() for chunk in chunks)
    assert sum(chunk.data.shape[1] for chunk in chunks) == 250
    assert source.health.counts.gaps == 0


def test_waiting_ends_when_asked():
    asked = []

    def stopped():
        asked.append(True)
        return len(asked) > 5

    with pytest.raises(KeyboardInterrupt):
        LslSource(LslSettings("never", wait=True), stopped=stopped)


def test_a_live_stream_takes_no_noise():
    with running(Device("live")), pytest.raises(InputError, match="takes no noise"):
        LslSource(LslSettings("live")).set_noise(NoiseSettings({"em": 1.0}))


@pytest.fixture
def no_collector():
    """What refers to itself stays."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("source_id", ["Ann's strap", ""])
def test_a_device_that_dies_and_returns(source_id, no_collector):
    """LOST at once, the segment ended, and after the return all behind one gap of the true length."""
    device = Device("strap", channels=[("II", "mV", "ECG"), ("counter", "", "counter")], source_id=source_id)
    device.frame = (0.5, 0)
    with running(device) as (process,):
        source = LslSource(LslSettings("strap", wait=True, scale=1.0), ("II", "counter"))
        stream = source.chunks()
        before = [next(stream) for _ in range(50)]
        assert source.health.state is StreamState.LIVE
        connection = weakref.ref(source._inlet._inlet)
        process.kill()
        died = time.perf_counter()
        while source.health.state is not StreamState.LOST:
            before.append(next(stream))
            assert time.perf_counter() - died < 10
        lost = [next(stream) for _ in range(6)]
        assert any(chunk.ends_segment for chunk in lost)
        assert all(chunk.data.shape[1] == 0 for chunk in lost)
        with running(device):
            after = []
            while sum(chunk.data.shape[1] for chunk in after) < 250:
                after.append(next(stream))
                assert time.perf_counter() - died < 60, source.health
            assert source.health.state is StreamState.RECOVERED
        # An hour of a bad link would hold a hundred megabytes of those before.
        assert connection() is None
        stream.close()
    counts = source.health.counts
    assert counts.gaps == 1
    old = [chunk for chunk in before if chunk.data.shape[1]]
    new = [chunk for chunk in after if chunk.data.shape[1]]
    assert new[0].start - old[-1].stop == counts.gap_samples
    away_s = new[0].source_time[0] - old[-1].source_time[-1]
    assert counts.gap_samples == pytest.approx(250 * away_s, abs=2)
    for chunk in (*old, *new):
        assert (np.diff(chunk.data[1]) == 1).all()
    assert source.health.states["LOST"] == 1


def test_without_wait_a_loss_ends_the_source_after_its_timeout():
    with running(Device("gone")) as (process,):
        source = LslSource(LslSettings("gone", timeout=1.0))
        stream = source.chunks()
        for _ in range(20):
            next(stream)
        process.kill()
        assert sum(1 for _ in stream) < 100
    assert source.health.state is StreamState.LOST


def test_a_mad_clock_loses_nothing_over_a_thousand_pulls():
    channels = [("II", "mV", "ECG"), ("counter", "", "counter")]
    device = Device("mad", fs=1000, channels=channels, frame=(0.5, 0), stamp_error_s=0.05)
    with running(device):
        source = LslSource(LslSettings("mad", scale=1.0), ("II", "counter"))
        chunks = listen(source, lambda chunks: len(chunks) >= 1000, timeout_s=60)
    held = [chunk for chunk in chunks if chunk.data.shape[1]]
    counter = samples(held)[1]
    starts = np.array([chunk.start for chunk in held])
    assert (np.diff(starts) > 0).all()
    assert len(np.unique(counter)) == len(counter)
    counts = source.health.counts
    missing = counter.max() - counter.min() + 1 - len(counter)
    assert 0 <= missing <= counts.late + counts.duplicates


def stream(name, kind, source_id="x", text=False):
    return LslStream(name, kind, 250, 1, source_id, name + source_id, "host", text, None)


def test_ecg_is_preferred_and_markers_are_not_meant():
    ecg, eeg, markers = stream("a", "ECG"), stream("b", "EEG"), stream("a", "Markers", text=True)
    assert best_match(Wanted(), [eeg, markers, ecg]) == [ecg]
    assert best_match(Wanted(), [eeg, markers]) == [eeg]
    assert best_match(Wanted(), [markers]) == []
    assert best_match(Wanted(name="a"), [markers, ecg]) == [ecg]
    assert best_match(Wanted(name="a"), [markers]) == [markers]
    assert best_match(Wanted(type="ecg"), [eeg, ecg]) == [ecg]
