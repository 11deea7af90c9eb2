"""The notebooks' own windows, their networks trained on them, and the page that is made of results."""

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ecg_stream.command_line import commands
from models.benches import notebooks, track_s_figures
from models.benches.notebooks import gated_examples, gated_records, small_examples, variance_snr_db
from models.benches.notebooks_results import read_notebooks
from models.benches.papers import papers_page
from models.benches.track_s_results import append_result, read_results, read_unfinished
from models.overview import as_published, overview, sentences
from models.training.train_notebook import train_notebook
from streamer.errors import InputError

torch.set_num_threads(1)
ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"


@pytest.fixture
def two_records(made_physionet, monkeypatch):
    monkeypatch.setattr(notebooks, "BAM_RECORDS", ("100", "101"))
    monkeypatch.setattr(notebooks, "NSTDB", ("bw", "em", "ma"))
    return made_physionet


def test_the_gated_autoencoder_sees_ten_seconds_of_one_record_at_six_decibels(two_records):
    examples = gated_examples(42, two_records)
    assert examples.train[0].shape == (11, 1, 256)
    assert examples.test[0].shape == (3, 1, 256)
    clean = np.concatenate([examples.train[1], examples.test[1]])
    noisy = np.concatenate([examples.train[0], examples.test[0]])
    assert clean.mean() == pytest.approx(0, abs=0.05)
    assert clean.std() == pytest.approx(1, abs=0.05)
    # Unit power over 0.25 + 0.05²/2 + 0.02²/2.
    assert variance_snr_db(clean, noisy) == pytest.approx(6.0, abs=0.3)
    np.testing.assert_array_equal(gated_examples(42, two_records).test[0], examples.test[0])


def test_the_notebook_s_own_ten_seconds_are_not_among_those_of_the_records(two_records):
    records = gated_records(42, two_records)
    # A minute is six strips, each of 14 windows; the first strip of the first record was learnt from.
    assert {name: len(noisy) for name, (noisy, _) in records.items()} == {"100": 70, "101": 84}
    examples = gated_examples(42, two_records)
    learnt = {window.tobytes() for window in np.concatenate([examples.train[1], examples.test[1]])}
    assert learnt.isdisjoint(window.tobytes() for window in records["100"][1])


def test_the_small_autoencoder_sees_everything_between_zero_and_one(two_records):
    examples = small_examples(42, two_records)
    assert len(examples.train[0]) == 2
    assert len(examples.test[0]) == 1
    clean = np.concatenate([examples.train[1], examples.test[1]])
    noisy = np.concatenate([examples.train[0], examples.test[0]])
    assert (clean.min(), clean.max()) == (0, 1)
    assert -1 <= noisy.min() < -0.5
    assert noisy.max() == 1


def test_an_offset_costs_nothing_in_the_notebook_s_snr():
    clean = np.random.default_rng(0).standard_normal((4, 1, 64)).astype(np.float32)
    error = np.float32(0.1) * np.random.default_rng(1).standard_normal(clean.shape).astype(np.float32)
    assert variance_snr_db(clean, clean + error) == pytest.approx(20, abs=1)
    assert variance_snr_db(clean, clean + error + 5) == pytest.approx(
        variance_snr_db(clean, clean + error), abs=1e-3
    )


