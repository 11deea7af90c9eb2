"""A device on another machine, by another clock, behind a link that is cut: every sample is accounted for."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import wfdb

sys.path.insert(0, str(Path(__file__).with_name("two_hosts")))

from far_device import PERIOD, sample_of
from hosts import two_hosts, why_not

HERE = Path(__file__).with_name("two_hosts")
FS = 360

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"two hosts cannot be made here: {why_not()}")


class Talk:
    """A program whose lines are read on a thread, so that any of them can be waited for."""

    def __init__(self, process):
        self.process, self.lines = process, []
        self._more = threading.Condition()
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self._more:
                self.lines.append(json.loads(line))
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def say(self, **what):
        self.process.stdin.write((json.dumps(what) + "\n").encode())
        self.process.stdin.flush()

    def wait_for(self, wanted, timeout_s=120):
        """The first line, from now on or before, of which `wanted` is true."""
        with self._more:
            found = []

            def there():
                found[:] = [line for line in self.lines if wanted(line)]
                return found or self._ended

            assert self._more.wait_for(there, timeout_s), self.lines[-5:]
            assert found, self.lines[-5:]
            return found[0]

    def wait_after(self, count, wanted, timeout_s=120):
        """The same among the lines behind the first `count`."""
        return self.wait_for(lambda line: wanted(line) and self.lines.index(line) >= count, timeout_s)


@pytest.fixture
def far(tmp_path, request):
    """The device's input, the engine to talk to, and the link; both sides are ended at last.

    A parameter is the link's delay, 20 ms without one.
    """
    with two_hosts(tmp_path) as (device_host, engine_host, link):
        root = {"PYTHONPATH": str(HERE.parents[1])}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": root}
        device = device_host.start(sys.executable, str(HERE / "far_device.py"), str(FS), **pipes)
        assert device.stdout.readline() == b"ready\n"
        link.change(delay_s=getattr(request, "param", 0.02), jitter_s=0.005)
        program = [sys.executable, str(HERE / "far_engine.py"), str(tmp_path / "recordings")]
        engine = engine_host.start(*program, json.dumps({"ladder": False}), **pipes)
        talk = Talk(engine)
        try:
            yield device, talk, link
        finally:
            for process in (engine, device):
                process.kill()
                process.communicate()


def frames_from(talk, seconds):
    """Wait until the engine has released so much more than now."""
    stops = [line["stop"] for line in talk.lines if "stop" in line]
    aim = max(stops, default=0) + seconds * FS
    talk.wait_for(lambda line: line.get("stop", 0) >= aim)


def finish(talk):
    """End the run; its summary, and the raw lead of its recording."""
    talk.say(stop=True)
    summary = talk.wait_for(lambda line: "summary" in line)["summary"]
    stream = summary["streams"][0]
    return stream, wfdb.rdrecord(stream["recording"]).p_signal[:, 0]


def misplaced(raw):
    """Frames that hold another sample than their place in the recording says."""
    there = np.flatnonzero(~np.isnan(raw))
    number = (sample_of(raw[there]) - there) % PERIOD
    values, counts = np.unique(number, return_counts=True)
    return int((number != values[counts.argmax()]).sum())


@pytest.mark.timeout(300)
def test_a_link_with_delay_jitter_and_loss_loses_nothing(far):
    _, talk, link = far
    link.change(loss=0.01)
    frames_from(talk, 6)
    stream, raw = finish(talk)
    assert stream["gap_samples"] == 0
    assert stream["unaccounted"] == {}
    assert not np.isnan(raw).any()
    assert misplaced(raw) == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("retuned", [False, True])
def test_an_outage_loses_nothing_that_the_outlet_kept(far, retuned):
    """What was sampled meanwhile comes late, and stands where it belongs."""
    _, talk, link = far
    frames_from(talk, 3)
    link.change(cut=True)
    talk.wait_for(lambda line: line.get("state") == "LOST")
    if retuned:
        talk.say(retune=50)
        talk.wait_for(lambda line: "retuned" in line)
    link.change(cut=False)
    frames_from(talk, 5)
    stream, raw = finish(talk)
    assert stream["unaccounted"] == {}
    assert stream["gap_samples"] == 0
    assert stream["samples_out"] == len(raw)
    assert not np.isnan(raw).any()
    assert misplaced(raw) == 0
    assert stream["delay_ms"]["max"] > 5000


@pytest.mark.timeout(300)
@pytest.mark.parametrize("far", [0.3], indirect=True)
def test_over_a_link_too_slow_to_compare_clocks_the_delay_is_unknown(far):
    """0.6 s there and back; the clocks are 50 000 s apart, and no stamp may pass for a time."""
    _, talk, _ = far
    frames_from(talk, 5)
    stream, raw = finish(talk)
    assert stream["delay_ms"]["p50"] is None
    assert any("could not be compared" in note for note in stream["stream"]["notes"])
    assert stream["unaccounted"] == {}
    assert not np.isnan(raw).any()
    assert misplaced(raw) == 0
