"""From a device in another process through the engine to disk, to LSL again, and to a terminal."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque

import numpy as np
import pytest
from job_tools import job_of
from lsl_outlets import Device, running

from engine.lab.profile.lsl_path import account
from engine.run.failure import EngineFailure
from engine.run.process import EngineProcess
from engine.run.protocol import Status
from engine.run.session import Session
from models.registry import DEFAULT_NETWORK
from streamer.broadcast.outlet import BroadcastSettings
from streamer.lsl.network import Wanted, find_stream, load_pylsl
from streamer.lsl.settings import LslSettings
from streamer.records.record import read_record
from streamer.settings import SourceSettings


def live(name, seconds=None, **options):
    return SourceSettings(kind="lsl", seconds=seconds, lsl=LslSettings(name, **options))


@pytest.mark.parametrize("profile", ["polar-h10", "jittery", "dropping"])
def test_every_sample_of_a_device_is_cleaned_or_in_a_gap(profile):
    figures = account(profile, 10, DEFAULT_NETWORK, seed=5)
    assert figures["exact"], figures
    assert figures["received"] > 1000


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("profile", ["polar-h10", "jittery", "dropping"])
def test_ten_minutes_of_a_device_are_accounted_for(profile):
    figures = account(profile, 600, DEFAULT_NETWORK, seed=1)
    assert figures["exact"], figures


# wfdb itself, with the newest pandas
@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_a_recording_of_a_device_holds_stamps_and_states_and_plays_again(tmp_path):
    with running(BroadcastSettings("bed", profile="dropping", unit="uV")):
        summary = Session(job_of(live("bed", seconds=6), save=tmp_path)).run().summary
    assert summary.streams[0].stream.states["LIVE"] == 1
    path = tmp_path / os.path.basename(summary.streams[0].recording)
    events = [json.loads(line) for line in path.with_suffix(".events.jsonl").read_text().splitlines()]
    assert all({"utc", "monotonic"} <= event.keys() for event in events if event["event"] == "state")
    assert {"LIVE"} <= {event.get("state") for event in events}
    record = read_record(path)
    assert record.leads == ("II", "V1")
    frames = record.data.shape[1]
    assert frames == summary.samples_out + summary.gap_samples
    stamps = np.fromfile(path.with_suffix(".stamps"), "<f8")
    assert len(stamps) == frames
    np.testing.assert_array_equal(np.isnan(stamps), np.isnan(record.data[0]))
    known = np.flatnonzero(np.isfinite(stamps))
    slope = np.polyfit(known, stamps[known], 1)[0]
    assert 1 / slope == pytest.approx(360, rel=1e-3)
    again = SourceSettings(kind="replay", record=path.name, data_dir=tmp_path, speed=0)
    replayed = Session(job_of(again)).run().summary
    assert replayed.streams[0].leads == ["II", "V1"]
    assert replayed.samples_out == frames


def receive(name, seconds, into):
    """Pull as any client does: pylsl alone."""
    pylsl = load_pylsl()
    stream = find_stream(Wanted(name=name), timeout_s=20)
    inlet = pylsl.StreamInlet(stream.handle, max_buflen=60)
    into["info"] = inlet.info(10)
    into["samples"], into["stamps"] = [], []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        samples, stamps = inlet.pull_chunk(timeout=0.2, max_samples=4096, min_samples=1)
        into["samples"] += samples
        into["stamps"] += stamps


def test_the_cleaned_stream_is_understood_by_a_client_of_its_own():
    raw, cleaned, events = {}, {}, {}
    clients = [
        threading.Thread(target=receive, args=(name, 14, into))
        for name, into in (("bed", raw), ("bed cleaned", cleaned), ("bed cleaned-events", events))
    ]
    with running(BroadcastSettings("bed", profile="dropping", unit="uV", rate=500)):
        session = Session(job_of(live("bed", seconds=9), lsl_out="bed cleaned"))
        for client in clients:
            client.start()
        time.sleep(2)
        summary = session.run().summary
        for client in clients:
            client.join()
    info = cleaned["info"]
    assert (info.type(), info.nominal_srate(), info.channel_count()) == ("ECG", 500, 2)
    assert info.get_channel_labels() == ["II", "V1"]
    assert info.get_channel_units() == ["millivolts"] * 2
    processing = info.desc().child("processing")
    assert processing.child_value("network") == DEFAULT_NETWORK
    assert float(processing.child_value("lookahead_ms")) == pytest.approx(100)
    # To the network's rate and back: 28 ms more than 144.4.
    assert float(processing.child_value("algorithmic_delay_ms")) == pytest.approx(172.3, abs=1)
    assert len(cleaned["stamps"]) == summary.samples_out
    # Each cleaned sample has the very stamp of its raw one: the two align in any recorder.
    raw_stamps = np.array(raw["stamps"])
    nearest = raw_stamps[np.abs(raw_stamps[:, None] - np.array(cleaned["stamps"])[::50]).argmin(axis=0)]
    np.testing.assert_allclose(nearest, np.array(cleaned["stamps"])[::50], atol=1e-6)
    assert np.abs(np.array(cleaned["samples"])).max() < 20
    assert events["info"].nominal_srate() == 0
    told = [json.loads(text) for (text,) in events["samples"]]
    assert {"event": "state", "state": "LIVE"} in told
    assert sum(event["event"] == "gap" for event in told) == summary.gaps


def test_mne_lsl_reads_the_cleaned_stream():
    mne_lsl = pytest.importorskip("mne_lsl.lsl", reason="mne-lsl is not installed (pip install mne-lsl)")
    with running(BroadcastSettings("bed")):
        session = Session(job_of(live("bed", seconds=6), lsl_out="for mne"))
        runner = threading.Thread(target=session.run)
        (found,) = mne_lsl.resolve_streams(timeout=5, name="for mne")
        inlet = mne_lsl.StreamInlet(found)
        inlet.open_stream(timeout=10)
        runner.start()
        time.sleep(5)
        samples, stamps = inlet.pull_chunk(timeout=1)
        info = inlet.get_sinfo(timeout=5)
        runner.join()
    assert info.sfreq == 360
    assert info.get_channel_names() == ["II", "V1"]
    assert info.get_channel_units() == ["millivolts"] * 2
    assert samples.shape == (len(stamps), 2)
    np.testing.assert_allclose(np.diff(stamps), 1 / 360, atol=1e-6)


def test_an_engine_that_crashes_is_reported_and_takes_nothing_down():
    with running(Device("bed")), EngineProcess(job_of(live("bed"))) as engine:
        engine.wait_started()
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(EngineFailure, match="without a word"):
            engine.finished(20)


def test_the_screen_hears_of_a_loss():
    with running(Device("bed")) as (process,), EngineProcess(job_of(live("bed", wait=True))) as engine:
        engine.wait_started()
        states, deadline = deque(maxlen=1), time.monotonic() + 30
        while time.monotonic() < deadline and list(states) != ["LOST"]:
            engine.finished(0.1)
            for item in engine.frames():
                if isinstance(item, Status):
                    states.append(item.state)
                    if item.state == "LIVE":
                        process.kill()
        assert list(states) == ["LOST"]
        engine.stop()
        outcome = engine.finished(20)
    assert outcome.summary.streams[0].stream.state == "LOST"
    # What waited for look-ahead has left.
    assert outcome.summary.samples_in == outcome.summary.samples_out > 0


class Command:
    """`ecg-stream` in a process of its own, as a person starts it."""

    def __init__(self, *arguments):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ecg_stream", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        with self._process.stdout as output:
            for line in output:
                self.lines.append(line)

    def wait_for(self, text, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        while not any(text in line for line in self.lines):
            assert time.monotonic() < deadline, self.lines
            assert self._process.poll() is None, self.lines
            time.sleep(0.05)

    def interrupt(self, timeout_s=20):
        """Ctrl-C, which a terminal sends to all; returns the exit status."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self.end(timeout_s)

    def end(self, timeout_s=60):
        try:
            status = self._process.wait(timeout_s)
        finally:
            self._process.kill()
            self._reader.join(10)
        return status


