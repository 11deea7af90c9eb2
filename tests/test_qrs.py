"""Beats on a screen: found where there is a heart, at every rate and sampling rate, and nowhere else."""

import numpy as np
import pytest

from engine.lab.evaluate.conformance.arrhythmias import wide_tachycardia
from engine.lab.evaluate.conformance.waves import amplifier, qrs_train
from gui.vitals import disagree
from streamer.heart_rate import SILENT_S, heart_rate, silence_s
from streamer.noise import KINDS
from streamer.qrs import find_qrs
from streamer.records.find import find_record
from streamer.records.record import read_record
from streamer.synthetic import SyntheticPatient
from streamer.synthetic_noise import synthetic_tape

FS = 360.0
WINDOW_S = 10.0


def times(fs=FS):
    return np.arange(0, WINDOW_S, 1 / fs)


def waves(at_s, height_mv, sigma_s, fs=FS):
    """Bells at given times, mV."""
    t = times(fs)[:, None]
    return (height_mv * np.exp(-0.5 * ((t - np.asarray(at_s)) / sigma_s) ** 2)).sum(axis=1)


def every(interval_s):
    return np.arange(0.3, WINDOW_S, interval_s)


def rate(trace, fs=FS):
    trace = np.asarray(trace, np.float32)
    return heart_rate(find_qrs(trace, fs), trace, fs)


@pytest.mark.parametrize("fs", [125, 250, 360, 500, 1000])
@pytest.mark.parametrize("height_mv", [0.5, 0.8, 2.0, 5.0])
@pytest.mark.parametrize(
    ("sigma_s", "bpm"), [(0.012, 30), (0.012, 240), (0.03, 75), (0.03, 180), (0.04, 120)]
)
def test_narrow_and_broad_complexes_are_counted_at_every_sampling_rate(fs, height_mv, sigma_s, bpm):
    """A broad QRS of middle voltage was not: 0 of 37 beats of 0.5 mV with σ 30 ms at 360 Hz."""
    noise = 0.003 * np.random.default_rng(0).standard_normal(len(times(fs)))
    found = rate(waves(every(60 / bpm), height_mv, sigma_s, fs) + noise, fs)
    assert found == pytest.approx(bpm, rel=0.01)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("level_mv", [0.002, 0.01, 0.02, 0.1, 0.5])
def test_noise_alone_has_no_heart_rate(seed, level_mv):
    assert rate(level_mv * np.random.default_rng(seed).standard_normal(len(times()))) is None


@pytest.mark.parametrize("kind", KINDS)
def test_made_drift_and_muscle_noise_alone_have_no_heart_rate(kind):
    tape = synthetic_tape(kind, FS, 1)[0]
    size = round(WINDOW_S * FS)
    shown = [rate(0.3 * tape[at : at + size]) is not None for at in range(0, size * 20, size)]
    assert not any(shown)


@pytest.mark.parametrize("bpm", [180, 206, 230, 250])
@pytest.mark.parametrize("height_mv", [1.0, 2.0])
def test_ventricular_tachycardia_has_a_heart_rate(height_mv, bpm):
    """Wide complexes without a quiet moment between them: from 206 bpm on nothing was said."""
    beats = every(60 / bpm)
    trace = waves(beats, 0.65 * height_mv, 0.034) - waves(beats + 0.11, 0.35 * height_mv, 0.04)
    noise = 0.003 * np.random.default_rng(0).standard_normal(len(times()))
    assert rate(trace + noise) == pytest.approx(bpm, rel=0.02)


@pytest.mark.parametrize("fs", [250, 360, 500, 1000])
def test_tachycardia_of_low_voltage_has_a_rate_and_what_is_too_low_to_count_has_none(fs):
    """As an amplifier samples them: the flanks of the one are hardly steeper than those of the other."""
    low = amplifier(wide_tachycardia(206.0, 0.5, WINDOW_S), fs)
    assert rate(low, fs) == pytest.approx(206, rel=0.01)
    for bpm in (150, 200, 300):
        for width_s in (0.02, 0.04, 0.07):
            assert rate(amplifier(qrs_train(bpm, WINDOW_S, 0.15, width_s), fs), fs) is None


@pytest.mark.parametrize("height_mv", [0.2, 1.0, 4.0])
def test_a_swinging_lead_has_no_heart_rate(height_mv):
    """Trembling, and what cables do: sines from 2 to 12 Hz."""
    noise = 0.002 * np.random.default_rng(0).standard_normal(len(times()))
    for hertz in np.arange(2, 12, 0.7):
        assert rate(height_mv * np.sin(2 * np.pi * hertz * times()) + noise) is None


