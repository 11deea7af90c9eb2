import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import source
from streamer.chunk import Chunk, StreamInfo
from streamer.errors import InputError
from streamer.noise import NoiseMixer, NoiseSettings, power_ac
from streamer.open_source import open_signal, open_source, play
from streamer.records.record import WfdbRecord, clean_reference, read_record
from streamer.records.replay import RecordSignal
from streamer.settings import SourceSettings
from streamer.source import Player
from streamer.synthetic import SyntheticPatient

FS = 360
SAMPLES = 30 * FS


def record(name="r", leads=("MLII", "V5"), fs=360.0, missing=False):
    block = SyntheticPatient(leads=("II", "V5")[: len(leads)], fs=fs, seed=2).read(0, SAMPLES)
    drift = 0.4 * np.sin(np.arange(SAMPLES) / 700).astype(np.float32)
    data = block.data + drift
    if missing:
        data[0, 1000:1100] = np.nan
    return WfdbRecord(name, fs, leads, data, block.annotations)


SIGNALS = {
    "record": lambda: RecordSignal(record(), "db/r"),
    "looped record": lambda: RecordSignal(record(), "db/r", first=29 * FS, loop=True),
    "record without drift": lambda: RecordSignal(record(), "db/r", keep_drift=False),
    "record with missing samples": lambda: RecordSignal(record(missing=True), "db/r"),
    "record of one lead": lambda: RecordSignal(record(leads=("V5",), fs=250.0), "db/r", first=77),
    "sinus": lambda: SyntheticPatient(),
    "afib": lambda: SyntheticPatient(rhythm="afib", leads=("I", "II", "V1"), fs=500),
    "pvc": lambda: SyntheticPatient(rhythm="pvc", fs=128),
}
every_signal = pytest.mark.parametrize("name", SIGNALS)


def mixer(signal, weights=None, snr_db=0.0, span=SAMPLES):
    """Noise of a tape of 20 s, calibrated on the first samples of a signal."""
    tape = np.random.default_rng(0).standard_normal((2, 20 * FS)).astype(np.float32)
    power = power_ac(signal.read(0, span).reference)
    return NoiseMixer(NoiseSettings(weights or {}, snr_db), power, power_ac, lambda kind: tape, span)


def player(name="record", speed=0.0, stop=None, weights=None, **changes):
    signal = SIGNALS[name]()
    return Player(signal, mixer(signal, weights, **changes), speed, stop)


def joined(chunks, field="data"):
    return np.concatenate([getattr(chunk, field) for chunk in chunks], axis=-1)


# Every signal


@every_signal
@settings(max_examples=15, deadline=None)
@given(pieces=st.lists(st.integers(0, 4096) | st.integers(1, 5), min_size=1, max_size=8), data=st.data())
def test_any_pieces_of_a_signal_are_equal(name, pieces, data):
    signal = SIGNALS[name]()
    start = data.draw(st.integers(0, 5000))
    whole = signal.read(start, sum(pieces))
    blocks = []
    for count in pieces:
        blocks.append(signal.read(start, count))
        start += count
    np.testing.assert_array_equal(joined(blocks), whole.data)
    np.testing.assert_array_equal(joined(blocks, "reference"), whole.reference)
    assert sum((block.annotations for block in blocks), ()) == whole.annotations


@every_signal
def test_what_a_signal_returns(name):
    signal = SIGNALS[name]()
    block = signal.read(10, 1000)
    count = 1000 if signal.length is None else min(1000, signal.length - 10)
    for array in (block.data, block.reference):
        assert array.dtype == np.float32
        assert array.shape == (len(signal.info.leads), count)
    np.testing.assert_array_equal(np.isnan(block.data), np.isnan(block.reference))
    assert signal.info.has_reference
    assert all(10 <= mark.sample < 10 + count for mark in block.annotations)
    assert block.annotations


# The player