def test_a_run_goes_on_to_the_epochs_asked_for_and_leaves_a_row(two_records, tmp_path):
    row = train_notebook("cdae-bam", tmp_path, epochs=3, data_dir=two_records)
    again = train_notebook("cdae-bam", tmp_path, epochs=3, data_dir=two_records)
    for name in ("test_mse", "snr_out_db", "records_db"):
        assert row[name] == again[name]
    assert read_notebooks(tmp_path) == [again]
    assert list(row["records_db"]) == ["100", "101"]
    lines = (tmp_path / "cdae-bam-3-42" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    with pytest.raises(InputError, match="'unet' has no notebook; there are cdae-bam, cnn-autoencoder"):
        train_notebook("unet", tmp_path)


def test_the_page_is_what_the_committed_results_say(tmp_path):
    page = tmp_path / "papers.md"
    result = CliRunner().invoke(commands, ["evaluate", "papers", str(RESULTS), "--out", str(page)])
    assert result.exit_code == 0, result.output
    assert page.read_text(encoding="utf-8") == (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
    result = CliRunner().invoke(commands, ["evaluate", "papers", str(tmp_path)])
    assert result.exit_code != 0


def test_the_list_of_models_shows_what_the_committed_results_say(tmp_path, monkeypatch):
    shipped = track_s_figures.FIGURES.read_text(encoding="utf-8")
    monkeypatch.setattr(track_s_figures, "FIGURES", tmp_path / "figures.json")
    page = str(tmp_path / "papers.md")
    assert CliRunner().invoke(commands, ["evaluate", "papers", str(RESULTS), "--out", page]).exit_code == 0
    assert not track_s_figures.FIGURES.exists()
    result = CliRunner().invoke(commands, ["evaluate", "papers", str(RESULTS), "--out", page, "--ship"])
    assert result.exit_code == 0, result.output
    assert track_s_figures.FIGURES.read_text(encoding="utf-8") == shipped


def test_a_network_is_listed_with_its_published_figure_and_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(track_s_figures, "FIGURES", tmp_path / "figures.json")
    row = {"system": "ciadnet", "noise": "emb", "mixing": "new", "snr_db": -4.0, "snr_in_db": -4.0}
    track_s_figures.ship([row | {"snr_out_db": 8.0319, "epochs": 100}, row | {"noise": "bw"}])
    facts = overview("ciadnet")
    assert as_published(facts) == "8.03 (7.95)"
    told = sentences(facts)
    assert told["Track S, new -4 dB"] == "8.03 dB after 100 epochs, published 7.95"
    assert told["Track S, new 4 dB"] == "not run, published 11.20"
    assert as_published(overview("ags-unet")) == "– (8.84)"
    assert as_published(overview("lowdelay")) == ""


def test_a_run_without_a_result_leaves_its_curve(tmp_path):
    run = tmp_path / "ags-unet-emb-old--4dB-100-42"
    run.mkdir()
    (run / "log.jsonl").write_text(
        '{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.25}\n', encoding="utf-8"
    )
    unfinished = read_unfinished(tmp_path)
    assert list(unfinished) == [("ags-unet", "old", -4.0)]
    page = papers_page([], [], unfinished)
    assert "--mixing old --snr -4`; epoch 2 of 100, loss 0.250 ([curve](results/" in page
    row = {"system": "ags-unet", "noise": "emb", "mixing": "old", "snr_db": -4.0, "snr_out_db": 8.8}
    append_result(tmp_path, row)
    assert read_unfinished(tmp_path) == {}


def test_every_published_figure_has_a_row_and_easier_mixings_are_named():
    page = papers_page(read_results(RESULTS / "track-s"), read_notebooks(RESULTS / "notebooks"))
    assert "| ags-unet | 4 dB, old |  | 12.14 |" in page
    assert "`ecg-stream train ags-unet --track s --mixing old --snr 4`" in page
    assert "**Easier**" in page
    row = {"system": "dacnn", "noise": "emb", "mixing": "new", "snr_db": -4.0, "snr_in_db": -4.0}
    page = papers_page([row | {"snr_out_db": 7.0, "epochs": 100, "minutes": 9.0}], [])
    assert "| dacnn | -4 dB, new | -4.00 | 8.05 | 7.00 | -1.05 | 100 | 9 | differs" in page
    page = papers_page([row | {"snr_out_db": 8.0, "epochs": 100, "minutes": 9.0}], [])
    assert "| 8.05 | 8.00 | -0.05 | 100 | 9 | agrees" in page
