"""Whole runs with faults, full disks and files that rotate: what the session and the command say of them."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import wfdb
from job_tools import job_of
from test_recording import no_file_larger_than, parts
from typer.testing import CliRunner

from ecg_stream import command_line
from engine.lab.soak.day import SoakSettings, soak
from engine.messages import Cleaned
from engine.run.session import Session
from engine.run.summary import as_json
from streamer.errors import InputError


def job(**changes):
    usual = {"noise": "none", "seconds": 40.0, "speed": 0.0, "leads": ("II", "V1"), "hop_ms": 200.0}
    return job_of(**usual | changes)


def test_a_run_with_every_fault_closes_its_account_and_says_what_was_done():
    messages = []
    summary = Session(job(faults="all:3")).run(show=messages.append).summary
    assert summary.samples_lost == 0
    assert summary.samples_out == summary.samples_in
    assert sum(summary.streams[0].marks.values()) == 2 * summary.samples_out
    assert summary.samples_out + summary.gap_samples == messages[-1].stop
    assert summary.streams[0].marks["missing"] >= summary.streams[0].faults.injected["nan"].samples > 0
    assert summary.streams[0].faults.seed == 3
    assert summary.streams[0].stream.counts.duplicates > 0
    assert summary.streams[0].stream.states["LOST"] == sum(
        summary.streams[0].faults.injected[kind].count for kind in ("disconnect", "leads")
    )
    json.dumps(as_json(summary), allow_nan=False)


def test_streams_side_by_side_do_not_fail_together():
    (first,) = job(faults="nan:3", seconds=30.0).sources
    both = job_of(first, replace(first, seed=9), hop_ms=200.0)
    streams = Session(both).run().summary.streams
    listed = [stream.faults.listed for stream in streams]
    assert listed[0]
    assert listed[0] != listed[1]


def test_a_run_without_faults_says_so():
    assert Session(job(seconds=2.0)).run().summary.streams[0].faults is None


def test_noise_and_pause_reach_a_signal_through_its_faults():
    session = Session(job(faults="gaps", seconds=2.0))
    session.pause(True)
    assert not session.streams[0].player._playing.is_set()
    session.pause(False)
    session.set_noise(session.streams[0].settings.noise_settings)
    session.run()


def test_a_full_disk_ends_the_recording_and_the_run_goes_on(tmp_path):
    session = Session(job(seconds=20.0, save=tmp_path))
    seen = []

    def show(message):
        seen.append(session.status())

    with no_file_larger_than(40_001):
        summary = session.run(show=show).summary
    assert summary.samples_out == 20 * 360
    assert "the recording has ended" in summary.streams[0].recording_problem
    assert summary.streams[0].recording_problem == seen[-1].recording_problem
    assert seen[-1].recording is None
    assert seen[0].recording == summary.streams[0].recording
    kept = wfdb.rdrecord(summary.streams[0].recording).p_signal
    # Six signals of three bytes each.
    assert 40_000 / 18 - 200 < len(kept) <= 40_000 / 18


def test_a_recording_rotates_when_asked(tmp_path):
    messages = []
    ran = Session(job(seconds=20.0, faults="gaps,disconnect:1", save=tmp_path, rotate_minutes=0.1))
    summary = ran.run(show=messages.append).summary
    signals = np.concatenate([wfdb.rdrecord(str(path)).p_signal for path in parts(tmp_path)])
    assert len(signals) == messages[-1].stop
    assert summary.streams[0].recording_files == len(parts(tmp_path)) == -(-len(signals) // (6 * 360))
    for message in messages:
        if isinstance(message, Cleaned):
            np.testing.assert_allclose(signals[message.start : message.stop, 0], message.raw[0], atol=0.00051)
    known = np.concatenate([np.arange(m.start, m.stop) for m in messages if isinstance(m, Cleaned)])
    assert np.isnan(np.delete(signals[:, 0], known)).all()


def test_a_short_soak_is_exact_and_counts_every_kind(tmp_path):
    figures = soak(SoakSettings(hours=0.06, streams=3, hop_ms=200.0, seed=5, record=tmp_path))
    assert figures["exact"]
    assert figures["hours"] == pytest.approx(0.06, abs=0.003)
    for stream in figures["per_stream"].values():
        assert stream["account_closes"]
        assert stream["samples_with_wrong_index"] == 0
        parts_of = ("cleaned", "warmup", "bypassed", "missing", "gap_samples")
        assert stream["samples"] == sum(stream[part] for part in parts_of)
        assert sum(stream["faults"].values()) > 10
    first = next(iter(figures["per_stream"].values()))
    assert figures["recording"] == {"files": 1, "frames": first["samples"], "problem": ""}


def test_a_soak_sees_a_sample_that_changes(monkeypatch):
    from engine.backends.filters import FilterRuntime

    def changed(self, inputs):
        out = inputs["noisy"].copy()
        out[0, 0, -40] += 0.01
        return (out,)

    monkeypatch.setattr(FilterRuntime, "run", changed)
    figures = soak(SoakSettings(hours=0.005, streams=1, hop_ms=200.0))
    assert not figures["exact"]
    assert "cannot be right" in next(iter(figures["per_stream"].values()))["problems"][0]


def test_ctrl_c_ends_a_soak_with_its_account(tmp_path):
    def press(hours):
        if hours > 0:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    figures = soak(SoakSettings(hours=9.0, streams=1, record=tmp_path), press)
    assert signal.getsignal(signal.SIGINT) is before
    assert figures["exact"]
    assert 0.1 < figures["hours"] < 0.3
    first = next(iter(figures["per_stream"].values()))
    assert figures["recording"] == {"files": 1, "frames": first["samples"], "problem": ""}


@pytest.mark.parametrize(
    "wrong", [{"hours": 0.0}, {"hours": float("nan")}, {"streams": 0}, {"faults": "gasp"}]
)
def test_a_soak_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError):
        SoakSettings(**wrong)


def test_help_names_every_fault():
    shown = CliRunner().invoke(command_line.app, ["--help-all"], env={"COLUMNS": "200"}).stdout
    for word in ("--faults", "lead-off", "disconnect", "--rotate", "soak"):
        assert word in shown