@every_signal
def test_chunks_are_consecutive_and_complete(name):
    played = player(name, stop=7 * FS + 3, weights={"em": 1.0})
    chunks = list(played.chunks())
    expected = min(7 * FS + 3, played._signal.length or 10**9)
    assert [chunk.start for chunk in chunks] == [0, *np.cumsum([c.data.shape[1] for c in chunks])[:-1]]
    assert chunks[-1].stop == expected
    reference = played._signal.read(0, expected)
    np.testing.assert_array_equal(joined(chunks, "reference"), reference.reference)
    assert sum((chunk.annotations for chunk in chunks), ()) == reference.annotations
    for chunk in chunks:
        assert chunk.stream == played.info.source_id
        assert chunk.data.dtype == chunk.reference.dtype == np.float32
        assert chunk.data.shape == chunk.reference.shape
        assert chunk.source_time.shape == chunk.data.shape[1:]
        assert chunk.source_time.dtype == np.float64
        assert all(chunk.start <= mark.sample < chunk.stop for mark in chunk.annotations)
    assert {chunk.data.shape[1] for chunk in chunks[:-1]} == {round(played.info.fs / 100)}


@pytest.mark.parametrize("stop", [1, 3, 4, 5, SAMPLES - 1, SAMPLES, SAMPLES + 1, None])
def test_it_stops_where_it_was_told_or_at_the_end(stop):
    assert list(player(stop=stop).chunks())[-1].stop == min(stop or SAMPLES, SAMPLES)


@every_signal
def test_without_noise_the_signal_is_played_as_it_is(name):
    played = player(name, stop=2 * FS)
    count = min(2 * FS, played._signal.length or 2 * FS)
    np.testing.assert_array_equal(joined(list(played.chunks())), played._signal.read(0, count).data)


def test_noise_is_added_to_the_data_and_not_to_the_reference():
    played = player(weights={"em": 1.0}, snr_db=3.0)
    chunks = list(played.chunks())
    block = played._signal.read(0, SAMPLES)
    np.testing.assert_array_equal(joined(chunks, "reference"), block.reference)
    added = (joined(chunks) - block.data).astype(float)
    snr_db = 10 * np.log10(block.reference.astype(float).var(axis=1) / added.var(axis=1))
    np.testing.assert_allclose(snr_db, 3.0, atol=1e-3)


def test_chunks_that_were_handed_out_do_not_change():
    played = player("looped record", stop=SAMPLES, weights={"em": 1.0})
    chunks, copies = [], []
    for chunk in played.chunks():
        if chunk.start == SAMPLES // 2:
            played.set_noise(NoiseSettings({"ma": 1.0}, -20.0))
        chunks.append(chunk)
        copies.append((chunk.data.copy(), chunk.reference.copy(), chunk.source_time.copy()))
    for chunk, (data, reference, source_time) in zip(chunks, copies, strict=True):
        np.testing.assert_array_equal(chunk.data, data)
        np.testing.assert_array_equal(chunk.reference, reference)
        np.testing.assert_array_equal(chunk.source_time, source_time)
    # Nor does writing on one reach another, or the reference.
    chunks[5].data[:] = 99.0
    np.testing.assert_array_equal(chunks[6].data, copies[6][0])
    np.testing.assert_array_equal(chunks[5].reference, copies[5][1])


def test_noise_can_be_changed_while_it_plays():
    played = player(stop=1000 * 4, weights={"em": 1.0}, snr_db=0.0)
    reference = joined(list(player(stop=4000, weights={"em": 1.0}).chunks()))
    signal = played._signal.read(0, 4000).data
    heard = []
    for chunk in played.chunks():
        heard.append(chunk)
        if chunk.stop == 2000:
            played.set_noise(NoiseSettings({"em": 1.0}, -20.0))
        if chunk.stop == 3000:
            played.set_noise(NoiseSettings({}, 0.0))
    noise, steady = joined(heard) - signal, reference - signal
    np.testing.assert_array_equal(noise[:, :2000], steady[:, :2000])
    np.testing.assert_allclose(noise[:, 2000:3000], 10 * steady[:, 2000:3000], atol=1e-4)
    assert not noise[:, 3000:].any()


