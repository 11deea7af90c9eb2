"""A source that fails in the middle of its run: what came until then is cleaned, recorded and summed up."""

import json
import subprocess
import sys

import numpy as np
import pytest
from engine_tools import Counted
from job_tools import job_of
from serial_tools import FS, sending

import engine.run.newcomers
from engine.run.protocol import Told
from engine.run.session import Session
from streamer.errors import InputError
from streamer.records.record import read_record


class Failing(Counted):
    def chunks(self):
        yield from super().chunks()
        raise InputError("its rate has changed")


def run_of(monkeypatch, samples):
    source = Failing("bed", [(0, samples)] if samples else [])
    monkeypatch.setattr(engine.run.newcomers, "open_sources", lambda wanted, stopped: [source])
    return Session(job_of(speed=0.0))


def test_a_single_stream_that_fails_in_the_middle_is_summed_up(monkeypatch):
    told = []
    (stream,) = run_of(monkeypatch, 500).run(news=told.append).summary.streams
    assert (stream.failure, stream.samples_out) == ("its rate has changed", 500)
    assert [each.text for each in told if isinstance(each, Told)] == ["bed has ended: its rate has changed"]


def test_one_of_which_nothing_came_is_refused(monkeypatch):
    with pytest.raises(InputError, match="its rate has changed"):
        run_of(monkeypatch, 0).run()


def test_the_command_writes_everything_and_then_says_the_line(tmp_path):
    pytest.importorskip("serial", reason="pyserial is not installed (pip install -e '.[devices]')")
    report, picture = tmp_path / "run.json", tmp_path / "run.png"

    def piece(start, stop):
        return b"".join(f"{n % 1000},{n % 100}\n".encode() for n in range(start, stop))

    with sending(piece, fs=2 * FS) as device:
        ran = subprocess.run(
            [
                *(sys.executable, "-m", "ecg_stream", "--port", device.port, "--rate", str(FS)),
                *("--unit", "uV", "--columns", "2", "--counter", "1:1000", "--model", "identity"),
                *("--headless","--json", report, "--plot", picture, "--save", tmp_path),
            ],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert ran.returncode == 1, ran.stderr
    (stream,) = json.loads(report.read_text())["streams"]
    assert "samples a second, and --rate says 250" in stream["failure"]
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("ecg-stream: ")
    assert "--rate says 250" in last
    assert picture.stat().st_size > 10_000
    recorded = read_record(tmp_path / stream["recording"])
    assert recorded.data.shape[1] == stream["samples_out"] + stream["gap_samples"] > FS
    assert np.isfinite(recorded.data).any()
