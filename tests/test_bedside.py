"""What a network that keeps state learns from: patients, noise, and how they are mixed."""

import numpy as np
import pytest
import torch
from training_tools import CLOSED, GRADES, KEPT_BACK, TRAINING, write_patients

from models.training.bedside import (
    BURST_SHARE,
    CLEAN_SHARE,
    MIX_SHARE,
    NOISE_SHARES,
    ROW,
    SNR_RANGE_DB,
    Pool,
    bedside_batch,
    made_tapes,
)
from models.training.patients import (
    NOISE_FOLDERS,
    TARGET_FOLDERS,
    load_noise,
    load_rows,
    patients_folder,
    trains,
)
from streamer.errors import InputError

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine

WINDOW = 2160


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_record):
    return write_patients(tmp_path_factory.mktemp("patients"), write_record)


def pool(rows=6, drift=0.0):
    """Noise as a signal, so that its power is that of any stretch; each row's partner is ten times it."""
    g = torch.Generator().manual_seed(0)
    single = torch.randn((rows, ROW), generator=g)
    clean = torch.cat([single, 10 * single])
    partner = torch.cat([torch.arange(rows) + rows, torch.arange(rows)])
    tapes = {kind: torch.randn((2, 20_000), generator=g) for kind in NOISE_SHARES}
    return Pool(clean + drift, clean, partner, torch.ones(2 * rows), tapes)


def batch(count=400, seed=0, **options):
    noisy, clean = bedside_batch(pool(**options), count, WINDOW, torch.Generator().manual_seed(seed))
    return noisy[:, 0].double(), clean[:, 0].double()


# How they are mixed


def test_a_batch_has_its_shape_and_follows_from_its_generator():
    one, again, other = (batch(4, seed) for seed in (1, 1, 2))
    for first, second, third in zip(one, again, other, strict=True):
        assert first.shape == (4, WINDOW)
        assert torch.isfinite(first).all()
        assert first.equal(second)
        assert not first.equal(third)


def test_the_noise_is_as_loud_as_it_should_be():
    noisy, clean = batch()
    noise = noisy - clean
    silent = noise.std(dim=1) < 1e-6 * clean.std(dim=1)
    assert silent.double().mean() == pytest.approx(CLEAN_SHARE, abs=0.05)
    snr_db = 10 * torch.log10(clean[~silent].var(dim=1) / noise[~silent].var(dim=1))
    low, high = SNR_RANGE_DB
    assert low - 0.1 < snr_db.min() < low + 2
    assert high - 2 < snr_db.max() < high + 0.1
    assert abs(snr_db.mean() - (low + high) / 2) < 2


def test_half_of_the_noise_swells_and_fades():
    noisy, clean = batch()
    noise = (noisy - clean).unflatten(1, (12, -1)).std(dim=2)
    loud = noise.mean(dim=1) > 1e-6
    ratio = (noise.amax(dim=1) / noise.amin(dim=1))[loud]
    # Some swell by little.
    assert BURST_SHARE - 0.2 < (ratio > 1.5).double().mean() < BURST_SHARE + 0.05


def test_half_of_the_examples_keep_their_drift():
    noisy, clean = batch(drift=400.0)
    moved = (noisy - clean).mean(dim=1).abs() > 50
    assert moved.double().mean() == pytest.approx(0.5, abs=0.1)


def test_time_is_stretched_alike_in_noisy_and_clean():
    """A sine of 5 Hz comes out between 4 and 6 Hz, and its curve is kept."""
    row = torch.sin(2 * torch.pi * 5 * torch.arange(ROW) / 360)[None]
    tapes = {kind: torch.randn((2, 20_000)) for kind in NOISE_SHARES}
    calm = Pool(row, row, torch.zeros(1, dtype=torch.long), torch.ones(1), tapes)
    noisy, clean = bedside_batch(calm, 200, WINDOW, torch.Generator().manual_seed(0))
    crossings = (clean[:, 0, 1:].sign() != clean[:, 0, :-1].sign()).sum(dim=1) / 2 / (WINDOW / 360)
    assert 4.0 < crossings.min() < 4.4
    assert 5.6 < crossings.max() < 6.1
    silent = (noisy - clean).std(dim=2) < 1e-6
    assert 0 < silent.sum() < 60
    # Read between samples without loss: amplitudes of one or of a mixture of the lead with itself.
    peaks = clean.abs().amax(dim=2)
    assert (clean.std(dim=2) / peaks).sub(0.5**0.5).abs().max() < 0.02


def test_some_examples_are_a_mixture_of_two_leads():
    """One lead lies at a height, the other swings: a mixture does both."""
    leads = torch.stack([torch.ones(ROW), torch.sin(torch.arange(ROW) / 3)])
    tapes = {kind: torch.randn((2, 20_000)) for kind in NOISE_SHARES}
    pair = Pool(leads, leads, torch.tensor([1, 0]), torch.ones(2), tapes)
    _, clean = bedside_batch(pair, 500, WINDOW, torch.Generator().manual_seed(3))
    both = (clean.mean(dim=2).abs() > 0.02) & (clean.std(dim=2) > 0.02)
    assert both.double().mean() == pytest.approx(MIX_SHARE, abs=0.06)


def test_made_noise_is_there_in_every_kind_and_mains_stand_on_their_lines():
    tapes = made_tapes()
    assert set(tapes) == {"hum", "hiss", "steps", "jolt", "emg"}
    for channel, hz in zip(tapes["hum"], (50, 60), strict=True):
        power = np.abs(np.fft.rfft(channel[: 360 * 100])) ** 2
        frequency = np.fft.rfftfreq(360 * 100, 1 / 360)
        near = np.zeros(len(power), bool)
        for harmonic in (1, 2, 3):
            near |= np.abs(frequency - harmonic * hz) < 1.5
        assert power[near].sum() > 0.99 * power.sum()
    assert set(tapes) | {"em", "bw", "ma", "myo", "contact"} == set(NOISE_SHARES)
    assert sum(NOISE_SHARES.values()) == pytest.approx(1)


# Patients


def test_clean_leads_of_training_patients_are_learnt(folder):
    rows = load_rows(folder, 360.0)
    assert len(rows) == len(TARGET_FOLDERS)
    assert all(row.shape == (len(GRADES["clean"]), ROW) for row in rows)


def test_names_split_patients_once_and_for_all():
    assert trains(TRAINING)
    assert not trains(KEPT_BACK)
    share = np.mean([trains(str(number)) for number in range(2000)])
    assert share == pytest.approx(0.9, abs=0.03)
    assert trains("1394231") == trains("2674090")


def test_real_noise_has_unit_power(folder):
    tapes = load_noise(folder, 360.0)
    assert {kind: len(tape) for kind, tape in tapes.items()} == {"myo": 4, "contact": 1}
    for tape in tapes.values():
        assert tape.std() == pytest.approx(1, abs=0.2)


def test_a_folder_is_named_by_hand_or_by_the_environment(folder, monkeypatch, tmp_path):
    monkeypatch.delenv("ECG_STREAM_PATIENTS", raising=False)
    assert patients_folder() is None
    monkeypatch.setenv("ECG_STREAM_PATIENTS", str(folder))
    assert patients_folder() == folder
    with pytest.raises(InputError, match=r"lacks cinc2011a, ludb_rest, .*electrode_noise"):
        patients_folder(tmp_path)


def test_what_may_not_be_a_target_is_none():
    assert not set(CLOSED) & {*TARGET_FOLDERS, *NOISE_FOLDERS}
