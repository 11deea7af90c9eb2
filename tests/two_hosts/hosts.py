"""Two hosts on this machine: a network and a clock for each, and a link that can be made bad."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

DEVICE_ADDRESS, ENGINE_ADDRESS = "10.77.0.1", "10.77.0.2"
APART_S = 50_000
"""The second host was switched on so much earlier than the first, by its clock."""
_LSL = """[multicast]
ResolveScope = link
[lab]
KnownPeers = {{{peer}}}
SessionID = two-hosts
[ports]
IPv6 = disable
[log]
level = -3
"""


def why_not() -> str | None:
    """Why two hosts cannot be made here; None where they can."""
    for program in ("ip", "unshare", "nsenter"):
        if shutil.which(program) is None:
            return f"there is no program {program}"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be opened"
    tried = subprocess.run(["unshare", "--net", "--time", "--fork", "true"], capture_output=True, check=False)
    return tried.stderr.decode().strip() or "no namespaces" if tried.returncode else None


class Host:
    """A process that holds a network namespace and a clock open; programs are run within."""

    def __init__(self, folder: Path, address: str, peer: str, ahead_s: int) -> None:
        self.address = address
        self._clock = ["--time", "--monotonic", str(ahead_s), "--boottime", str(ahead_s)]
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._read_line(self._holder)
        self._config = folder / f"lsl-{address}.cfg"
        self._config.write_text(_LSL.format(peer=peer), encoding="utf-8")

    @property
    def pid(self) -> int:
        """Of the process that holds it."""
        return self._holder.pid

    @staticmethod
    def _read_line(process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None or not process.stdout.readline():
            raise RuntimeError("a host did not start")

    def connect(self) -> None:
        """Bring its loopback and its side of the link up, with its address."""
        for words in (
            "link set lo up",
            f"addr add {self.address}/24 dev link0",
            "link set link0 up",
            "route add 224.0.0.0/4 dev link0",
        ):
            subprocess.run(["nsenter", "-n", "-t", str(self.pid), "ip", *words.split()], check=True)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program on this host, by its clock."""
        environment = os.environ | {"LSLAPICFG": str(self._config)} | options.pop("env", {})
        inside = ["nsenter", "-n", "-t", str(self.pid), "unshare", *self._clock, "--fork", "--kill-child"]
        return subprocess.Popen([*inside, *words], env=environment, **options)

    def close(self) -> None:
        """End it; its network goes with its last process."""
        self._holder.kill()
        self._holder.communicate()


class Link:
    """The program `link.py`."""

    def __init__(self, one: Host, other: Host) -> None:
        program = Path(__file__).with_name("link.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program), str(one.pid), str(other.pid)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._answer()

    def change(self, **how: float | bool) -> None:
        """Make it another link, from the next frame on: see `link.py`."""
        if self._process.stdin is None:
            raise RuntimeError("the link has no input")
        print(json.dumps(how), file=self._process.stdin, flush=True)
        self._answer()

    def _answer(self) -> None:
        if self._process.stdout is None or not self._process.stdout.readline():
            raise RuntimeError("the link has ended")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[Host, Host, Link]]:
    """A host for the device, one for the engine, and the link between them, up and good."""
    with ExitStack() as stack:
        device = Host(folder, DEVICE_ADDRESS, ENGINE_ADDRESS, 0)
        stack.callback(device.close)
        engine = Host(folder, ENGINE_ADDRESS, DEVICE_ADDRESS, APART_S)
        stack.callback(engine.close)
        link = Link(device, engine)
        stack.callback(link.close)
        for host in (device, engine):
            host.connect()
        yield device, engine, link