def test_playing_twice_gives_the_same():
    played = player(weights={"em": 1.0}, stop=1000)
    np.testing.assert_array_equal(joined(list(played.chunks())), joined(list(played.chunks())))


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_a_speed_that_means_nothing_is_refused(speed):
    with pytest.raises(InputError, match=r"speed must be a number ≥ 0 \(0 is as fast as possible\), got"):
        player(speed=speed)


# Pace


class Clock:
    """Stands in for the module `time`: sleeping moves it on, and oversleeps as a real one does."""

    def __init__(self, oversleep=0.0):
        self.now, self.oversleep, self.sleeps = 5000.0, oversleep, []

    def perf_counter(self):
        return self.now

    def perf_counter_ns(self):
        return round(self.now * 1e9)

    def sleep(self, seconds):
        assert seconds > 0
        self.sleeps.append(seconds)
        self.now += seconds + self.oversleep


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(source, "time", clock)
    return clock


@pytest.mark.parametrize("speed", [0.5, 1.0, 50.0])
def test_a_chunk_comes_when_its_last_sample_is_due(clock, speed):
    for chunk in player(speed=speed, stop=10 * FS).chunks():
        due = 5000.0 + np.arange(chunk.start + 1, chunk.stop + 1) / (FS * speed)
        np.testing.assert_allclose(chunk.source_time, due, rtol=0, atol=1e-9)
        assert clock.now == pytest.approx(due[-1], abs=1e-9)
        assert chunk.arrived_ns == clock.perf_counter_ns()


def test_lateness_does_not_add_up(clock):
    """Each sleep takes 3 ms too long; an hour-long sum of them would be 18 minutes."""
    clock.oversleep = 0.003
    for chunk in player("sinus", speed=1.0, stop=60 * FS).chunks():
        assert 0 <= clock.now - chunk.source_time[-1] < 0.0031


def test_after_a_stall_it_catches_up(clock):
    played, late = player(speed=1.0, stop=10 * FS), []
    for chunk in played.chunks():
        late.append(clock.now - chunk.source_time[-1])
        if chunk.stop == 3 * FS:
            clock.now += 2.0
            clock.sleeps.clear()
        if chunk.stop == 5 * FS:
            assert clock.sleeps == []  # what is overdue comes at once
    assert late[round(3 * FS / 4)] == pytest.approx(2.0, abs=0.02)
    assert np.abs(late[round(5 * FS / 4) :]).max() < 1e-9
    assert chunk.stop == 10 * FS  # and none of it is left out


def test_as_fast_as_possible_never_sleeps(clock):
    for chunk in player(speed=0.0, stop=10 * FS).chunks():
        np.testing.assert_array_equal(chunk.source_time, clock.now)
        clock.now += 0.5
    assert clock.sleeps == []


@pytest.mark.parametrize("name", ["looped record", "pvc"])
def test_speed_changes_no_sample(clock, name):
    weights = {"em": 0.6, "bw": 0.4}
    slow, fast, at_once = (list(player(name, speed, 8 * FS, weights).chunks()) for speed in (1.0, 50.0, 0.0))
    for field in ("data", "reference"):
        np.testing.assert_array_equal(joined(slow, field), joined(at_once, field))
        np.testing.assert_array_equal(joined(fast, field), joined(at_once, field))
    for chunks in (slow, fast):
        assert [(c.start, c.annotations) for c in chunks] == [(c.start, c.annotations) for c in at_once]


# What the user asks for


