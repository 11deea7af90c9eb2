"""`ecg-stream profile day` says what memory a long file takes, of a file that others read."""

import json

import edfio
import numpy as np
from file_tools import MODEL

from engine.commands.profile.day_command import day
from engine.lab.profile.day import FS, LEADS, make_edf
from streamer.synthetic import SyntheticPatient


def test_a_made_file_holds_patients_one_after_the_other(tmp_path):
    make_edf(tmp_path / "a.edf", hours=0.02)
    found = edfio.read_edf(tmp_path / "a.edf")
    assert (found.duration, found.labels) == (72.0, tuple(f"ECG {lead}" for lead in LEADS))
    for start_s, seed in ((0, 0), (60, 1)):
        right = SyntheticPatient(leads=LEADS, fs=FS, seed=seed).read(0, FS * 10).data
        start = start_s * FS
        read = np.array([signal.data[start : start + FS * 10] for signal in found.signals])
        assert np.abs(read - right).max() < 16 / 2**16


def test_memory_is_told_part_by_part(tmp_path, capsys):
    day(hours=0.005, model=MODEL, json_file=tmp_path / "out.json")
    figures = json.loads((tmp_path / "out.json").read_text())
    assert (figures["leads"], figures["hours"], len(figures["memory_mb"])) == (12, 0.005, 13)
    assert figures["memory_mb"] == sorted(figures["memory_mb"])
    assert figures["memory_mb"][0] > 30
    assert "in the first twelfth" in capsys.readouterr().out
