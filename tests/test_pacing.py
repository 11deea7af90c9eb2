"""Spikes of pacemakers: what is bridged before resampling, what stays, and the heart rates then."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from engine.in_process.stages import open_system
from engine.lab.evaluate.conformance.interference import pacing
from engine.lab.evaluate.conformance.judged import Shown, last_rate
from engine.lab.evaluate.conformance.run import through
from engine.lab.evaluate.conformance.waves import amplifier, ecg, every, nothing, put_pulses
from streamer.chunk import Chunk, StreamInfo
from streamer.pacing import STEP_MV, SpikeBridge
from streamer.records.find import find_record
from streamer.records.record import bridge_missing, read_record
from streamer.resample import Resampler, ratio, resample

OUT = 360.0
CHOSEN = (
    "-100 mV × 0.5 ms, no capture",
    "+700 mV × 0.1 ms, no capture",
    "+700 mV × 2 ms, no capture",
    "+700 mV × 2 ms, with capture",
    "+700 mV × 2 ms, overshoot 2 mV, no capture",
    "+700 mV × 2 ms, overshoot 2 mV, with capture",
)
every_rate = pytest.mark.parametrize("fs", [250, 500, 1000])


def resampled(leads, fs, *, without_spikes, cuts=()):
    """The leads, (leads, samples), cut into chunks and resampled."""
    edges = [0, *cuts, leads.shape[1]]
    chunks = [
        Chunk("s", start, leads[:, start:stop], np.arange(start, stop) / fs, 0)
        for start, stop in pairwise(edges)
    ]
    info = StreamInfo(fs, tuple(str(row) for row in range(len(leads))), "n", "s")
    return np.concatenate(
        [chunk.data for chunk in resample(chunks, info, OUT, without_spikes=without_spikes)], axis=1
    )


def paced(fs, height_mv=700.0, width_s=0.002, beats=()):
    """Two spikes a second and beats, as a device samples them; and the same without spikes."""
    fine = ecg(np.asarray(beats), 4.0) if len(beats) else nothing(4.0)
    without = amplifier(fine, fs)
    put_pulses(fine, height_mv, width_s, np.arange(0.75, 3.5, 0.503))
    return amplifier(fine, fs), without


@every_rate
@pytest.mark.parametrize(("height_mv", "width_s"), [(700.0, 0.002), (-100.0, 0.0005), (700.0, 0.0001)])
def test_a_spike_leaves_nothing_in_what_is_resampled(fs, height_mv, width_s):
    """But a thousandth of it: what an amplifier has not settled of by the end of a bridge."""
    lead, without = paced(fs, height_mv, width_s, every(60, 4.0))
    bridged, expected = (resampled(each[None], fs, without_spikes=True)[0] for each in (lead, without))
    assert np.abs(bridged - expected).max() < max(0.06, abs(height_mv) / 1000)
    assert np.abs(resampled(lead[None], fs, without_spikes=False)[0] - expected).max() > 5


@pytest.mark.parametrize("fs", [128, 250, 500, 1000, 2000])
def test_what_has_no_spike_is_resampled_as_ever(fs):
    """The tallest QRS that monitors are tested with, the narrowest, and steps that stay."""
    t = np.arange(round(8 * fs)) / fs
    lead = 5 * np.maximum(0, 1 - np.abs((t + 0.25) % 0.5 - 0.25) / 0.01)
    for step_mv in (0.0, 300.0, -300.0):
        leads = (lead + step_mv * (t > 4.1))[None].astype(np.float32)
        left = resampled(leads, fs, without_spikes=True)
        as_ever = resampled(leads, fs, without_spikes=False)
        # A step that stays cannot be told from a spike until a bridge's length of it has come.
        near = np.abs(np.arange(left.shape[1]) / OUT - 4.1) < Resampler(fs, OUT).delay_s + 1 / OUT
        np.testing.assert_array_equal(left[:, ~near], as_ever[:, ~near])
        if not step_mv:
            np.testing.assert_array_equal(left, as_ever)
        np.testing.assert_allclose(left, as_ever, atol=abs(step_mv) / 10)


@every_rate
@settings(max_examples=10, deadline=None)
@given(cuts=st.sets(st.integers(1, 999), max_size=40))
def test_any_cut_into_chunks_bridges_the_same(fs, cuts):
    leads = np.stack([each[: 4 * fs] for each in paced(fs)])
    whole = resampled(leads, fs, without_spikes=True)
    np.testing.assert_array_equal(resampled(leads, fs, without_spikes=True, cuts=sorted(cuts)), whole)


@every_rate
def test_what_comes_after_the_delay_of_the_resampler_changes_nothing(fs):
    lead, _ = paced(fs)
    whole = resampled(lead[None], fs, without_spikes=True)
    for stop in range(round(0.74 * fs), round(0.8 * fs)):
        later = lead.copy()
        later[stop:] = -400.0
        known = int((stop / fs - Resampler(fs, OUT).delay_s) * OUT)
        np.testing.assert_array_equal(
            resampled(later[None], fs, without_spikes=True)[:, :known], whole[:, :known]
        )


def test_what_is_missing_is_not_made_up():
    lead, _ = paced(500)
    spike = int(np.argmax(lead))
    lead[spike + 3] = np.nan
    left, as_ever = (resampled(lead[None], 500, without_spikes=each) for each in (True, False))
    np.testing.assert_array_equal(np.isnan(left), np.isnan(as_ever))


def test_more_than_a_spike_is_left_alone():
    bridge = SpikeBridge(1000)
    t = np.arange(400)
    hum = 300 * np.sin(2 * np.pi * t / 20) * (t >= 300)
    overload = np.where((t >= 300) & (t < 320), 300, 0)
    step = np.where(t >= 300, 10, 0)
    noisy = np.where(t == 300, 30, t % 2)
    early = np.where(t == 200, 30, 0)
    for stretch in (hum, overload, step, noisy, early):
        lead = stretch.astype(np.float32)
        np.testing.assert_array_equal(bridge.bridged(lead), lead)
    two = np.where((t == 300) | (t == 340), 100, 0).astype(np.float32)
    np.testing.assert_array_equal(bridge.bridged(two), 0)


@pytest.mark.parametrize("fs", [250, 500])
def test_the_worst_of_real_muscle_noise_is_resampled_as_ever(fs, physionet):
    """At the gain that beats of 2.6 mV at -6 dB have, its steps are as large as those of a spike."""
    noise = bridge_missing(read_record(physionet / "nstdb" / "ma").data)[:, 900 * 360 : 1040 * 360]
    leads = signal.resample_poly(23 * noise, *ratio(360, fs), axis=1).astype(np.float32)
    assert np.abs(np.diff(leads)).max() > 2 * STEP_MV
    left, as_ever = (resampled(leads, fs, without_spikes=each) for each in (True, False))
    np.testing.assert_array_equal(left, as_ever)


@pytest.mark.data
@every_rate
def test_twelve_real_leads_without_a_pacemaker_are_resampled_to_the_same_bytes(fs, physionet):
    for number in ("1", "8", "108"):
        record = read_record(find_record(number, "ludb", physionet))
        leads = signal.resample_poly(record.data, *ratio(record.fs, fs), axis=1).astype(np.float32)
        left, as_ever = (resampled(leads, fs, without_spikes=each, cuts=(700,)) for each in (True, False))
        assert left.tobytes() == as_ever.tobytes()


@pytest.fixture(scope="module")
def system():
    return open_system("lowdelay", None, 40.0, waits=True)


@pytest.mark.parametrize("fs", [250, 360, 500, 1000])
def test_pacing_has_a_heart_rate_with_capture_alone(fs, system):
    """Raw and cleaned, through every stage."""
    chosen = [one for one in pacing() if one.name.removeprefix("pacing ") in CHOSEN]
    assert len(chosen) == len(CHOSEN)
    raws = [amplifier(one.make(), fs) for one in chosen]
    for one, raw, (cleaned, _) in zip(chosen, raws, through(system, fs, raws), strict=True):
        rates = [last_rate(Shown(trace, raw, fs)) for trace in (raw, cleaned)]
        assert all(one.judges[0].passes(rate) for rate in rates), (one.name, rates)