def test_a_record_with_noise(made_physionet):
    played = open_source(
        SourceSettings(kind="replay", data_dir=made_physionet, noise="em", snr=-3.0, seconds=20, speed=0)
    )
    chunks = list(played.chunks())
    read = read_record(made_physionet / "mitdb" / "100")
    reference = clean_reference(read.data, read.fs)[:, : 20 * FS]
    assert played.info == StreamInfo(
        360.0, ("MLII", "V5"), "mitdb/100", "replay/mitdb/100", True, origin="record", length_s=60.0
    )
    np.testing.assert_array_equal(joined(chunks, "reference"), reference)
    added = (joined(chunks) - read.data[:, : 20 * FS]).astype(float)
    np.testing.assert_allclose(
        10 * np.log10(reference.astype(float).var(axis=1) / added.var(axis=1)), -3, atol=1e-3
    )
    beats = [m for m in read.annotations if m.sample < 20 * FS]
    assert sum((chunk.annotations for chunk in chunks), ()) == tuple(beats)


@pytest.mark.parametrize("definition", ["ac", "nst"])
@pytest.mark.parametrize("kind", ["replay", "synthetic"])
def test_noise_scales_with_the_definition(made_physionet, kind, definition):
    """nst takes the QRS for the signal, which is stronger than the ECG as a whole."""
    wanted = {"kind": kind, "data_dir": made_physionet, "noise": "ma", "seconds": 20, "speed": 0}
    played = open_source(SourceSettings(**wanted, snr_definition=definition))
    silent = open_source(SourceSettings(**{**wanted, "noise": "none"}))
    chunks = list(played.chunks())
    added = (joined(chunks) - joined(list(silent.chunks()))).astype(float)
    snr_db = 10 * np.log10(joined(chunks, "reference").astype(float).var(axis=1) / added.var(axis=1))
    if definition == "ac":
        np.testing.assert_allclose(snr_db, 0, atol=1e-3)
    else:
        assert (snr_db < -4).all()


def test_own_drift(made_physionet):
    def data(own_drift):
        settings = SourceSettings(kind="replay", data_dir=made_physionet, speed=0, own_drift=own_drift)
        chunks = list(open_source(settings).chunks())
        return joined(chunks), joined(chunks, "reference")

    removed, reference = data("remove")
    np.testing.assert_array_equal(removed, reference)
    kept, _ = data("keep")
    # The made record's drift has an amplitude of 0.3 mV.
    assert np.sqrt(2) * (kept - reference)[:, 5 * FS : -5 * FS].std() == pytest.approx(0.3, rel=0.05)


def test_start_seconds_and_leads(made_physionet):
    settings = SourceSettings(
        kind="replay", data_dir=made_physionet, start=10.5, seconds=2.25, leads=("V5",), speed=0
    )
    data = joined(list(open_source(settings).chunks()))
    read = read_record(made_physionet / "mitdb" / "100", ("V5",))
    np.testing.assert_array_equal(data, read.data[:, 3780 : 3780 + 810])


def test_seconds_beyond_the_end_play_to_the_end_or_around(made_physionet):
    def played(**more):
        settings = SourceSettings(kind="replay", data_dir=made_physionet, seconds=70, speed=0, **more)
        return list(open_source(settings).chunks())[-1].stop

    assert played() == 60 * FS
    assert played(loop=True) == 70 * FS


def test_the_synthetic_patient_is_what_comes_without_settings():
    played = open_source(SourceSettings(seconds=5, speed=0, noise="emb"))
    assert isinstance(open_signal(SourceSettings()), SyntheticPatient)
    assert played.info.leads == ("II",)
    assert list(played.chunks())[-1].stop == 5 * FS


def test_an_endless_signal_is_calibrated_on_its_first_minutes():
    signal = open_signal(SourceSettings())
    played = play(signal, SourceSettings(noise="em", snr=6.0))
    reference, noise = signal.read(0, 300 * FS).reference, played._noise.read(0, 300 * FS)
    assert 10 * np.log10(reference.astype(float).var() / noise.astype(float).var()) == pytest.approx(
        6, abs=1e-3
    )


