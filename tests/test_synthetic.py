import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import synthetic
from streamer.errors import InputError
from streamer.noise import KINDS
from streamer.records.record import clean_reference
from streamer.synthetic import SyntheticPatient
from streamer.synthetic_noise import synthetic_tape

FS = 360
RHYTHMS = ("sinus", "afib", "pvc")
LIMB_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF")
HOUR = 3600 * FS


def beats(patient, seconds):
    """Sample and symbol of each beat from the first sample on."""
    marks = patient.read(0, round(seconds * patient.info.fs)).annotations
    return np.array([m.sample for m in marks]), np.array([m.symbol for m in marks])


def around(data, samples, before_s, after_s, fs=FS):
    """One lead cut around each sample that lies well inside, (beats, time)."""
    offsets = np.arange(round(-before_s * fs), round(after_s * fs) + 1)
    inside = samples[(samples >= fs) & (samples < data.size - fs)]
    return data[inside[:, None] + offsets]


# Any pieces, any place


@settings(max_examples=40, deadline=None)
@given(
    rhythm=st.sampled_from(RHYTHMS),
    fs=st.sampled_from([100.0, 128.0, 250.0, 360.0, 333.3]),
    start=st.integers(0, 24 * HOUR),
    pieces=st.lists(st.integers(0, 5000) | st.integers(0, 6), min_size=1, max_size=12),
)
def test_any_pieces_hold_the_same_samples_and_beats(rhythm, fs, start, pieces):
    wanted = {"rhythm": rhythm, "fs": fs, "leads": ("II", "V1")}
    whole = SyntheticPatient(**wanted).read(start, sum(pieces))
    patient = SyntheticPatient(**wanted)
    blocks = []
    for count in pieces:
        blocks.append(patient.read(start, count))
        assert blocks[-1].data.shape == (2, count)
        assert all(start <= mark.sample < start + count for mark in blocks[-1].annotations)
        start += count
    np.testing.assert_array_equal(np.concatenate([b.data for b in blocks], axis=1), whole.data)
    assert sum((b.annotations for b in blocks), ()) == whole.annotations


@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_random_access_equals_reading_in_order(rhythm):
    count = 60 * FS
    in_order = SyntheticPatient(rhythm=rhythm, seed=4).read(0, count)
    patient = SyntheticPatient(rhythm=rhythm, seed=4)
    patient.read(3 * HOUR, 4)
    for start in np.random.default_rng(0).integers(count - 1000, size=30).tolist():
        np.testing.assert_array_equal(patient.read(start, 1000).data, in_order.data[:, start : start + 1000])


def test_a_beat_is_marked_on_its_one_sample():
    patient = SyntheticPatient()
    for mark in patient.read(0, 30 * FS).annotations:
        assert patient.read(mark.sample, 1).annotations == (mark,)
        assert patient.read(mark.sample - 3, 3).annotations == ()
        assert patient.read(mark.sample + 1, 3).annotations == ()


@pytest.mark.parametrize("rhythm", RHYTHMS)
@pytest.mark.parametrize("heart_rate", [30, 70, 250])
def test_blocks_join_without_a_trace(rhythm, heart_rate, monkeypatch):
    """The signal does not depend on where it is cut into blocks: each knows its neighbours."""
    wanted = {"rhythm": rhythm, "heart_rate": heart_rate, "leads": ("II", "V5")}
    usual = SyntheticPatient(**wanted).read(0, 100 * FS)
    monkeypatch.setattr(synthetic, "BLOCK_S", 7.3)
    other = SyntheticPatient(**wanted).read(0, 100 * FS)
    np.testing.assert_allclose(usual.data, other.data, atol=1e-4)
    assert usual.annotations == other.annotations


def test_a_day_keeps_two_blocks_in_memory():
    patient = SyntheticPatient(fs=100)
    for start in range(0, 24 * 3600 * 100, 3600 * 100):
        patient.read(start, 3500)
        assert len(patient._blocks) <= synthetic.CACHED_BLOCKS
    held = {block.data.base is None and block.data.shape for block in patient._blocks.values()}
    assert held == {(1, round(synthetic.BLOCK_S * 100))}


def test_reading_to_the_end_of_a_block_makes_no_other():
    patient = SyntheticPatient()
    patient.read(0, round(synthetic.BLOCK_S * FS))
    assert set(patient._blocks) == {0}


def test_what_is_kept_cannot_be_spoilt():
    with pytest.raises(ValueError, match="read-only"):
        SyntheticPatient().read(0, 4).data[0, 0] = 1.0


