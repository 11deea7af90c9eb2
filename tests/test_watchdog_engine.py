"""An engine that hangs or dies is seen at once, said in one line, and summed up."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import wfdb
from job_tools import job_of

from engine.run import process
from engine.run.process import EngineProcess
from engine.run.protocol import Status
from gui.bridge import Bridge, Life

COMMAND = (sys.executable, "-m", "ecg_stream", "--source", "synthetic", "--noise", "none", "--headless")


def endless():
    return job_of(noise="em", snr=0.0, seconds=None, speed=1.0)


def until(happened, seconds=60):
    ends = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_an_engine_that_hangs_is_seen_and_one_that_goes_on_too():
    with EngineProcess(endless()) as engine:
        engine.wait_started()
        until(lambda: any(isinstance(frame, Status) for frame in engine.frames()))
        assert not engine.hangs
        os.kill(engine.pid, signal.SIGSTOP)
        until(lambda: engine.hangs)
        os.kill(engine.pid, signal.SIGCONT)
        until(lambda: not engine.hangs)


def test_an_engine_that_is_held_or_told_to_stop_need_not_tell_anything(monkeypatch):
    monkeypatch.setattr(process, "HANGS_S", -1.0)
    with EngineProcess(endless()) as engine:
        assert not engine.hangs
        engine.wait_started()
        assert engine.hangs
        engine.pause(True)
        assert not engine.hangs
        engine.pause(False)
        assert engine.hangs
        engine.stop()
        assert not engine.hangs


def test_the_window_says_that_the_engine_does_not_answer_and_later_that_it_stopped():
    bridge = Bridge(endless())

    def reached(life):
        bridge.poll()
        return bridge.life is life

    try:
        until(lambda: reached(Life.PLAYING))
        os.kill(bridge.pid, signal.SIGSTOP)
        until(lambda: reached(Life.HANGS))
        assert bridge.life.failed
        os.kill(bridge.pid, signal.SIGCONT)
        until(lambda: reached(Life.PLAYING))
        os.kill(bridge.pid, signal.SIGKILL)
        until(lambda: reached(Life.DEAD))
    finally:
        bridge.close()


def engine_of(parent):
    for task in Path(f"/proc/{parent}/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    raise ProcessLookupError(f"{parent} has no engine")


class Headless:
    """A run without a window, whose engine the test may stop and kill."""

    def __init__(self, *arguments):
        self.run = subprocess.Popen(
            [*COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.run.kill()
        self.run.wait()
        self.run.stderr.close()

    def read_until(self, text):
        for line in self.run.stderr:
            if text in line:
                return line
        raise EOFError(text)

    @property
    def engine(self):
        for task in Path(f"/proc/{self.run.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        raise ProcessLookupError(f"{self.run.pid} has no engine")


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the engine in /proc")


@needs_proc
def test_a_run_without_a_window_says_so_in_lines():
    with Headless() as run:
        run.read_until("algorithmic delay")
        engine = run.engine
        os.kill(engine, signal.SIGSTOP)
        run.read_until("the engine has not answered for 2 s")
        os.kill(engine, signal.SIGCONT)
        run.read_until("the engine answers again")
        os.kill(engine, signal.SIGKILL)
        run.read_until("the engine process ended without a word (exit code -9)")
        assert run.run.wait(60) == 1


@needs_proc
def test_what_is_known_of_a_killed_engine_is_summed_up_and_its_recording_closed(tmp_path):
    file = tmp_path / "out.json"
    with Headless("--save", tmp_path, "--rotate", 0.03, "--json", file) as run:
        # Of 1.8 s each.
        run.read_until("algorithmic delay")
        until(lambda: len(list(tmp_path.glob("*.hea"))) >= 3)
        os.kill(run.engine, signal.SIGKILL)
        assert "last status" in run.read_until("without a word")
        assert run.run.wait(60) == 1
    summary = json.loads(file.read_text())
    (one,) = summary["streams"]
    assert "exit code -9" in summary["failure"]
    assert one["snr_in_db"] is None
    parts = sorted(tmp_path.glob("*.hea"))
    assert one["recording_files"] == len(parts)
    frames = 0
    for part in parts:
        record = wfdb.rdrecord(str(part.with_suffix("")), physical=False)
        assert part.read_text().splitlines()[0].split()[3] == str(record.sig_len)
        sums = record.d_signal.astype(np.int64).sum(axis=0)
        assert record.checksum == [int(((total + 0x8000) % 0x10000) - 0x8000) for total in sums]
        frames += record.sig_len
    # What is on disk and what was shown differ by what was on its way.
    assert abs(frames - one["samples_out"]) < 100
    assert one["samples_out"] > 2 * 0.03 * 60 * 360 - 100


@needs_proc
def test_a_signal_ends_a_run_whose_engine_hangs_with_what_is_known(tmp_path):
    file = tmp_path / "out.json"
    with Headless("--json", file) as run:
        run.read_until("algorithmic delay")
        run.read_until(" s · ")
        engine = run.engine
        os.kill(engine, signal.SIGSTOP)
        os.kill(run.run.pid, signal.SIGTERM)
        run.read_until("stopping")
        asked = time.monotonic()
        run.read_until("did not answer any more")
        # 2 s of patience, and not the 10 s that an engine has for ending.
        assert time.monotonic() - asked < 8
        assert run.run.wait(60) == 1
        with pytest.raises(ProcessLookupError):
            os.kill(engine, 0)
    assert json.loads(file.read_text())["streams"][0]["samples_out"] > 0


@needs_proc
def test_a_second_ctrl_c_ends_at_once_and_the_recording_is_whole(tmp_path):
    """The engine is stopped, so that it cannot have come to its own end in between."""
    file = tmp_path / "out.json"
    picture = tmp_path / "out.png"
    with Headless("--save", tmp_path, "--json", file, "--plot", picture) as run:
        run.read_until("algorithmic delay")
        run.read_until(" s · ")
        engine = run.engine
        os.kill(engine, signal.SIGSTOP)
        os.kill(run.run.pid, signal.SIGINT)
        run.read_until("Ctrl-C again ends at once")
        os.kill(run.run.pid, signal.SIGINT)
        assert "last status" in run.read_until("ended at once by a second Ctrl-C")
        assert run.run.wait(60) == 1
        with pytest.raises(ProcessLookupError):
            os.kill(engine, 0)
    summary = json.loads(file.read_text())
    assert summary["failure"] == "ended at once by a second Ctrl-C"
    (head,) = tmp_path.glob("*.hea")
    record = wfdb.rdrecord(str(head.with_suffix("")))
    assert head.read_text().splitlines()[0].split()[3] == str(record.sig_len)
    assert abs(record.sig_len - summary["streams"][0]["samples_out"]) < 100
    assert picture.stat().st_size > 10_000


def test_the_window_ends_with_what_is_known():
    bridge = Bridge(endless())

    def playing():
        bridge.poll()
        return bridge.life is Life.PLAYING

    until(playing)
    os.kill(bridge.pid, signal.SIGSTOP)
    bridge.close()
    assert bridge.life is Life.DEAD
    assert "did not answer" in bridge.outcome.summary.failure


def test_no_shared_memory_is_needed(tmp_path):
    """As in a bare container: a /dev without shm."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("mount namespaces may not be made here")
    inner = (
        "mount -t tmpfs none $0 && for name in null urandom; do touch $0/$name; "
        "mount --bind /dev/$name $0/$name; "
        'done && mount --rbind $0 /dev && test ! -e /dev/shm && exec "$@"'
    )
    run = subprocess.run(
        ["unshare", "-m", "sh", "-c", inner, str(tmp_path), *COMMAND, "--seconds", "1"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "360 in, 360 out" in run.stdout
