"""The committed results: their reports are made from their result files, and from nothing else."""

import json
from pathlib import Path

import pytest

from engine.lab.evaluate.conformance.report import conformance_markdown
from engine.lab.evaluate.frontier import markdown as frontier_markdown
from engine.lab.evaluate.qtdb_report import PUBLISHED
from engine.lab.evaluate.qtdb_report import markdown as qtdb_markdown
from engine.lab.evaluate.report import markdown
from engine.lab.evaluate.tables import stress_markdown, tables
from engine.lab.safety.shown_rates import rates_markdown
from models.benches.qtdb_scores import METRICS
from models.benches.track_f import TEST_RECORDS
from models.benches.track_s_results import markdown as track_s_markdown
from models.benches.track_s_results import read_results
from models.registry import load_card, sha256

RESULTS = Path(__file__).parents[1] / "docs" / "results"
FILES = {
    "track-f": "summary.json",
    "lowdelay": "summary.json",
    "frontier": "frontier.json",
    "qrs": "summary.json",
    "rates": "rates.json",
    "stress": "stress.json",
    "qtdb": "summary.json",
    "conformance": "conformance.json",
    "conformance-rates": "conformance.json",
}


def summary(track, name):
    return json.loads((RESULTS / track / name).read_text(encoding="utf-8"))


def report(track):
    return (RESULTS / track / "report.md").read_text(encoding="utf-8")


def test_reports_follow_from_the_result_files():
    for track in ("track-f", "qrs"):
        assert report(track) == markdown(summary(track, "summary.json"))
    assert report("lowdelay") == markdown(summary("lowdelay", "summary.json"))
    frontier = (RESULTS / "frontier" / "frontier.md").read_text(encoding="utf-8")
    assert frontier == frontier_markdown(summary("frontier", "frontier.json"))
    assert report("track-s") == track_s_markdown(read_results(RESULTS / "track-s"))
    assert report("stress") == stress_markdown(summary("stress", "stress.json")["rows"])
    for track in ("conformance", "conformance-rates"):
        assert report(track) == conformance_markdown(summary(track, "conformance.json"))
    assert report("qtdb") == qtdb_markdown(summary("qtdb", "summary.json"))
    assert (RESULTS / "tables.md").read_text(encoding="utf-8") == tables(RESULTS)


def test_of_ten_thousand_windows_without_a_heart_beat_no_raw_one_shows_a_heart_rate():
    results = summary("rates", "rates.json")
    rows = results["rows"]
    assert report("rates") == rates_markdown(rows, results["patients"])
    assert sum(row["windows"] for row in rows) >= 10_000
    assert sum(row["raw"] for row in rows) == 0
    assert not any(row["cleaned"] for row in rows)


def test_track_f_is_of_all_test_records_and_beside_the_identity():
    found = summary("track-f", "summary.json")
    assert tuple(found["manifest"]["settings"]["records"]) == TEST_RECORDS
    rows = [row for row in found["rows"] if row["snr"] is not None and row["lead"] == "first"]
    idle = {(row["noise"], row["snr"]): row for row in rows if row["system"] == "identity"}
    for row in rows:
        assert row["records"] == len(TEST_RECORDS)
        # Every system heard the same: the gain is over the identity's row.
        assert row["snr_in_db"] == pytest.approx(idle[row["noise"], row["snr"]]["snr_out_db"], abs=0.01)


def test_the_beats_were_found_in_what_the_table_s_rows_are_of():
    """The run that found beats came to the table's own figures."""
    key = ("system", "noise", "snr", "own_drift", "lead")
    table = {tuple(row[part] for part in key): row for row in summary("track-f", "summary.json")["rows"]}
    for row in summary("qrs", "summary.json")["rows"]:
        known = table[tuple(row[part] for part in key)]
        assert row["snr_out_db"] == pytest.approx(known["snr_out_db"], abs=1e-6)
        assert 0 < row["qrs_f1"] <= 1


def test_the_figures_are_of_the_weights_that_are_shipped():
    for track, file in FILES.items():
        for name, fingerprint in summary(track, file)["manifest"]["weights_sha256"].items():
            if fingerprint is not None:
                assert sha256(load_card(name).weights_path) == fingerprint, (track, name)


def test_the_stress_input_lands_where_it_was_published_and_cleaning_helps():
    """Without denoising, ±150 ms: 0.991, 0.974, 0.907, 0.796, 0.617, 0.471 with NeuroKit's detector."""
    rows = summary("stress", "stress.json")["rows"]
    noisy = {
        (row["system"], row["snr_nst_db"]): row["f1"]
        for row in rows
        if (row["block"], row["detector"], row["tolerance_ms"]) == ("noisy", "xqrs", 150)
    }
    for level, known in {24: 0.991, 18: 0.974, 12: 0.907, 6: 0.796, 0: 0.617, -6: 0.471}.items():
        # Another detector than theirs: no closer than this.
        assert noisy["identity", level] == pytest.approx(known, abs=0.1)
    assert noisy["unet", 0] > noisy["identity", 0] + 0.1


def test_the_literature_s_bench_is_the_same_bench():
    """What learns nothing lands where it was published; the streamed table is beside its input's row."""
    found = summary("qtdb", "summary.json")
    rows = {row["system"]: row for row in found["beats"]}
    for name in ("fir", "iir"):
        assert rows[name]["versions"] == [1, 2]
        for metric, published in zip(METRICS, PUBLISHED[name.upper()], strict=True):
            assert rows[name][metric] == pytest.approx(published, rel=0.03)
    streamed = {row["system"]: row for row in found["streamed"]}
    assert {row["beats"] for row in streamed.values()} == {streamed["identity"]["beats"]}
    assert streamed["unet"]["cosine"] > streamed["butterworth"]["cosine"] > streamed["identity"]["cosine"]


def test_published_networks_land_where_they_were_published():
    """U-Net at −4 dB of emb: 6.97 ± 0.07 dB over the runs of its authors."""
    rows = {(row["system"], row["mixing"], row["snr_db"]): row for row in read_results(RESULTS / "track-s")}
    assert rows["unet-seed", "new", -4.0]["snr_out_db"] == pytest.approx(6.97, abs=0.3)
    assert rows["identity", "new", -4.0]["snr_out_db"] == pytest.approx(-4.0, abs=1e-3)
    assert rows["identity", "old", -4.0]["snr_out_db"] == pytest.approx(1.45, abs=0.06)
