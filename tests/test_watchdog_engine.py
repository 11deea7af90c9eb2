"""An engine that hangs, dies or cannot start is seen at once, and said in one line."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
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


def hangs(engine):
    list(engine.frames())
    return engine.hangs


def test_an_engine_that_hangs_is_seen_and_one_that_goes_on_too():
    with EngineProcess(endless()) as engine:
        engine.wait_started()
        until(lambda: any(isinstance(frame, Status) for frame in engine.frames()))
        assert not engine.hangs
        os.kill(engine.pid, signal.SIGSTOP)
        until(lambda: hangs(engine))
        os.kill(engine.pid, signal.SIGCONT)
        until(lambda: not hangs(engine))


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


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the engine in /proc")
def test_a_run_without_a_window_says_so_in_lines():
    with subprocess.Popen(COMMAND, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as run:

        def read_until(text):
            for line in run.stderr:
                if text in line:
                    return
            raise EOFError(text)

        try:
            read_until("algorithmic delay")
            engine = engine_of(run.pid)
            os.kill(engine, signal.SIGSTOP)
            read_until("the engine has not answered for 2 s")
            os.kill(engine, signal.SIGCONT)
            read_until("the engine answers again")
            os.kill(engine, signal.SIGKILL)
            read_until("the engine process ended without a word (exit code -9)")
            assert run.wait(60) == 1
        finally:
            run.kill()


def test_without_shared_memory_there_is_one_line_and_a_status():
    if not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("mount namespaces may not be made here")
    inner = 'mount -t tmpfs -o ro none /dev/shm && exec "$@"'
    run = subprocess.run(
        ["unshare", "-m", "sh", "-c", inner, "sh", *COMMAND, "--seconds", "1"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 1, run.stderr
    assert "/dev/shm" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
