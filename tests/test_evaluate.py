"""The tables: what they score, and that they score it right."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from ecg_stream.command_line import commands
from engine.lab.evaluate.frontier import FrontierSettings, frontier
from engine.lab.evaluate.report import interval, markdown, summarise, write_report
from engine.lab.evaluate.scores import Heard, Score
from engine.lab.evaluate.tables import tables
from engine.lab.evaluate.track_f import EvaluateSettings, evaluate
from models import registry
from models.card import read_card, write_card
from models.card_figures import add_figures
from models.registry import load_card
from streamer.errors import InputError
from streamer.synthetic import SyntheticPatient


@pytest.fixture(scope="module")
def settings(made_physionet):
    return EvaluateSettings(
        models=("unet", "identity"),
        records=("100", "114"),
        noises=("em",),
        snrs=(0.0, 12.0),
        lookaheads_ms=(50.0, 300.0),
        hop_ms=100.0,
        start=5.0,
        seconds=20.0,
        data_dir=made_physionet,
    )


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluated")


@pytest.fixture(scope="module")
def results(settings, told, out):
    return evaluate(settings, out, lambda *progress: told.append(progress))


def scores_of(results):
    return [Score(**fields) for result in results for fields in result["scores"]]


@pytest.fixture(scope="module")
def scores(results):
    return scores_of(results)


def rows_of(scores, **wanted):
    return [s for s in scores if all(getattr(s, name) == value for name, value in wanted.items())]


def test_every_system_meets_every_condition_on_every_record(scores):
    systems = {(score.system, score.delay_ms) for score in scores}
    # Two systems at two look-aheads, and the offline filter; two levels and two kinds of clean input.
    assert len(systems) == 5
    assert len(scores) == 5 * 4 * 2


def test_who_states_no_spread_is_not_said_to_be_beyond_it(scores):
    assert {score.within_spread for score in rows_of(scores, system="identity")} == {None}
    assert all(0 < score.within_spread < 1 for score in rows_of(scores, system="unet", delay_ms=400.0))


def test_identity_is_its_input(scores):
    for row in rows_of(scores, system="identity", snr=0.0):
        assert row.improvement_db == pytest.approx(0, abs=1e-4)
    for snr in (0.0, 12.0):
        for row in rows_of(scores, system="identity", noise="em", snr=snr):
            # Mixed to this level over all 20 s, scored without the first 10.
            assert row.snr_in_db == pytest.approx(snr, abs=4)
    for row in rows_of(scores, system="identity", snr=None, own_drift="remove"):
        assert row.snr_out_db > 140


def test_the_record_s_own_drift_is_noise_only_where_it_is_kept(scores):
    for record in ("100", "114"):
        kept, removed = (
            rows_of(scores, system="identity", snr=None, own_drift=drift, record=record)[0].snr_out_db
            for drift in ("keep", "remove")
        )
        assert kept < 10 < removed


def test_the_network_beats_doing_nothing(scores):
    for delay in {score.delay_ms for score in rows_of(scores, system="unet")}:
        for row in rows_of(scores, system="unet", delay_ms=delay, noise="em", snr=0.0):
            # The noise here is made of steps, which no electrode makes.
            assert row.improvement_db > 1


def test_figures_agree_with_each_other(scores):
    for row in rows_of(scores, noise="em"):
        assert row.prd_percent == pytest.approx(100 * 10 ** (-row.snr_out_db / 20), rel=1e-6)
        assert -1 <= row.correlation <= 1


def test_progress_is_told_to_the_end(scores, told):
    assert told[-1][1] == told[-1][2] == 20
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_the_same_settings_give_the_same_scores(scores, settings, tmp_path):
    fewer = replace(settings, snrs=(0.0,), lookaheads_ms=(300.0,))
    again = scores_of(evaluate(fewer, tmp_path, lambda *progress: None))
    assert len(again) == 3 * 3 * 2
    assert all(score in scores for score in again)


def test_it_goes_on_where_it_was(settings, out, results, told):
    """All parts are kept; one that is lost is computed again, and nothing else."""
    told.clear()
    kept = sorted((out / "parts").iterdir())
    before = {path: path.stat().st_mtime_ns for path in kept}
    kept[0].unlink()
    assert evaluate(settings, out, lambda *progress: told.append(progress)) == results
    assert [count for _, count, _ in told] == [19, 20]
    assert [path for path in kept if path.stat().st_mtime_ns != before[path]] == [kept[0]]


def test_two_leads_are_heard_together_and_scored_apart(settings, out):
    pair = replace(settings, models=("acdae",), snrs=(0.0,), lookaheads_ms=(300.0,))
    scores = scores_of(evaluate(pair, out, lambda *progress: None))
    both = rows_of(scores, system="acdae", noise="em")
    assert sorted((row.record, row.lead) for row in both) == [
        (record, lead) for record in ("100", "114") for lead in ("first", "second")
    ]
    alone = {row.record: row for row in rows_of(scores, system="butterworth-offline", noise="em")}
    for row in both:
        same = row.snr_in_db == pytest.approx(alone[row.record].snr_in_db, abs=1e-6)
        assert same == (row.lead == "first")  # the noise on MLII is what one-lead systems hear


def test_the_summary_names_the_worst_record(scores, results):
    for row in summarise(results):
        members = rows_of(
            scores, system=row["system"], delay_ms=row["delay_ms"], noise=row["noise"], snr=row["snr"],
            own_drift=row["own_drift"],
        )  # fmt: skip
        worst = min(members, key=lambda member: member.improvement_db)
        assert row["worst_record"] == worst.record
        assert row["worst_improvement_db"] == worst.improvement_db
        assert row["snr_out_low_db"] <= row["snr_out_db"] <= row["snr_out_high_db"]
        assert row["improvement_low_db"] <= row["improvement_db"] <= row["improvement_high_db"]
        assert row["records"] == 2


def test_the_report_says_what_it_was_made_from(scores, results, settings, tmp_path):
    folder = tmp_path / "track-f"
    write_report(results, settings, folder)
    with (folder / "scores.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(scores)
    report = json.loads((folder / "summary.json").read_text())
    manifest = report["manifest"]
    assert len(manifest["weights_sha256"]["unet"]) == len(manifest["code_sha256"]) == 64
    assert set(manifest["data_sha256"]) >= {"mitdb/100.dat", "mitdb/114.atr", "nstdb/em.dat"}
    assert manifest["settings"]["records"] == ["100", "114"]
    assert str(settings.data_dir) not in (folder / "summary.json").read_text()
    assert report["systems"]["unet"]["parameters"] == 928_337
    assert report["systems"]["unet"]["macs_per_s"] > 1e6
    assert report["systems"]["unet"]["training"] == "16,000 × 64"
    assert report["systems"]["identity"]["training"] == ""
    text = (folder / "report.md").read_text()
    assert text == markdown(report)
    assert text.count("\n|") == 2 + 3 + 2 + 5 * 4
    for picture in ("snr.png", "examples.png"):
        assert (folder / picture).stat().st_size > 10_000


def test_tables_are_made_from_result_files_alone(results, settings, tmp_path):
    write_report(results, settings, tmp_path / "track-f")
    text = tables(tmp_path)
    row = next(
        r for r in summarise(results) if (r["system"], r["delay_ms"], r["snr"]) == ("unet", 400.0, 12.0)
    )
    gain = (
        f"{row['improvement_db']:+.1f} ({row['improvement_low_db']:+.1f} … {row['improvement_high_db']:+.1f})"
    )
    line = next(line for line in text.splitlines() if line.startswith("| unet | 400 ms") and gain in line)
    assert line.startswith("| unet | 400 ms | 16,000 × 64 |")
    assert line.count("|") == 6
    assert "Budgets were unequal" in text
    assert "| identity | 400 ms |  | +0.0 (+0.0 … +0.0) | +0.0 (+0.0 … +0.0) |" in text
    with pytest.raises(InputError, match="holds no results"):
        tables(tmp_path / "track-f")


def test_cards_get_the_figures_of_their_own_weights(results, settings, tmp_path, monkeypatch):
    report = write_report(results, settings, tmp_path / "track-f")
    shipped = load_card("unet").trained
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path / "weights")
    (tmp_path / "weights").mkdir()
    path = tmp_path / "weights" / "unet.json"
    own = report["manifest"]["weights_sha256"]["unet"]
    write_card(path, replace(shipped, weights_sha256="of other weights"))
    assert add_figures(report) == []
    write_card(path, replace(shipped, weights_sha256=own, data="kept"))
    assert add_figures(report) == ["unet"]
    card = read_card(path)
    assert card.data == "kept"
    assert len(card.track_f) == 2 * 4  # two look-aheads, four conditions
    row = next(
        r for r in summarise(results) if (r["system"], r["delay_ms"], r["snr"]) == ("unet", 400.0, 0.0)
    )
    noted = next(f for f in card.track_f if (f.delay_ms, f.snr) == (400.0, 0.0))
    assert noted.improvement_db == round(row["improvement_db"], 2)


# Figures


def heard(noise):
    patient = SyntheticPatient(fs=360.0).read(0, 20 * 360)
    beats = np.array([mark.sample for mark in patient.annotations])
    reference = patient.reference[0]
    return Heard(360.0, reference + noise.astype(np.float32), reference, beats, beats[3::4])


def test_an_error_is_named_after_its_band():
    time = np.arange(20 * 360) / 360
    slow, fast = 0.1 * np.sin(2 * np.pi * 0.1 * time), 0.1 * np.sin(2 * np.pi * 30 * time)
    drifting, trembling = (heard(noise).figures(heard(noise).raw, qrs=False) for noise in (slow, fast))
    assert drifting["drift_uv"] == pytest.approx(100 / np.sqrt(2), rel=0.1)
    assert trembling["drift_uv"] < 10
    assert drifting["snr_out_above_2hz_db"] > trembling["snr_out_above_2hz_db"] + 20
    for figures in (drifting, trembling):
        assert figures["max_error_mv"] == pytest.approx(0.1, rel=0.05)
        assert figures["snr_out_db"] == figures["snr_in_db"]


def test_an_st_shift_is_seen_and_an_offset_is_not():
    record = heard(np.zeros(20 * 360))
    shifted = record.reference.copy()
    for beat in record.beats:
        shifted[beat + 30 : beat + 45] += 0.2
    assert record.figures(shifted, qrs=False)["st_error_uv"] == pytest.approx(200, abs=5)
    assert record.figures(record.reference + np.float32(1), qrs=False)["st_error_uv"] < 0.01


def test_beats_that_a_system_removes_are_missed():
    record = heard(np.zeros(20 * 360))
    whole = record.figures(record.reference, qrs=True)
    assert whole["qrs_f1"] == whole["qrs_f1_raw"] > 0.95
    assert whole["r_jitter_ms"] == 0
    half = record.reference.copy()
    half[10 * 360 :] = 0
    figures = record.figures(half, qrs=True)
    assert figures["qrs_sensitivity"] == pytest.approx(0.5, abs=0.1)
    assert figures["qrs_predictivity"] > 0.9
    late = record.figures(np.roll(record.reference, 9), qrs=True)
    assert late["r_jitter_ms"] == pytest.approx(25, abs=6)


def test_beats_of_which_less_than_half_is_left_are_counted():
    record = heard(np.zeros(20 * 360))
    output = record.reference.copy()
    for beat, left in zip(record.beats[2:5], (0.4, 0.3, 0.6), strict=True):
        output[beat - 36 : beat + 54] *= left
    figures = record.figures(output + np.float32(1), qrs=False)
    counted = {kind: (figures[kind], figures[f"{kind}_lost"]) for kind in ("beats", "ventricular")}
    assert counted == {"beats": (len(record.beats), 2), "ventricular": (len(record.ventricular), 1)}


def test_the_interval_covers_the_mean_and_shrinks_with_records():
    rng = np.random.default_rng(1)
    few, many = rng.normal(5, 1, 10), rng.normal(5, 1, 1000)
    low, high = interval(few)
    assert low < few.mean() < high
    assert np.diff(interval(many))[0] < 0.3 * (high - low)


def test_an_unknown_network_is_refused(settings, tmp_path):
    with pytest.raises(InputError, match="'oracle' is unknown"):
        evaluate(replace(settings, models=("oracle",)), tmp_path, lambda *progress: None)


# The commands


def run(*arguments):
    """A command in this process: what it came to, and what it printed."""
    return CliRunner().invoke(commands, ["evaluate", *map(str, arguments)])


def test_the_command_leaves_a_report_and_prints_its_tables(made_physionet, tmp_path):
    asked = (
        *("track-f", "--models", "identity", "--records", "100", "--noises", "em", "--snrs", 0),
        *("--start", 5, "--seconds", 20, "--jobs", 1, "--data-dir", made_physionet),
        *("--out", tmp_path / "track-f"),
    )
    ran = run(*asked)
    assert ran.exit_code == 0, ran.output
    settings = json.loads((tmp_path / "track-f" / "summary.json").read_text())["manifest"]["settings"]
    assert (settings["models"], settings["records"], settings["snrs"]) == (["identity"], ["100"], [0.0])
    assert (settings["start"], settings["seconds"], settings["qrs"]) == (5.0, 20.0, False)
    assert (tmp_path / "track-f" / "report.md").read_text() in ran.output
    ran = run("tables", tmp_path)
    assert ran.exit_code == 0, ran.output
    assert "| identity | 339 ms |" in ran.output


@pytest.mark.parametrize(
    ("arguments", "module", "name", "seconds"),
    [
        (["stress"], "stress", "evaluate_stress", None),
        (["stress", "--seconds", "30"], "stress", "evaluate_stress", 30.0),
        (["qtdb"], "qtdb", "evaluate_qtdb", 120.0),
        (["safety"], "safety", "evaluate_safety", 3600.0),
        (["frontier", "--lookahead", "0,100"], "frontier", "frontier", 60.0),
    ],
)
def test_each_track_gets_what_was_asked_for(monkeypatch, tmp_path, arguments, module, name, seconds):
    class Asked(Exception):
        pass

    def take(settings, *rest):
        raise Asked(settings)

    from engine.lab.evaluate import frontier, qtdb, stress
    from engine.lab.safety import track
    from models.benches import qtdb_results

    monkeypatch.setattr(qtdb_results, "score_filters", lambda *rest: None)
    place = {"stress": stress, "qtdb": qtdb, "safety": track, "frontier": frontier}[module]
    monkeypatch.setattr(place, name, take)
    ran = run(*arguments, "--models", "unet,dwt", "--hop", 100, "--jobs", 3, "--out", tmp_path)
    assert isinstance(ran.exception, Asked), ran.output
    settings = ran.exception.args[0]
    settings = getattr(settings, "evaluated", settings)
    assert (settings.models, settings.hop_ms, settings.jobs) == (("unet", "dwt"), 100.0, 3)
    assert settings.lookaheads_ms == ((0.0, 100.0) if module == "frontier" else (300.0,))
    assert settings.seconds == seconds


def test_a_frontier_takes_a_system_in_anew_and_keeps_the_others(settings, tmp_path):
    few = replace(settings, snrs=(0.0,), records=("100",), lookaheads_ms=(50.0,), clean=False)

    def draw(*models, **changed):
        one = replace(few, models=models, **changed)
        return frontier(FrontierSettings(one), tmp_path, lambda *progress: None)

    first = draw("identity", "butterworth")
    second = draw("butterworth")
    assert list(second["kinds"]) == ["identity", "butterworth"]
    assert second["manifest"]["code_sha256"].keys() == second["manifest"]["weights_sha256"].keys()

    def key(row):
        return row["system"], str(row["delay_ms"])

    assert sorted(second["rows"], key=key) == sorted(first["rows"], key=key)
    assert json.loads((tmp_path / "frontier.json").read_text())["rows"] == second["rows"]
    with pytest.raises(InputError, match="was made with other snrs_db; give another --out"):
        draw("identity", snrs=(6.0,))