def test_the_seed_alone_decides():
    def read(seed):
        return SyntheticPatient(rhythm="pvc", seed=seed).read(0, 30 * FS)

    np.testing.assert_array_equal(read(1).data, read(1).data)
    assert read(1).annotations == read(1).annotations
    assert np.corrcoef(read(1).data, read(2).data)[0, 1] < 0.9
    assert read(1).annotations != read(2).annotations


# The description


def test_description():
    patient = SyntheticPatient(heart_rate=72.5, fs=500, leads=("V1", "II"), seed=9)
    assert patient.length is None
    assert patient.info.source_id == "synthetic/sinus-72.5-9"
    assert patient.info.name == "synthetic sinus 72.5 bpm, seed 9"
    assert patient.info.leads == ("V1", "II")
    assert patient.info.fs == 500
    assert patient.info.has_reference
    assert patient.info.unit == "mV"
    assert patient.read(0, 7).data.dtype == np.float32


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rhythm": "flutter"}, "rhythm 'flutter' is unknown; allowed: sinus, afib, pvc"),
        ({"heart_rate": 29}, "heart rate must be 30 to 250 bpm, got 29"),
        ({"heart_rate": 251.0}, "heart rate must be 30 to 250 bpm, got 251.0"),
        ({"heart_rate": float("nan")}, "heart rate must be 30 to 250 bpm, got nan"),
        ({"fs": 0}, "sampling rate must be 100 to 10000 Hz, got 0"),
        ({"fs": float("inf")}, "sampling rate must be 100 to 10000 Hz, got inf"),
        ({"leads": ()}, r"leads \(none\) cannot be made; allowed, each once: I, II, V1"),
        ({"leads": ("II", "X9")}, "leads II, X9 cannot be made"),
        ({"leads": ("II", "II")}, "leads II, II cannot be made"),
        ({"seed": -1}, "seed must be a whole number ≥ 0, got -1"),
    ],
)
def test_bad_values_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        SyntheticPatient(**given)


# Rhythm


@pytest.mark.parametrize("rhythm", RHYTHMS)
@pytest.mark.parametrize("heart_rate", [40, 70, 120, 250])
@pytest.mark.parametrize("seed", [0, 1])
def test_heart_rate_is_what_was_asked_for(rhythm, heart_rate, seed):
    samples, _ = beats(SyntheticPatient(rhythm=rhythm, heart_rate=heart_rate, seed=seed), 60)
    # A minute holds a whole number of beats, give or take the one at its edge.
    assert samples.size == pytest.approx(heart_rate, rel=0.03, abs=1)
    rate = 60 * FS * (samples.size - 1) / (samples[-1] - samples[0])
    assert rate == pytest.approx(heart_rate, rel=0.03)


def test_sinus_intervals_have_the_two_peaks_of_the_model():
    total = low = high = 0.0
    # Lines of one peak beat for minutes: only the mean over patients has the ratio.
    for seed in range(12):
        samples, symbols = beats(SyntheticPatient(seed=seed), 400)
        assert set(symbols) == {"N"}
        intervals = np.diff(samples) / FS
        intervals -= intervals.mean()
        power = np.abs(np.fft.rfft(intervals * np.hanning(intervals.size))) ** 2
        frequency = np.fft.rfftfreq(intervals.size, 60 / 70)
        total += power.sum()
        low += power[(frequency > 0.06) & (frequency < 0.14)].sum()
        high += power[(frequency > 0.21) & (frequency < 0.29)].sum()
        assert intervals.std() * 70 / 60 == pytest.approx(0.04, rel=0.5)
    assert low + high > 0.98 * total
    assert low / high == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("seed", range(4))
def test_afib_is_irregular(seed):
    def intervals(rhythm):
        return np.diff(beats(SyntheticPatient(rhythm=rhythm, seed=seed), 300)[0]) / FS

    regular, irregular = intervals("sinus"), intervals("afib")
    assert irregular.std() > 4 * regular.std()
    # Irregularly so: an interval does not tell the next.
    assert abs(np.corrcoef(irregular[:-1], irregular[1:])[0, 1]) < 0.4
    assert irregular.min() > 0.2


@pytest.mark.parametrize("heart_rate", [40, 180, 250])
def test_afib_leaves_the_ventricles_time_to_recover(heart_rate):
    samples, _ = beats(SyntheticPatient(rhythm="afib", heart_rate=heart_rate, fs=1000), 600)
    assert np.diff(samples).min() >= 199


