"""The tables: what they score, and that they score it right."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from engine.evaluate import EvaluateSettings, evaluate, interval, summarise, write_report
from streamer.errors import InputError


@pytest.fixture(scope="module")
def settings(made_physionet):
    return EvaluateSettings(
        models=("unet",),
        records=("100", "114"),
        noises=("em",),
        snrs=(0.0, 12.0),
        lookaheads_ms=(50.0, 300.0),
        start=5.0,
        seconds=25.0,
        data_dir=made_physionet,
    )


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def scores(settings, told):
    return evaluate(settings, lambda *progress: told.append(progress))


def rows_of(scores, **wanted):
    return [s for s in scores if all(getattr(s, name) == value for name, value in wanted.items())]


def test_every_system_meets_every_condition_on_every_record(scores):
    systems = {(score.system, score.delay_ms) for score in scores}
    # Three filters, and the network at two look-aheads; two levels and two kinds of clean input.
    assert len(systems) == 5
    assert len(scores) == 5 * 4 * 2


def test_identity_is_its_input(scores):
    for row in rows_of(scores, system="identity"):
        assert row.improvement_db == 0
    for snr in (0.0, 12.0):
        for row in rows_of(scores, system="identity", noise="em", snr=snr):
            # Mixed to this level over all 25 s, scored without the first 10.
            assert row.snr_in_db == pytest.approx(snr, abs=3)
    for row in rows_of(scores, system="identity", snr=None, own_drift="remove"):
        assert row.snr_out_db > 150


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
    assert told[-1][1] == told[-1][2] == 12
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_the_same_settings_give_the_same_scores(scores, settings):
    again = evaluate(replace(settings, snrs=(0.0,), lookaheads_ms=(300.0,)), lambda *progress: None)
    same = {(s.system, s.delay_ms, s.noise, s.snr, s.own_drift, s.record): s for s in scores}
    for score in again:
        assert (
            score
            == same[(score.system, score.delay_ms, score.noise, score.snr, score.own_drift, score.record)]
        )


def test_the_summary_names_the_worst_record(scores):
    for row in summarise(scores):
        members = rows_of(
            scores, system=row["system"], delay_ms=row["delay_ms"], noise=row["noise"], snr=row["snr"],
            own_drift=row["own_drift"],
        )  # fmt: skip
        worst = min(members, key=lambda member: member.improvement_db)
        assert row["worst_record"] == worst.record
        assert row["worst_improvement_db"] == worst.improvement_db
        assert row["snr_out_low_db"] <= row["snr_out_db"] <= row["snr_out_high_db"]
        assert row["records"] == 2


def test_the_report_says_what_it_was_made_from(scores, settings, tmp_path):
    write_report(scores, settings, tmp_path / "new")
    folder = tmp_path / "new"
    with (folder / "scores.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(scores)
    report = json.loads((folder / "summary.json").read_text())
    assert len(report["manifest"]["graph_sha256"]["unet"]) == 64
    assert len(report["manifest"]["code_sha256"]) == 64
    assert report["manifest"]["settings"]["records"] == ["100", "114"]
    assert str(settings.data_dir) not in (folder / "summary.json").read_text()
    text = (folder / "report.md").read_text()
    assert text.count("\n|") == 2 + 5 * 4
    assert (folder / "snr.png").stat().st_size > 10_000


def test_the_interval_covers_the_mean_and_shrinks_with_records():
    rng = np.random.default_rng(1)
    few, many = rng.normal(5, 1, 10), rng.normal(5, 1, 1000)
    low, high = interval(few)
    assert low < few.mean() < high
    assert np.diff(interval(many))[0] < 0.3 * (high - low)


def test_an_unknown_network_is_refused(settings):
    with pytest.raises(InputError, match="'oracle' is unknown"):
        evaluate(replace(settings, models=("oracle",)), lambda *progress: None)