def test_a_loop_that_begins_just_before_the_end(made_physionet):
    settings = SourceSettings(
        kind="replay", data_dir=made_physionet, start=59.99, loop=True, noise="ma", speed=0
    )
    chunk = next(open_source(settings).chunks())
    assert isinstance(chunk, Chunk)
    assert np.isfinite(chunk.data).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "radio"}, r"source 'radio' is unknown; allowed: synthetic \(a made patient\), replay \(a"),
        ({"seconds": 0.0}, "seconds must be a positive number, got 0.0"),
        ({"seconds": float("nan")}, "seconds must be a positive number, got nan"),
        ({"seconds": float("inf")}, "seconds must be a positive number, got inf"),
        ({"start": -1.0}, "start must be a number of seconds ≥ 0, got -1.0"),
        ({"start": float("inf")}, "start must be a number of seconds ≥ 0, got inf"),
        ({"own_drift": "maybe"}, "own drift 'maybe' is unknown; allowed: keep, remove"),
        ({"speed": -2.0}, "speed must be a number ≥ 0"),
        ({"noise": "hum"}, "noise 'hum' is not understood at 'hum'; allowed: none, bw"),
        ({"noise": "em", "snr": float("nan")}, "snr must be a finite number of dB, got nan"),
        ({"snr_definition": "rms"}, "snr definition 'rms' is unknown; allowed: ac"),
        ({"noise": "em", "noise_part": "half"}, "noise part 'half' is unknown; allowed: test, train"),
        ({"noise": "em", "seed": -1}, "seed must be a whole number ≥ 0, got -1"),
        ({"record": "999"}, r"no record '999' in .*mitdb; there are: 100 101 114"),
        ({"record": "../100"}, "there is no such file, and no record of that path"),
        ({"leads": ("V9",)}, "has no lead 'V9'; it has: MLII, V5"),
        ({"start": 60.0}, r"start 60 s lies outside record mitdb/100, which lasts 60 s"),
        ({"kind": "synthetic", "leads": ("MLII",)}, "leads MLII cannot be made"),
        ({"kind": "synthetic", "rhythm": "vf"}, "rhythm 'vf' is unknown"),
        ({"kind": "synthetic", "heart_rate": 500.0}, "heart rate must be 30 to 250 bpm"),
    ],
)
def test_what_cannot_be_played_is_refused(made_physionet, given, message):
    with pytest.raises(InputError, match=message):
        open_source(SourceSettings(**{"kind": "replay", "data_dir": made_physionet, **given}))


def test_no_folder_of_noise_is_told_as_such(made_physionet):
    settings = SourceSettings(kind="replay", data_dir=made_physionet / "mitdb", noise="em")
    with pytest.raises(InputError, match=r"no record 'em'"):
        open_source(settings)


@pytest.mark.parametrize("fs", [0.0, -1.0, float("nan"), float("inf")])
def test_a_stream_needs_a_rate(fs):
    with pytest.raises(ValueError, match="fs must be a positive rate in Hz"):
        StreamInfo(fs, ("I",), "n", "s")


def test_a_stream_needs_a_lead():
    with pytest.raises(ValueError, match="a stream needs at least one lead"):
        StreamInfo(360.0, (), "n", "s")


def test_a_run_of_weeks_opens_like_one_of_minutes():
    """Its noise is calibrated on a stretch, not on tens of gigabytes."""
    source = open_source(SourceSettings(noise="em", snr=3.0, seconds=30 * 86400.0, speed=0))
    chunks = [chunk for _, chunk in zip(range(2000), source.chunks(), strict=False)]
    raw, reference = (
        np.concatenate([getattr(c, name) for c in chunks], axis=1) for name in ("data", "reference")
    )
    assert 10 * np.log10(reference.var() / (raw - reference).var()) == pytest.approx(3.0, abs=4)
