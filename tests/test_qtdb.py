"""The bench of the literature: how beats are cut, soiled and scored, cut out and streamed."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import wfdb
from scipy import signal
from torch import nn

from engine.lab.evaluate import qtdb as evaluate_qtdb
from engine.lab.evaluate import tables as evaluate_tables
from engine.lab.evaluate.qtdb import BLOCK_S, StreamedSettings, scaled_wander
from engine.lab.evaluate.qtdb import evaluate_qtdb as run
from engine.lab.evaluate.qtdb_report import PUBLISHED, markdown, summarise, write_qtdb
from models import registry
from models.benches import qtdb
from models.benches.qtdb import (
    FS,
    LEAD_IN,
    WINDOW,
    add_wander,
    beat_spans,
    cut,
    levels,
    load_examples,
    load_test,
)
from models.benches.qtdb_filters import FILTERS, fir, iir
from models.benches.qtdb_results import read_results, score_filters
from models.benches.qtdb_scores import METRICS, beat_figures, score_records
from models.benches.track_f import TRAIN_RECORDS as TRACK_F_TRAIN
from models.benches.track_f import VALIDATION_RECORDS as TRACK_F_VALIDATION
from models.training import train_qtdb
from models.training.train_qtdb import LOSSES, QtdbSettings
from streamer.chunk import Annotation
from streamer.errors import InputError
from streamer.synthetic import SyntheticPatient

RATE, SECONDS = 250, 90
REAL_TEST, REAL_TRAIN = qtdb.TEST_RECORDS, qtdb.TRAIN_RECORDS
TEST, TRAIN = ("sel1", "sel2"), ("sel3", "sel4")


def write_outlines(folder, name, peaks):
    """What pu1 would say of beats whose R waves lie at `peaks`."""
    marks = []
    for peak in peaks:
        for offset, symbol in ((-50, "("), (-40, "p"), (-30, ")"), (-12, "("), (0, "N"), (14, ")")):
            marks.append((peak + offset, symbol))
    marks = [mark for mark in marks if mark[0] >= 0]
    samples, symbols = np.array([at for at, _ in marks]), [symbol for _, symbol in marks]
    # wfdb writes no extension with a digit.
    wfdb.wrann(name, "pu", samples, symbol=symbols, write_dir=str(folder))
    (folder / f"{name}.pu").rename(folder / f"{name}.pu1")


@pytest.fixture(scope="module")
def qtdb_data(write_record, tmp_path_factory):
    """Two test and two training records at 250 Hz, a minute and a half each, and twelve minutes of wander."""
    folder = tmp_path_factory.mktemp("qtdb")
    coarse = np.random.default_rng(0).standard_normal((2, 2 * 720 + 1))
    time_s = np.arange(720 * 360) / 360
    wander = np.array([np.interp(2 * time_s, np.arange(coarse.shape[1]), row) for row in coarse])
    write_record(folder / "nstdb", "bw", wander, leads=("noise1", "noise2"))
    for seed, name in enumerate(TEST + TRAIN):
        block = SyntheticPatient(fs=float(RATE), leads=("II", "V5"), seed=seed).read(0, SECONDS * RATE)
        write_record(folder / "qtdb", name, block.data, fs=RATE, leads=("ECG1", "ECG2"))
        write_outlines(folder / "qtdb", name, [mark.sample for mark in block.annotations])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qtdb, "TEST_RECORDS", TEST)
        patch.setattr(qtdb, "TRAIN_RECORDS", TRAIN)
        patch.setattr(evaluate_qtdb, "TEST_RECORDS", TEST)
        yield folder


@pytest.fixture(scope="module")
def settings(qtdb_data):
    return StreamedSettings(
        models=("identity", "deepfilter", "unet-seed"),
        lookaheads_ms=(300.0,),
        hop_ms=200.0,
        seconds=60.0,
        data_dir=qtdb_data,
    )


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def results(settings, told, out):
    return run(settings, out, lambda *progress: told.append(progress))


def mean_of(rows, system, metric, **wanted):
    [row] = [r for r in rows if r["system"] == system and all(r[key] == wanted[key] for key in wanted)]
    return row[metric]


# Which beats


def test_no_network_of_track_f_has_seen_a_test_patient():
    assert not set(qtdb.PARENTS.values()) & {*TRACK_F_TRAIN, *TRACK_F_VALIDATION}


def test_the_split_is_by_patient():
    assert (len(REAL_TEST), len(REAL_TRAIN)) == (14, 40)
    assert not set(REAL_TEST) & set(REAL_TRAIN)
    assert set(qtdb.PARENTS) <= set(REAL_TEST)


@pytest.mark.data
def test_filters_land_where_they_were_published(physionet, monkeypatch):
    """The same bench: as many beats but for a few, and the published figures of what learns nothing."""
    monkeypatch.setattr(qtdb, "TEST_RECORDS", REAL_TEST)
    figures = {name: [] for name in FILTERS}
    for version in (1, 2):
        (noisy, reference), _ = load_test(version, physionet)
        assert len(reference) == pytest.approx(13_306, abs=20)
        for name, filtered in FILTERS.items():
            found = beat_figures(reference, filtered(noisy))
            figures[name].append([found[metric].mean() for metric in METRICS])
    for name in ("fir", "iir"):
        np.testing.assert_allclose(np.mean(figures[name], axis=0), PUBLISHED[name.upper()], rtol=0.03)


def marks(*pairs):
    return tuple(Annotation(at, symbol, "") for at, symbol in sorted(pairs))


def test_beats_go_from_before_one_p_wave_to_before_the_next():
    outlined = marks(
        (100, "("), (108, "p"), (150, "N"), (300, "("), (309, "p"), (350, "N"), (500, "("), (511, "p")
    )
    # 40 ms at 250 Hz are 10 samples; 360 Hz have 1.44 times as many.
    np.testing.assert_array_equal(
        beat_spans(outlined, 250.0), np.round(np.array([[90, 290], [290, 490]]) * 1.44)
    )


def test_what_holds_two_beats_or_is_too_long_is_left_out():
    two = marks((100, "("), (108, "p"), (150, "N"), (250, "N"), (300, "("), (309, "p"))
    assert len(beat_spans(two, 250.0)) == 0
    longest = (WINDOW - LEAD_IN) / 1.44
    for length, kept in ((int(longest), 1), (int(longest) + 2, 0)):
        one = marks((100, "("), (108, "p"), (150, "N"), (100 + length, "("), (109 + length, "p"))
        assert len(beat_spans(one, 250.0)) == kept


def test_a_p_wave_without_a_beginning_starts_no_beat():
    assert len(beat_spans(marks((108, "p"), (300, "("), (309, "p"), (500, "("), (508, "p")), 250.0)) == 1


def test_beats_are_level_at_their_ends_and_lie_in_zeros():
    lead = np.linspace(1, 3, 1000).astype(np.float32) ** 2
    spans = np.array([[100, 300], [300, 600]])
    beats = cut(lead, spans, levels(lead, spans))
    assert beats.shape == (2, WINDOW)
    for beat, (first, stop) in zip(beats, spans, strict=True):
        inside = beat[LEAD_IN : LEAD_IN + stop - first]
        assert inside[0] + inside[-1] == pytest.approx(0, abs=1e-6)
        np.testing.assert_allclose(np.diff(inside), np.diff(lead[first:stop]), atol=1e-6)
        assert not beat[:LEAD_IN].any()
        assert not beat[LEAD_IN + stop - first :].any()


def test_a_record_without_outlines_is_an_error(qtdb_data, write_record, tmp_path):
    write_record(tmp_path / "qtdb", "bare", np.zeros((1, 900)), fs=RATE, leads=("ECG1",))
    with pytest.raises(InputError, match=r"outlines no beat: .*bare\.pu1"):
        qtdb.load_record("bare", tmp_path)


# Noise


def test_each_beat_gets_its_own_height_of_noise(qtdb_data):
    (noisy, reference), owners = load_test(1, qtdb_data)
    ratio = np.ptp(noisy - reference, axis=1) / np.ptp(reference, axis=1)
    assert ratio.min() > 0.19
    assert ratio.max() < 2
    assert ratio.std() > 0.3
    assert set(owners) == set(TEST)
    assert len(owners) == len(noisy) > 100


def test_training_and_test_share_neither_patients_nor_noise(qtdb_data, monkeypatch):
    # Each half of each channel has a level of its own, so that noise tells where it comes from.
    level = {("train", 1): 1.0, ("test", 1): 40.0, ("train", 2): 20.0, ("test", 2): 30.0}
    record = np.stack([[1.0, 30.0], [20.0, 40.0]]).repeat(40_000, axis=1).astype(np.float32)
    record += np.tile(np.array([0, 0.1], np.float32), 40_000)
    monkeypatch.setattr(
        qtdb,
        "read_record",
        lambda path: type("Tape", (), {"data": record}),  # the noise alone is read here
    )
    for (part, version), expected in level.items():
        assert np.median(qtdb._wander(part, version, qtdb_data)) == pytest.approx(expected, abs=0.2)
    assert not set(TEST) & set(TRAIN)


def test_noise_goes_on_over_beats_and_begins_anew():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(3 * WINDOW + 5).astype(np.float32)
    beats = np.tile(np.sin(np.arange(WINDOW) / 9).astype(np.float32), (4, 1))
    added = add_wander(beats, noise, rng) - beats
    for place, piece in enumerate([0, 1, 2, 0]):
        expected = noise[piece * WINDOW : (piece + 1) * WINDOW]
        assert np.corrcoef(added[place], expected)[0, 1] == pytest.approx(1, abs=1e-5)


def test_the_same_examples_at_every_call(qtdb_data):
    one, two = load_examples(2, qtdb_data), load_examples(2, qtdb_data)
    np.testing.assert_array_equal(one.train[0], two.train[0])
    np.testing.assert_array_equal(one.test[0], load_test(2, qtdb_data)[0][0])
    assert not np.array_equal(one.test[0], load_test(1, qtdb_data)[0][0])


# Figures


def test_figures_by_hand():
    reference = np.array([[0, 3, 0, -1], [0, 0, 0, 0]], np.float32)
    output = np.array([[0, 2, 1, -1], [1, 1, 1, 1]], np.float32)
    figures = beat_figures(reference, output)
    np.testing.assert_allclose(figures["ssd"], [2, 4])
    np.testing.assert_allclose(figures["mad"], [1, 1])
    # Their mean is 0.25; the output's power about it is 0.0625 + 3.0625 + 0.5625 + 1.5625.
    np.testing.assert_allclose(figures["prd"], [100 * np.sqrt(2 / 5.25), 100 * np.sqrt(4 / 2.25)])
    np.testing.assert_allclose(figures["cosine"], [7 / np.sqrt(10 * 6), 0])


def test_records_are_scored_apart():
    reference = np.eye(3, 8, dtype=np.float32)
    rows = score_records(reference, 0.5 * reference, ["a", "b", "a"])
    assert [(row["record"], row["beats"], row["ssd"]) for row in rows] == [("a", 2, 0.25), ("b", 1, 0.25)]


def test_filters_are_scipy_s_own_forwards_and_backwards(qtdb_data):
    beats = load_test(1, qtdb_data)[0][0][:3]
    b, a = signal.butter(4, 0.67, "highpass", fs=FS)
    np.testing.assert_allclose(iir(beats), signal.filtfilt(b, a, beats, axis=1, padlen=15), atol=1e-3)
    taps, beta = signal.kaiserord(61 / 4.5, 0.07 / (FS / 2))
    taps += 1 - taps % 2
    kernel = signal.firwin(taps, 0.67, window=("kaiser", beta), pass_zero=False, fs=FS)
    beat = beats[0]
    longer = np.concatenate([beat[::-1], beat, np.repeat(beat[-1:], 3 * taps)])
    expected = signal.filtfilt(kernel, 1.0, longer)[WINDOW : 2 * WINDOW]
    np.testing.assert_allclose(fir(beats)[0], expected, atol=1e-3)


# Training


@pytest.fixture
def tiny(monkeypatch):
    spec = replace(registry.NETWORKS["deepfilter"], replica=lambda: nn.Conv1d(1, 1, 9, padding=4))
    monkeypatch.setitem(registry.NETWORKS, "deepfilter", spec)
    monkeypatch.setattr(train_qtdb, "BATCH", 16)


def test_a_run_learns_is_kept_and_goes_on(qtdb_data, tiny, tmp_path):
    settings = QtdbSettings(version=1, epochs=3)
    row = train_qtdb.train_qtdb("deepfilter", tmp_path, settings, data_dir=qtdb_data, device="cpu", threads=1)
    assert read_results(tmp_path) == [row]
    assert (row["epochs"], row["noise_version"], row["parameters"]) == (3, 1, 10)
    assert [record["record"] for record in row["records"]] == list(TEST)
    log = next(tmp_path.glob("deepfilter-*/log.jsonl"))
    losses = [json.loads(line)["loss"] for line in log.read_text().splitlines()]
    assert len(losses) == 3
    assert losses[-1] < losses[0]
    # All epochs are done: nothing is learned again, and the same comes out.
    again = train_qtdb.train_qtdb(
        "deepfilter", tmp_path, settings, data_dir=qtdb_data, device="cpu", threads=1
    )
    assert len(log.read_text().splitlines()) == 3
    assert again["records"] == row["records"]


def test_a_network_that_is_not_of_the_bench_is_refused(tmp_path):
    for name in ("unet", "acdae"):
        with pytest.raises(
            InputError, match="no network of the QTDB bench; those are: drnn, fcn-dae, deepfilter"
        ):
            train_qtdb.train_qtdb(name, tmp_path, QtdbSettings())
    assert set(LOSSES) == set(qtdb.NETWORKS)


def test_losses_by_hand():
    output, reference = torch.tensor([[[1.0, 2.0]], [[0.0, 0.0]]]), torch.zeros(2, 1, 2)
    assert train_qtdb.squared_differences(output, reference) == (1 + 4) / 2
    assert train_qtdb.largest_and_sum(output, reference) == (50 * 4 + 5) / 2


# Streamed


def test_the_noise_keeps_its_ratio_to_the_beats_block_by_block():
    rng = np.random.default_rng(1)
    samples = round(3 * BLOCK_S * FS)
    reference = np.sin(np.arange(samples) / 30).astype(np.float32)[None] * [[1.0], [2.0]]
    noise = (5 + rng.standard_normal((2, samples))).astype(np.float32)
    spans = np.arange(0, samples - 400, 400)[:, None] + [0, 360]
    ratios = np.array([0.5, 2.0, 1.0])
    added = scaled_wander(reference, spans, noise, ratios)
    for lead, height in zip(added, (2.0, 4.0), strict=True):
        for block, ratio in enumerate(ratios):
            middle = slice(round((block + 0.2) * BLOCK_S * FS), round((block + 0.8) * BLOCK_S * FS))
            pieces = lead[middle][: 10 * WINDOW].reshape(10, WINDOW)
            assert np.median(np.ptp(pieces, axis=1)) == pytest.approx(ratio * height, rel=0.15)
        assert abs(lead.mean()) < 0.05 * np.ptp(lead)


def test_every_system_under_both_versions(results, told):
    kinds = [(r["part"], r["system"], r["noise_version"]) for r in results]
    streamed = [("streamed", name, v) for name in ("identity", "deepfilter", "unet-seed") for v in (1, 2)]
    assert sorted(kinds) == sorted([*streamed, ("beats", "deepfilter", 1), ("beats", "deepfilter", 2)])
    assert told[-1][1] == told[-1][2] == 8
    for result in results:
        assert [record["record"] for record in result["records"]] == list(TEST)


def test_a_network_is_better_than_its_input(results):
    rows = summarise([result for result in results if result["part"] == "streamed"])
    for name in ("deepfilter", "unet-seed"):
        assert mean_of(rows, name, "ssd") < mean_of(rows, "identity", "ssd")
        assert mean_of(rows, name, "cosine") > mean_of(rows, "identity", "cosine")


def test_beats_are_cut_from_the_output_where_they_were(settings, monkeypatch, tmp_path):
    """Without noise what does nothing must score as perfect, whatever the delay."""
    monkeypatch.setattr(evaluate_qtdb, "RATIOS", (0.0, 0.0))
    evaluate_qtdb._play.cache_clear()
    idle = replace(settings, models=("identity",), lookaheads_ms=(0.0, 300.0))
    results = run(idle, tmp_path, lambda *_: None)
    evaluate_qtdb._play.cache_clear()
    assert len(results) == 4
    for record in (record for result in results for record in result["records"]):
        assert record["ssd"] == pytest.approx(0, abs=1e-6)
        assert record["cosine"] == pytest.approx(1, abs=1e-6)
        # Beats of the 50 s after the warm-up, or a few less.
        assert 20 < record["beats"] < 100


def test_records_play_as_long_as_the_shortest_and_long_enough_to_be_scored(settings, qtdb_data):
    played = evaluate_qtdb._play(1, 2, 1000.0, qtdb_data)
    assert {one.raw.shape for one in played.values()} == {(2, SECONDS * 360)}
    assert all(one.spans[-1, 1] > 80 * 360 for one in played.values())
    with pytest.raises(
        InputError, match=r"sel1 outlines no beat between second 10, .* and second 9; give more"
    ):
        evaluate_qtdb._play(1, 1, 9.0, qtdb_data)


def test_what_is_done_is_not_done_again(settings, results, out, monkeypatch):
    def nothing(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(evaluate_qtdb, "streamed_part", nothing)
    monkeypatch.setattr(evaluate_qtdb, "beats_part", nothing)
    assert run(settings, out, lambda *_: None) == results


# The report


def test_the_report_holds_both_tables_beside_what_was_published(settings, results, tmp_path):
    folder = tmp_path / "qtdb"
    for _ in range(2):
        score_filters(folder, settings.data_dir)
    runs = read_results(folder)
    assert len((folder / "qtdb.jsonl").read_text().splitlines()) == len(runs) == 2 * len(FILTERS)
    text = write_qtdb(runs, results, settings, folder)
    report = json.loads((folder / "summary.json").read_text())
    assert markdown(report) == text == evaluate_tables.tables(tmp_path)
    for name in PUBLISHED:
        assert f"| published: {name} |" in text
    for row in report["beats"] + report["streamed"]:
        assert row["ssd_low"] <= row["ssd"] <= row["ssd_high"]
        assert f"| {row['ssd']:.2f} ({row['ssd_low']:.2f} … {row['ssd_high']:.2f}) |" in text
    assert "| deepfilter | weights of Track F | 1 + 2 |" in text
    assert "qtdb/sel1.pu1" in report["manifest"]["data_sha256"]
    assert len((folder / "scores.csv").read_text().splitlines()) == 1 + len(TEST) * (len(runs) + len(results))
    for picture in ("qtdb.png", "examples.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")


def test_the_mean_is_over_beats_and_the_interval_over_records():
    figures = {"mad": 1.0, "prd": 1.0, "cosine": 1.0}
    records = [
        {"record": "a", "beats": 1, "ssd": 4.0, **figures},
        {"record": "b", "beats": 3, "ssd": 0.0, **figures},
    ]
    [row] = summarise([{"system": "x", "noise_version": v, "records": records} for v in (2, 1)])
    assert (row["ssd"], row["ssd_low"], row["ssd_high"]) == (1, 0, 4)
    assert (row["beats"], row["versions"]) == (8, [1, 2])
