"""`ecg-stream profile files` says what cleaning costs; what it counts is right, what it times is its own."""

import json

import numpy as np
import pytest
from file_tools import MODEL, ecg

from engine.commands.profile.files_command import files
from engine.lab.profile.files import profile_files
from streamer.errors import InputError


def test_ways_are_timed_over_the_same_files(tmp_path, write_record, capsys):
    write_record(tmp_path, "a", ecg(8, 2), leads=("I", "II"))
    files([str(tmp_path / "a.hea")], jobs=1, model=MODEL, play=4.0, json_file=tmp_path / "out.json")
    figures = json.loads((tmp_path / "out.json").read_text())
    assert [(way["way"], way["jobs"], way["leads_s"]) for way in figures["ways"]] == [
        ("clean", 1, 16.0),
        ("play", 1, 8.0),
    ]
    assert all(way["cpu_s"] > 0 for way in figures["ways"])
    assert figures["memory_mb"] > 30
    assert "s of leads a s of CPU" in capsys.readouterr().out


def test_a_file_that_is_refused_is_no_figure(tmp_path):
    np.save(tmp_path / "a.npy", ecg(4, 1)[0])
    with pytest.raises(InputError, match="does not say its rate"):
        profile_files([str(tmp_path / "a.npy")], 1, MODEL, 0, lambda what: None)
