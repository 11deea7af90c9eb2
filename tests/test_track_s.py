"""Track S: the windows and the noise of the seed table, and the runs on them."""

import json

import numpy as np
import pytest
import torch

from models import registry
from models.benches import track_s
from models.benches.track_s import Condition, load_examples, mix, rmse_mv, scaled, snr_db
from models.benches.track_s_filters import FILTERS, dwt, fft
from models.benches.track_s_results import RESULTS, append_result, markdown, read_results, score_filters
from models.training import train_s
from models.training.train_s import TrackSSettings, run_name
from models.training.train_s import train_s as train
from streamer.errors import InputError

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def seed_data(made_physionet):
    """Two patients, 60 windows of each, 100 in all; returns the data folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(track_s, "RECORDS", ("100", "101"))
        patch.setattr(track_s, "STARTS", 60)
        patch.setattr(track_s, "CHOSEN", 100)
        track_s._windows.cache_clear()
        yield made_physionet
    track_s._windows.cache_clear()


def random_windows(seed, scale=1.0, offset=0.0):
    data = np.random.default_rng(seed).standard_normal((20, 2, 256))
    return (scale * data + offset).astype(np.float32)


def window_snr_db(reference, noisy):
    """By the definition's own words, window by window."""
    return [10 * np.log10((c**2).sum() / ((c - n) ** 2).sum()) for c, n in zip(reference, noisy, strict=True)]


# Mixing


@pytest.mark.parametrize("level", [-4.0, 3.0])
def test_every_window_has_exactly_the_snr_of_both_leads_together_with_their_offset(level):
    reference = random_windows(0, offset=2.0)
    noise = random_windows(1, scale=0.1) * np.array([1.0, 5.0], np.float32)[:, None]
    noisy = reference + scaled(noise, reference, level)
    np.testing.assert_allclose(window_snr_db(reference, noisy), level, atol=1e-4)
    assert snr_db(reference, noisy) == pytest.approx(level, abs=1e-4)
    # One factor for both leads: the noise keeps its proportions.
    added = noisy - reference
    np.testing.assert_allclose(added[:, 1] / added[:, 0], noise[:, 1] / noise[:, 0], rtol=0.02)


def test_the_new_mixing_sums_first_and_the_old_one_averages_what_was_scaled():
    reference = random_windows(0)
    noises = {"bw": random_windows(1, 0.1), "em": random_windows(2, 3.0), "ma": random_windows(3)}
    new = mix(reference, noises, Condition("emb", 0.0, "new"))
    total = noises["bw"] + noises["em"] + noises["ma"]
    np.testing.assert_allclose(window_snr_db(reference, new), 0, atol=1e-4)
    for window in range(20):  # all of it is the sum's shape
        assert np.corrcoef((new - reference)[window].ravel(), total[window].ravel())[0, 1] > 0.99999
    old = mix(reference, noises, Condition("emb", 0.0, "old"))
    expected = sum(scaled(noise, reference, 0.0) for noise in noises.values()) / 3
    np.testing.assert_allclose(old - reference, expected, atol=1e-5)
    # Three noises that know nothing of each other: a third of the power, 4.8 dB.
    assert snr_db(reference, old) == pytest.approx(10 * np.log10(3), abs=0.3)
    one = mix(reference, noises, Condition("em", 0.0))
    np.testing.assert_allclose(one - reference, scaled(noises["em"], reference, 0.0), atol=1e-6)


@pytest.mark.data
@pytest.mark.parametrize(("mixing", "extra", "tolerance"), [("new", 0.0, 1e-3), ("old", 5.45, 0.06)])
def test_doing_nothing_scores_what_it_is_known_to(physionet, mixing, extra, tolerance):
    """The whole seed data set. Under `old` the published "FFT" row, 1.50 dB and 0.4009 mV, is this."""
    noisy, reference = load_examples(Condition("emb", -4.0, mixing), data_dir=physionet).test
    assert len(reference) == 2000
    assert snr_db(reference, noisy) == pytest.approx(-4.0 + extra, abs=tolerance)
    if mixing == "old":
        assert rmse_mv(reference, noisy) == pytest.approx(0.4009, abs=0.005)
        assert snr_db(reference, fft(noisy)) == pytest.approx(snr_db(reference, noisy), abs=0.003)


def test_windows_and_split_are_those_of_the_seed(seed_data):
    one = load_examples(Condition("emb", 0.0), data_dir=seed_data)
    again = load_examples(Condition("em", 4.0), data_dir=seed_data)
    assert one.train[0].shape == (80, 2, 256)
    assert one.test[0].shape == (20, 2, 256)
    # The ECG and the split are the same whatever the noise; the noise is not.
    np.testing.assert_array_equal(one.test[1], again.test[1])
    assert not np.allclose(one.test[0], again.test[0])
    track_s._windows.cache_clear()
    np.testing.assert_array_equal(load_examples(Condition(), data_dir=seed_data).test[1], one.test[1])
    rows = np.concatenate([one.train[1], one.test[1]]).reshape(100, -1)
    assert len(np.unique(rows, axis=0)) > 95  # windows drawn at random may repeat, a split may not


def test_what_is_not_in_the_table_is_refused():
    with pytest.raises(InputError, match="noise 'hum' is not in Track S; allowed: bw, em, ma, emb"):
        Condition("hum")
    with pytest.raises(InputError, match="mixing 'mean' is unknown; allowed: new, old"):
        Condition(mixing="mean")


