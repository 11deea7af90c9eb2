"""Ventricular beats are rare, and look like electrode motion: training meets them, and is judged by them."""

import numpy as np
import pytest
import torch
import wfdb

from models.training import bedside, checks, pack
from models.training import data as training_data
from models.training.bedside import ROW, VENTRICULAR_SHARE, load_pool
from models.training.checks import AROUND, BEATS, LOOKAHEADS, make_checks
from models.training.data import Corpus, load_corpus
from streamer.noise import KINDS
from streamer.records.record import read_record

BEATS_OF_100 = (1000, 9000, 20_000)
"""At 360 Hz, in a record of a minute."""


@pytest.fixture
def small(made_physionet, tmp_path, write_record, monkeypatch):
    """Two patients of MIT-BIH, one with ventricular beats, and one of the QT Database with some at 250 Hz."""
    folder = tmp_path / "data"
    (folder / "mitdb").mkdir(parents=True)
    (folder / "nstdb").symlink_to(made_physionet / "nstdb")
    for source in (made_physionet / "mitdb").iterdir():
        if source.stem != "100" or source.suffix != ".atr":
            (folder / "mitdb" / source.name).symlink_to(source)
    marks = np.array([500, *BEATS_OF_100, 21_000])
    wfdb.wrann("100", "atr", marks, ["N", "V", "E", "V", "F"], write_dir=str(folder / "mitdb"))
    lead = np.random.default_rng(0).standard_normal((2, 45 * 250))
    write_record(folder / "qtdb", "sel301", lead, fs=250)
    wfdb.wrann("sel301", "atr", np.array([2500]), ["V"], fs=250, write_dir=str(folder / "qtdb"))
    monkeypatch.setattr(training_data, "TRAIN_RECORDS", ("100", "101"))
    monkeypatch.setattr(training_data, "QTDB_TRAIN_RECORDS", ("sel301",))
    return folder


def test_a_corpus_knows_its_ventricular_beats(small):
    alone = load_corpus("train", small)
    assert [beats.tolist() for beats in alone.ventricular] == [list(BEATS_OF_100)] * 2 + [[], []]
    # Rows are cut to the length of the other database's, 45 s, whose beats are brought to 360 Hz.
    more = load_corpus("train", small, more_patients=True)
    cut = [beat for beat in BEATS_OF_100 if beat < 45 * 360]
    assert [beats.tolist() for beats in more.ventricular] == [cut] * 2 + [[], []] + [[3600]] * 2


def test_a_share_of_the_examples_holds_ventricular_beats_of_every_patient_alike(small):
    pool = load_pool(small)
    count = 45 * 360 // ROW
    chance = pool.chance.double().reshape(6, count)
    assert chance.sum() == pytest.approx(1)
    even = (1 - VENTRICULAR_SHARE) / (6 * count)
    holding = torch.zeros((6, count), dtype=torch.float64)
    holding[:2, [1000 // ROW, 9000 // ROW]] = VENTRICULAR_SHARE / 4 / 2
    holding[4:, 3600 // ROW] = VENTRICULAR_SHARE / 4
    torch.testing.assert_close(chance, even + holding, rtol=1e-5, atol=0)


def test_without_ventricular_beats_all_rows_are_alike(small, monkeypatch):
    monkeypatch.setattr(bedside, "_holding_ventricular", lambda corpus: np.zeros(6 * (45 * 360 // ROW)))
    chance = load_pool(small).chance
    torch.testing.assert_close(chance, torch.full_like(chance, 1 / len(chance)))


def test_the_checks_score_what_lies_around_a_ventricular_beat():
    """A beat is a pulse of half a second; whatever the look-ahead, it lies whole in what is scored."""
    samples, g = 20_000, torch.Generator().manual_seed(0)
    clean = torch.zeros((2, samples))
    beats = np.array([100, 5000, 12_000, 19_990])  # the first and the last lie too near to an end
    for beat in beats:
        clean[1, max(0, beat - 72) : beat + 72] = 1.0
    noise = {kind: torch.randn((2, samples), generator=g) for kind in KINDS}
    corpus = Corpus(clean, clean, noise, (np.empty(0, np.int64), beats))
    noisy, target = make_checks(corpus)["ventricular em"]
    assert noisy.shape == target.shape == (BEATS, 1, AROUND[1])
    for lookahead in LOOKAHEADS:
        scored = target.roll(lookahead, dims=-1)[:, 0, checks.CONTEXT :]
        assert (scored.sum(dim=1) == 144).all()
    without = Corpus(clean, clean, noise, 2 * (np.empty(0, np.int64),))
    assert set(make_checks(without)) == {"clean", *KINDS}


def test_a_pack_brings_the_beats_along(small, tmp_path):
    names = {"mitdb": ("100", "101")}
    pack.write_pack(tmp_path / "all.npz", small, names)
    unpacked = pack.unpack(tmp_path / "all.npz", tmp_path / "unpacked", names)
    for name in names["mitdb"]:
        first, again = (read_record(folder / "mitdb" / name) for folder in (small, unpacked))
        np.testing.assert_array_equal(again.data, first.data)
    marks = read_record(unpacked / "mitdb" / "100").annotations
    assert [(mark.sample, mark.symbol) for mark in marks] == [(beat, "V") for beat in BEATS_OF_100]