def test_ectopic_beats_are_early_wide_and_followed_by_a_full_pause():
    patient = SyntheticPatient(rhythm="pvc", heart_rate=70)
    data = patient.read(0, 600 * FS).data[0]
    samples, symbols = beats(patient, 600)
    ectopic = np.flatnonzero(symbols[1:-1] == "V") + 1
    assert 0.05 < ectopic.size / samples.size < 0.2
    assert np.diff(ectopic).min() > 1

    intervals = np.diff(samples) / FS
    usual = 60 / 70
    assert intervals[ectopic - 1].max() < 0.8 * usual
    assert intervals[ectopic].min() > 1.2 * usual
    np.testing.assert_allclose(intervals[ectopic - 1] + intervals[ectopic], 2 * usual, rtol=0.15)

    def width_s(symbol):
        qrs = around(data, samples[symbols == symbol], 0.15, 0.15).mean(axis=0)
        return np.count_nonzero(qrs > qrs.max() / 2) / FS

    assert width_s("N") < 0.05
    assert width_s("V") > 0.07


# Waves


@pytest.mark.parametrize("rhythm", RHYTHMS)
@pytest.mark.parametrize("heart_rate", [30, 70, 150, 250])
@pytest.mark.parametrize("fs", [250, 360, 1000])
def test_annotations_sit_on_the_r_peaks(rhythm, heart_rate, fs):
    patient = SyntheticPatient(rhythm=rhythm, heart_rate=heart_rate, fs=fs)
    data = patient.read(0, 40 * fs).data[0]
    samples, _ = beats(patient, 40)
    # No further than the nearest possible other beat.
    half = round(0.06 * fs)
    qrs = around(data, samples, 0.06, 0.06, fs)
    assert np.abs(qrs.argmax(axis=1) - half).max() <= 0.01 * fs
    # And there is no beat that is not annotated.
    tall = np.flatnonzero(data > 0.5 * np.median(qrs.max(axis=1)))
    assert np.abs(tall[:, None] - samples).min(axis=1).max() <= 0.06 * fs


@pytest.mark.parametrize("rhythm", RHYTHMS)
@pytest.mark.parametrize("heart_rate", [30, 70])
def test_between_qrs_complexes_the_signal_is_smooth(rhythm, heart_rate):
    patient = SyntheticPatient(rhythm=rhythm, heart_rate=heart_rate)
    data = patient.read(0, 120 * FS).data[0]
    quiet = np.ones(data.size, dtype=bool)
    for sample in beats(patient, 120)[0]:
        quiet[max(0, sample - FS // 6) : sample + FS // 3] = False
    bend = np.diff(data, 2)[quiet[1:-1]]
    assert bend.size > 10 * FS
    assert np.abs(bend).max() < 1e-3  # mV; a wave that is cut off would leave a step


def test_proportions_of_lead_ii():
    patient = SyntheticPatient(heart_rate=60, fs=1000)
    data = patient.read(0, 120_000).data[0]
    beat = around(data, beats(patient, 120)[0], 0.35, 0.6, 1000).mean(axis=0)
    at = np.arange(-350, 601)
    level = beat[(at > -340) & (at < -320)].mean()  # before P

    def wave(first_ms, last_ms, find):
        inside = np.flatnonzero((at >= first_ms) & (at <= last_ms))
        place = inside[find(beat[inside])]
        return at[place], beat[place] - level

    assert wave(-50, 50, np.argmax)[1] == pytest.approx(1.0, abs=0.15)
    place, height = wave(-300, -100, np.argmax)
    assert -230 < place < -150
    assert 0.08 < height < 0.25  # P
    assert -0.2 < wave(-70, -10, np.argmin)[1] < -0.03  # Q
    assert -0.4 < wave(10, 80, np.argmin)[1] < -0.1  # S
    place, height = wave(120, 500, np.argmax)
    assert 230 < place < 330
    assert 0.2 < height < 0.5  # T


def test_afib_has_fibrillation_instead_of_p_waves():
    def before_qrs(rhythm):
        patient = SyntheticPatient(rhythm=rhythm, heart_rate=60, seed=2)
        data = patient.read(0, 600 * FS).data[0]
        return around(data, beats(patient, 600)[0], 0.26, 0.11)[:, : round(0.14 * FS)]

    def height(window):
        return np.ptp(window.mean(axis=0))

    assert height(before_qrs("sinus")) > 0.1
    assert height(before_qrs("afib")) < 0.02
    # What single beats have there is not locked to the QRS.
    assert np.median(np.ptp(before_qrs("afib"), axis=1)) > 0.03


def test_limb_leads_obey_einthoven_and_goldberger():
    for rhythm in RHYTHMS:
        one, two, three, avr, avl, avf = (
            SyntheticPatient(rhythm=rhythm, leads=LIMB_LEADS).read(0, 20 * FS).data
        )
        np.testing.assert_allclose(one + three, two, atol=1e-5)
        np.testing.assert_allclose(avr + avl + avf, 0, atol=1e-5)
        assert np.ptp(two) > np.ptp(one) > 0.5


@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_the_signal_is_its_own_reference(rhythm):
    block = SyntheticPatient(rhythm=rhythm).read(0, 120 * FS)
    np.testing.assert_array_equal(block.reference, block.data)
    assert abs(block.data.mean()) < 1e-3
    again = clean_reference(block.data, FS)
    assert np.mean((again - block.data) ** 2) < 0.01 * np.var(block.data)


# Noise tapes


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("bw", 0.04, 0.55), ("em", 0.0, 11.0), ("ma", 18.0, 152.0)]
)
def test_noise_has_its_power_in_its_band(kind, low, high):
    tape = synthetic_tape(kind, FS, 0).astype(np.float64)
    power = np.abs(np.fft.rfft(tape - tape.mean(axis=1, keepdims=True))) ** 2
    frequency = np.fft.rfftfreq(tape.shape[1], 1 / FS)
    inside = (frequency >= low) & (frequency <= high)
    assert (power[:, inside].sum(axis=1) > 0.97 * power.sum(axis=1)).all()


