"""Nothing by which a network is judged has part in its training, its validation or its early stopping.

By the lists, and by what is really opened: an audit hook of Python sees every file, whoever reads it.
"""

import re
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from training_tools import CLOSED, KEPT_BACK, TRAINING, write_patients

from models.benches.track_f import QTDB_TRAIN_RECORDS, TEST_RECORDS, TRAIN_RECORDS, VALIDATION_RECORDS
from models.training import checks, step_report, train_steps
from models.training import data as training_data
from models.training import train as training
from models.training.data import load_corpus, noisy_batch
from models.training.pack import PACKED
from models.training.patients import NOISE_FOLDERS, TARGET_FOLDERS, load_noise, load_rows
from models.training.step_settings import StepSettings
from models.training.train import train
from models.training.train_settings import TrainSettings
from streamer.noise import KINDS, noise_blocks
from streamer.records.nstdb import load_tape

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine

PACED = set("102 104 107 217".split())
STRESS = {"118", "119"}
"""Patients of the official stress records."""
ALSO_202 = "201"
BENCH = set(
    "sel123 sel233 sel302 sel307 sel820 sel853 sel16420 sel16795 sele0106 sele0121 sel32 sel49 sel14046 "
    "sel15814".split()
)
"""Test records of the literature's bench, of the QT Database."""
COPIES = re.compile(r"sel[12]\d\d")
"""Records of the QT Database that are stretches of MIT-BIH Arrhythmia's: sel123 is 123."""
FORBIDDEN = {"mitdb": {*TEST_RECORDS, *PACED, *STRESS, ALSO_202}, "qtdb": BENCH}
PATIENTS = {"mitdb": {*TRAIN_RECORDS, *VALIDATION_RECORDS}, "qtdb": set(QTDB_TRAIN_RECORDS)}

_opened: list[str] | None = None


def _note(event, arguments):
    if _opened is not None and event == "open" and isinstance(arguments[0], str | bytes | Path):
        _opened.append(str(arguments[0]))


@pytest.fixture(scope="module")
def watch():
    """Context that collects what is opened below a folder: {database: names of records}."""
    sys.addaudithook(_note)

    @contextmanager
    def watching(folder):
        global _opened
        load_tape.cache_clear()
        _opened, seen = [], {}
        try:
            yield seen
        finally:
            opened, _opened = _opened, None
            for path in map(Path, opened):
                if path.is_relative_to(folder):
                    seen.setdefault(path.parent.relative_to(folder).parts[0], set()).add(path.stem)

    return watching


# The lists


def test_no_list_holds_what_is_tested():
    assert len(TEST_RECORDS) == 22
    for database, names in PATIENTS.items():
        assert not names & FORBIDDEN[database]
    assert not set(TRAIN_RECORDS) & set(VALIDATION_RECORDS)
    everyone = (*TRAIN_RECORDS, *VALIDATION_RECORDS, *QTDB_TRAIN_RECORDS)
    assert len(set(everyone)) == len(everyone) == 15 + 4 + 40


def test_the_qt_database_brings_no_patient_of_the_arrhythmia_database():
    assert all(COPIES.fullmatch(name) for name in ("sel102", "sel123", "sel233"))
    assert not [name for name in QTDB_TRAIN_RECORDS if COPIES.fullmatch(name)]


def test_the_pack_for_other_machines_holds_what_training_reads_and_no_more():
    expected = {database: set(names) for database, names in PATIENTS.items()} | {"nstdb": set(KINDS)}
    assert {database: set(names) for database, names in PACKED.items()} == expected


# What is opened


@pytest.mark.data
def test_a_corpus_opens_its_own_records_and_no_other(physionet, watch):
    with watch(physionet) as opened:
        load_corpus("train", physionet, more_patients=True)
        load_corpus("validation", physionet)
    assert opened == PATIENTS | {"nstdb": set(KINDS)}
    for database, forbidden in FORBIDDEN.items():
        assert not opened[database] & forbidden


