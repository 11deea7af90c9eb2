"""A program of the other host whose lines are waited for."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hosts import Link, two_hosts

HERE = Path(__file__).parent
FS = 360


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
        """A line of JSON to its input."""
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


@contextmanager
def far_apart(folder: Path, *, ladder: bool = False, **habits: object) -> Iterator[tuple[object, Talk, Link]]:
    """The device, the engine to talk to, and the link, 20 ms long; both sides are ended at last.

    Parameters
    ----------
    habits
        Of the device, as `far_device` takes them.
    """
    with two_hosts(folder) as (device_host, engine_host, link):
        path = {"PYTHONPATH": f"{HERE.parents[1]}:{HERE}"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": path}
        program = [sys.executable, str(HERE / "far_device.py"), str(FS), json.dumps(habits)]
        device = device_host.start(*program, **pipes)
        assert device.stdout.readline() == b"ready\n"
        link.change(delay_s=0.02, jitter_s=0.005)
        program = [sys.executable, str(HERE / "far_engine.py"), str(folder / "recordings")]
        engine = engine_host.start(*program, json.dumps({"ladder": ladder}), **pipes)
        try:
            yield device, Talk(engine), link
        finally:
            for process in (engine, device):
                process.kill()
                process.communicate()