# Filters


def test_the_filters_keep_what_is_large():
    time = np.arange(256) / 256
    wave = np.stack([np.sin(2 * np.pi * 4 * time), np.cos(2 * np.pi * 8 * time)])[None].astype(np.float32)
    small = 0.001 * np.sin(2 * np.pi * 100 * time).astype(np.float32)
    np.testing.assert_allclose(fft(wave + 0.5 * small), wave, atol=1e-5)  # below 0.0012 of the largest
    kept = fft(wave + 2 * small) - wave
    np.testing.assert_allclose(kept, np.broadcast_to(2 * small, kept.shape), atol=1e-5)
    slow = np.broadcast_to(np.sin(2 * np.pi * 1.5 * time), (1, 2, 256)).astype(np.float32)
    noisy = slow + 0.05 * np.random.default_rng(0).standard_normal(wave.shape).astype(np.float32)
    shrunk = dwt(noisy)
    assert shrunk.shape == wave.shape
    assert 0 < np.square(shrunk - noisy).mean()
    assert np.square(shrunk - slow).mean() < np.square(noisy - slow).mean()
    assert FILTERS["identity"](noisy) is noisy


# Runs


def spec_of(build, name="tiny", leads=2):
    return registry.NetworkSpec(
        name=name, title="", paper="", fs=360.0, window=256, leads=leads, parameters=0,
        normalisation="", build=build, replica=build,
    )  # fmt: skip


@pytest.fixture
def tiny(monkeypatch):
    def build():
        return torch.nn.Sequential(
            torch.nn.Conv1d(2, 4, 5, padding=2), torch.nn.Dropout(0.1), torch.nn.Conv1d(4, 2, 5, padding=2)
        )

    monkeypatch.setitem(registry.NETWORKS, "tiny", spec_of(build))
    monkeypatch.setitem(registry.NETWORKS, "single", spec_of(build, "single", leads=1))
    monkeypatch.setattr(train_s, "BATCH", 16)


def test_a_run_is_scored_on_its_test_windows_in_mv(seed_data, tiny, tmp_path):
    condition = Condition("em", 0.0)
    settings = TrackSSettings(condition, epochs=30)
    row = train("tiny", tmp_path, settings, data_dir=seed_data, device="cpu", threads=1)
    assert read_results(tmp_path) == [row]
    assert row["snr_in_db"] == pytest.approx(0.0, abs=1e-3)
    # It learns: the noise here is steps, which a short filter takes some of.
    assert row["snr_out_db"] > 1.0
    assert (row["epochs"], row["seed"], row["system"], row["mixing"]) == (30, 42, "tiny", None)
    log = (tmp_path / run_name("tiny", settings) / "log.jsonl").read_text()
    losses = [json.loads(line)["loss"] for line in log.splitlines()]
    assert len(losses) == 30
    assert losses[-1] < 0.5 * losses[0]


def test_a_stopped_run_comes_to_the_same(seed_data, tiny, tmp_path, monkeypatch):
    settings = TrackSSettings(Condition("em", 0.0), epochs=4)

    def run(folder):
        return train("tiny", folder, settings, data_dir=seed_data, device="cpu", threads=1)["snr_out_db"]

    expected = run(tmp_path / "whole")
    epoch, calls = train_s.learn_once, []

    def interrupted(*given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return epoch(*given)

    monkeypatch.setattr(train_s, "learn_once", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped")
    assert read_results(tmp_path / "stopped") == []
    torch.manual_seed(99)
    assert run(tmp_path / "stopped") == expected


def test_the_rate_falls_to_a_tenth_from_epoch_40():
    assert [train_s._rate(epoch, 100) for epoch in (0, 39, 40, 99)] == [1.0, 1.0, 0.1, 0.1]


def test_a_network_that_was_not_published_so_is_refused(tiny, tmp_path):
    for name in ("single", "unet"):
        with pytest.raises(InputError, match="no published network of 2 leads and 256 samples"):
            train(name, tmp_path, TrackSSettings(Condition()))


# Results


def test_results_are_kept_once_and_shown_beside_what_was_published(seed_data, tmp_path):
    for _ in range(2):
        score_filters(tmp_path, Condition("emb", -4.0, "old"), seed_data)
    assert len((tmp_path / RESULTS).read_text().splitlines()) == 3
    row = {"system": "acdae", "noise": "emb", "mixing": "new", "epochs": 100, "seed": 42}
    append_result(tmp_path, row | {"snr_db": -4.0, "snr_out_db": 7.0})
    append_result(tmp_path, row | {"snr_db": -4.0, "snr_out_db": 8.0})  # done again: the last counts
    append_result(tmp_path, row | {"snr_db": 0.0, "snr_out_db": 9.66})
    text = markdown(read_results(tmp_path))
    acdae = next(line for line in text.splitlines() if line.startswith("| acdae"))
    cells = [cell.strip() for cell in acdae.strip("|").split("|")]
    assert cells == [
        "acdae", "emb", "new", "100", "8.00 (8.17, -0.17)", "(published 8.91)", "9.66 (9.56, +0.10)",
        "(published 10.68)", "(published 11.21)",
    ]  # fmt: skip
    assert any(line.startswith("| identity | emb | old |") for line in text.splitlines())
    # What was not run is there too, with nothing in our place.
    assert "| dacnn | emb | new |  | (published 8.05) | (published 8.81) |" in text