def test_electrode_motion_reaches_into_the_qrs_band_and_has_steps():
    tape = synthetic_tape("em", FS, 0).astype(np.float64)
    frequency = np.fft.rfftfreq(tape.shape[1], 1 / FS)
    power = np.abs(np.fft.rfft(tape)) ** 2
    assert (power[:, (frequency > 2) & (frequency < 10)].sum(axis=1) > 0.05 * power.sum(axis=1)).all()
    # Steps recover slowly ...
    slow = (frequency > 0) & (frequency < 0.3)
    assert (power[:, slow].sum(axis=1) > 0.2 * power[:, 1:].sum(axis=1)).all()
    # ... but come at once: the size of the noise rises in leaps and falls in small steps.
    change = np.diff(np.abs(tape[:, :: FS // 20]))
    assert (np.mean(change**3, axis=1) > 0.3 * change.std(axis=1) ** 3).all()


def test_muscle_noise_comes_in_bursts():
    tape = synthetic_tape("ma", FS, 0)
    seconds = tape.reshape(2, -1, FS).std(axis=2)
    loud, quiet = np.percentile(seconds, [90, 10], axis=1)
    assert (loud > 3 * quiet).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fs", [100, 360, 1000])
def test_tape_is_a_usable_loop(kind, fs):
    tape = synthetic_tape(kind, fs, 3)
    assert tape.shape == (2, 300 * fs)
    assert tape.dtype == np.float32
    assert np.isfinite(tape).all()
    assert (tape.std(axis=1) > 0.03).all()
    assert abs(np.corrcoef(tape)[0, 1]) < 0.9
    # The step over the wrap, and its change of slope, are like any other.
    for order in (1, 2):
        inside = np.abs(np.diff(tape, order, axis=1))
        wrap = np.abs(np.diff(np.concatenate([tape[:, -2:], tape[:, :2]], axis=1), order, axis=1))
        assert (wrap.max(axis=1) <= np.quantile(inside, 0.999, axis=1)).all()


def test_tape_follows_from_kind_rate_and_seed():
    for kind in KINDS:
        np.testing.assert_array_equal(synthetic_tape(kind, 250, 1), synthetic_tape(kind, 250, 1))
        correlation = np.corrcoef(synthetic_tape(kind, 250, 1)[0], synthetic_tape(kind, 250, 2)[0])
        assert abs(correlation[0, 1]) < 0.5


def test_bad_tapes_are_refused():
    with pytest.raises(InputError, match="noise 'hum' is unknown; allowed: bw, em, ma"):
        synthetic_tape("hum", FS, 0)
    with pytest.raises(InputError, match="sampling rate must be 100 to 10000 Hz, got 50"):
        synthetic_tape("bw", 50, 0)
    with pytest.raises(InputError, match="seed must be a whole number"):
        synthetic_tape("bw", FS, -3)