def test_p_waves_alone_have_no_heart_rate():
    noise = 0.005 * np.random.default_rng(0).standard_normal(len(times()))
    for height_mv in (0.1, 0.15, 0.2):
        assert rate(waves(every(0.8), height_mv, 0.025) + noise) is None


@pytest.mark.parametrize("width_s", [0.0005, 0.001, 0.002])
def test_pacing_without_capture_has_no_heart_rate(width_s):
    """Pulses as an amplifier of 4 kHz would hand them on: averaged over its sample."""
    fine = 16
    t = np.arange(0, WINDOW_S, 1 / (FS * fine))
    pulses = sum(5.0 * ((t >= at) & (t < at + width_s)) for at in every(60 / 70))
    trace = pulses.reshape(-1, fine).mean(axis=1) + 0.005 * np.random.default_rng(0).standard_normal(3600)
    assert rate(trace) is None


def test_pacing_with_capture_is_counted_once():
    pulses = sum(3.0 * ((times() >= at) & (times() < at + 0.002)) for at in every(60 / 70))
    captured = pulses + waves(every(60 / 70) + 0.06, 1.2, 0.03)
    assert rate(captured) == pytest.approx(70, rel=0.01)


def test_asystole_takes_the_heart_rate_away_and_is_said():
    """Within 4 s of the last beat, on noise of 5 µV and drift."""
    rng = np.random.default_rng(0)
    for passed_s in np.arange(0.5, 9, 0.5):
        beats = every(0.8)
        trace = waves(beats[beats < WINDOW_S - passed_s], 1.0, 0.012)
        trace += 0.1 * np.sin(2 * np.pi * 0.3 * times()) + 0.005 * rng.standard_normal(len(times()))
        found = find_qrs(trace.astype(np.float32), FS)
        silent = silence_s(found, trace, FS)
        assert (rate(trace) is None) == (silent > SILENT_S)
        assert silent > SILENT_S or passed_s < 4


def test_every_second_beat_ventricular_counts_every_beat():
    """Bigeminy: broad and taller in turn with normal ones; half the rate was shown."""
    normal = np.arange(0.5, WINDOW_S, 1.35)
    trace = waves(normal, 1.0, 0.012) + waves(normal + 0.5, -1.8, 0.04)
    assert rate(trace) == pytest.approx(2 * 60 / 1.35, rel=0.06)


@pytest.mark.parametrize("height_mv", [0.3, 0.6, 0.8])
def test_tall_t_waves_are_no_beats(height_mv):
    trace = waves(every(0.8), 1.0, 0.012) + waves(every(0.8) + 0.3, height_mv, 0.06)
    assert rate(trace) == pytest.approx(75, rel=0.01)


def test_scattered_losses_leave_a_heart_rate_and_a_long_one_only_its_own_interval():
    trace = SyntheticPatient(heart_rate=75).read(0, 3600).data[0].copy()
    scattered = trace.copy()
    scattered[np.random.default_rng(0).random(3600) < 0.02] = np.nan
    assert rate(scattered) == pytest.approx(rate(trace), rel=0.02)
    trace[3400:3440] = np.nan
    assert rate(trace) == pytest.approx(75, rel=0.06)


def test_a_first_rate_comes_with_the_second_beat():
    trace = waves([0.3, 1.1], 1.0, 0.012)[: round(2 * FS)]
    assert rate(trace) == pytest.approx(75, rel=0.02)


@pytest.mark.parametrize("samples", [0, 10, 359, 720, 721])
def test_anything_short_is_survived(samples):
    rng = np.random.default_rng(0)
    assert find_qrs(rng.standard_normal(samples).astype(np.float32), FS).ndim == 1
    assert find_qrs(np.full(samples, np.nan, np.float32), FS).size == 0


@pytest.mark.data
@pytest.mark.parametrize(("record", "most"), [("201", 14), ("228", 14)])
def test_few_windows_of_real_bigeminy_and_pvcs_have_a_wrong_rate(record, most, physionet):
    """Of 90 windows of ten seconds; thresholds from the window alone had 21 and 25 of them wrong."""
    played = read_record(find_record(record, "mitdb", physionet))
    size, wrong = round(WINDOW_S * FS), 0
    for start in range(0, played.data.shape[1] - size, 2 * size):
        trace = played.data[0, start : start + size]
        beats = played.beats[(played.beats >= start) & (played.beats < start + size)] - start
        shown, true = rate(trace), heart_rate(beats, trace, FS)
        wrong += shown is not None and true is not None and disagree(shown, true)
    assert wrong <= most
