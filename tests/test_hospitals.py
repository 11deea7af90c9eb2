"""Do no harm: whose leads are scored, against what, and what the report says of them."""

import json

import numpy as np
import pytest
from training_tools import KEPT_BACK, TRAINING, write_patients

from engine.lab.evaluate.hospitals import HospitalSettings, evaluate_hospitals, hospitals_markdown
from engine.lab.evaluate.tables import write_hospitals
from streamer.errors import InputError


@pytest.fixture(scope="module")
def settings(write_record, tmp_path_factory):
    folder = write_patients(tmp_path_factory.mktemp("patients"), write_record)
    return HospitalSettings(("identity", "butterworth"), patients=folder)


@pytest.fixture(scope="module")
def rows(settings, tmp_path_factory):
    return evaluate_hospitals(settings, tmp_path_factory.mktemp("out"), lambda *_: None)


def test_no_patient_who_trained_is_scored(rows):
    """Of the hospitals that train, the records kept back; of the others all."""
    records = {}
    for row in rows:
        records.setdefault((row["hospital"], row["unseen"]), set()).add(row["record"])
    both = {TRAINING, KEPT_BACK}
    closed = {(name, True): both for name in ("georgia", "ptbxl", "ptb")}
    assert records == closed | {
        (name, False): {KEPT_BACK} for name in ("cinc2011a", "ludb_rest", "chapman_ningbo")
    }


def test_leads_graded_clean_alone_are_scored(rows):
    assert {row["lead"] for row in rows} == {"I", "V1"}


def test_what_passes_everything_leaves_what_came(rows):
    """And a causal filter harms a clean ECG."""
    for row in rows:
        gain = row["snr_out_db"] - row["snr_in_db"]
        if row["system"] == "identity":
            assert gain == pytest.approx(0, abs=1e-3)
    filtered = [r["snr_out_db"] - r["snr_in_db"] for r in rows if r["system"] == "butterworth"]
    assert np.mean(filtered) < -0.5


def test_the_report_counts_the_harmed(rows, settings, tmp_path):
    text = hospitals_markdown(rows)
    line = next(each for each in text.splitlines() if "identity" in each and "**georgia**" in each)
    assert "| 4 |" in line
    assert line.endswith("| 0% |")
    line = next(each for each in text.splitlines() if "butterworth" in each and "**georgia**" in each)
    harmed = [
        r["snr_out_db"] - r["snr_in_db"] < -0.5
        for r in rows
        if r["system"] == "butterworth" and r["hospital"] == "georgia"
    ]
    assert line.endswith(f"| {np.mean(harmed):.0%} |")
    write_hospitals(rows, settings, tmp_path)
    assert json.loads((tmp_path / "hospitals.json").read_text())["rows"] == rows
    assert (tmp_path / "report.md").read_text() == text


def test_without_a_folder_there_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.delenv("ECG_STREAM_PATIENTS", raising=False)
    with pytest.raises(InputError, match="no folder of patients; name one with --patients"):
        evaluate_hospitals(HospitalSettings(("identity",)), tmp_path, lambda *_: None)