def test_ctrl_c_while_waiting():
    command = Command("--source", "lsl", "--stream-name", "never", "--wait", "--headless")
    command.wait_for("looking for")
    time.sleep(3)
    assert command.interrupt() == 130
    assert not any("Traceback" in line for line in command.lines)


def test_ctrl_c_while_live_and_while_lost(tmp_path):
    for state in ("LIVE", "LOST"):
        report = tmp_path / f"{state}.json"
        with running(Device("bed")) as (process,):
            command = Command("--stream-name", "bed", "--wait", "--headless", "--json", str(report))
            command.wait_for(" s · ")
            if state == "LOST":
                process.kill()
                command.wait_for("LOST")
            assert command.interrupt() == 0, command.lines
        summary = json.loads(report.read_text())
        assert summary["streams"][0]["stream"]["state"] == state
        assert summary["samples_lost"] == 0


def test_the_command_names_what_is_on_the_network():
    with running(Device("bed", source_id="b")):
        command = Command("--stream-name", "ward", "--timeout", "2", "--headless")
        assert command.end() == 2
    text = " ".join(command.lines)
    assert "ecg-stream: no LSL stream with name 'ward'" in text
    assert "'bed' (type ECG, 250 Hz, source id 'b'" in text


def test_two_terminals():
    """As the README says: one publishes, one lists, one cleans."""
    sender = Command("broadcast", "--profile", "polar-h10", "--reference", "--counter", "--name", "strap")
    try:
        sender.wait_for("publishing strap")
        listing = Command("streams")
        assert listing.end() == 0
        assert any("130 Hz" in line for line in listing.lines), listing.lines
        listener = Command("--source", "lsl", "--stream-name", "strap", "--seconds", "6", "--headless")
        assert listener.end() == 0
        assert any("780 in, 780 out, 0 lost" in line for line in listener.lines)
    finally:
        assert sender.interrupt() == 0
    assert any("samples sent" in line for line in sender.lines)


def test_a_broadcast_carries_its_reference_and_its_beats():
    signal, beats = {}, {}
    clients = [
        threading.Thread(target=receive, args=(name, 5, into))
        for name, into in (("patient", signal), ("patient-annotations", beats))
    ]
    with running(BroadcastSettings("patient", unit="uV", rate=250, reference=True, counter=True)):
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    assert signal["info"].nominal_srate() == 250
    assert signal["info"].get_channel_labels() == ["II", "V1", "II reference", "V1 reference", "counter"]
    assert signal["info"].get_channel_units() == ["microvolts"] * 4 + ["samples"]
    samples, stamps = np.array(signal["samples"]), np.array(signal["stamps"])
    # No noise was asked for: the signal is its own reference.
    np.testing.assert_allclose(samples[:, :2], samples[:, 2:4], atol=1e-3)
    assert np.ptp(samples[:, 0]) > 500
    np.testing.assert_array_equal(np.diff(samples[:, 4]), 1)
    np.testing.assert_allclose(np.diff(stamps), 1 / 250, atol=1e-6)
    # Every beat is marked where lead II peaks.
    marked = [stamp for stamp in beats["stamps"] if stamps[25] < stamp < stamps[-25]]
    assert len(marked) >= 3
    for stamp in marked:
        place = int(np.abs(stamps - stamp).argmin())
        peak = place - 25 + int(samples[place - 25 : place + 25, 0].argmax())
        assert abs(peak - place) <= 2