@pytest.fixture
def small(tmp_path, write_record, monkeypatch):
    """A folder with a record of every part, and those that must stay closed; returns it.

    The noise is loud in its test part alone.
    """
    rng = np.random.default_rng(0)
    for name in ("101", "114", "100", "118", "201"):
        data = rng.standard_normal((2, 45 * 360))
        write_record(tmp_path / "mitdb", name, data, baseline=0, beats=range(0, 45 * 360, 300))
    for name in ("sel301", "sel123", "sel302"):
        write_record(tmp_path / "qtdb", name, rng.standard_normal((2, 45 * 250)), fs=250)
    for kind in KINDS:
        noise = 0.3 * rng.uniform(-1, 1, (2, 650_000))
        for first, last in noise_blocks(kind, "test", 650_000 / 360):
            # From the last sample that a fade could reach.
            noise[:, round(first * 360) : round(last * 360)] = 100.0
        write_record(tmp_path / "nstdb", kind, noise, leads=("noise1", "noise2"))
    monkeypatch.setattr(training_data, "TRAIN_RECORDS", ("101",))
    monkeypatch.setattr(training_data, "VALIDATION_RECORDS", ("114",))
    monkeypatch.setattr(training_data, "QTDB_TRAIN_RECORDS", ("sel301",))
    return tmp_path


def test_no_sample_of_the_test_noise_is_on_a_tape_of_training_or_validation(small):
    for part in ("train", "validation"):
        corpus = load_corpus(part, small)
        for kind in KINDS:
            tape = load_tape(kind, part, 360.0, small)
            assert np.abs(tape).max() < 0.5
            # Uniform noise of unit power; a hundred of anything would stand far above the rest.
            assert corpus.noise[kind].abs().max() < 2.5
    assert np.abs(load_tape("em", "test", 360.0, small)).max() == pytest.approx(100, rel=0.01)


def test_a_whole_training_opens_its_own_records_and_no_other(small, watch, monkeypatch, tmp_path):
    """From the first step to the weights that early stopping keeps."""

    def one_batch(corpus, window, leads):
        return [noisy_batch(corpus, 1, window, torch.Generator().manual_seed(1), leads)]

    monkeypatch.setattr(training, "_validation_batches", one_batch)
    # Four batches of a window, or as few as fit of longer examples.
    settings = TrainSettings(steps=2, batch=10, validate_every=1)
    with watch(small) as opened:
        run = train("unet", tmp_path / "run", settings, data_dir=small, device="cpu", threads=1)
    assert (run / "weights.safetensors").is_file()
    del opened["run"]
    assert opened == {"mitdb": {"101", "114"}, "nstdb": set(KINDS)}


def test_a_training_with_patients_opens_its_own_records_and_no_other(
    small, watch, write_record, monkeypatch, tmp_path
):
    """Neither those kept back, nor a hospital that tests, nor a database whose band is too narrow."""
    for module, name, value in (
        (checks, "ROWS", 2),
        (step_report, "_ROWS", 2),
        (train_steps, "GATHERED", 1),
        (train_steps, "GATHERED_ROWS", (2, 1440)),
    ):
        monkeypatch.setattr(module, name, value)
    patients = write_patients(tmp_path / "patients", write_record)
    settings = StepSettings(steps=2, batch=2, window=720, context=180, validate_every=1)
    with watch(tmp_path) as opened:
        run = train_steps.train_steps(
            "lowdelay", tmp_path / "run", settings, data_dir=small, patients=patients, device="cpu", threads=1
        )
    assert (run / "weights.safetensors").is_file()
    del opened["run"]
    patients_opened = opened.pop("patients")
    assert opened == {"mitdb": {"101", "114"}, "qtdb": {"sel301"}, "nstdb": set(KINDS)}
    assert patients_opened == {"quality", TRAINING, f"en{TRAINING}_I"}
    assert KEPT_BACK not in patients_opened


def test_a_training_with_patients_reads_no_folder_that_tests(watch, write_record, tmp_path):
    patients = write_patients(tmp_path / "patients", write_record)
    with watch(patients) as opened:
        load_rows(patients, 360.0)
        load_noise(patients, 360.0)
    assert set(opened) == {*TARGET_FOLDERS, *NOISE_FOLDERS}
    assert not set(opened) & set(CLOSED)


def test_more_patients_train_and_do_not_validate(small):
    corpus = load_corpus("train", small, more_patients=True)
    # Both leads of both, cut to the shorter record's length at one rate.
    assert corpus.clean.shape[0] == 4
    assert corpus.clean.shape[1] == 45 * 360
    validation = load_corpus("validation", small, more_patients=True)
    assert validation.clean.shape == (1, 45 * 360)
