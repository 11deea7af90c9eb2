"""A long watch at a bedside: ``python long_run.py --minutes 30 --json FILE``, on an X server of its own.

A device on this machine's loopback sends samples that say which they are, and is gone now and then. Meanwhile
keys are pressed as a person would: look-ahead, network, freezing, looking back, calipers, marks, printing.
At the end every sample of the recording is read again. Status 1 says that one was lost, moved or changed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
import wfdb

from engine.lab.results import write_results
from engine.lab.soak.counting import LEADS, WRAP, numbers_of
from engine.run.protocol import CleanSettings, Job
from engine.run.summary import as_json
from streamer.lsl.network import BASE_PORT, PORTS, keep_to_this_machine
from streamer.lsl.settings import LslSettings
from streamer.settings import SourceSettings

DEVICE = Path(__file__).parents[1] / "two_hosts" / "far_device.py"
FS = 360.0
_PORT = BASE_PORT + 40 * PORTS
ROUND = (
    (4, "]"), (9, "F"), (10, "Home"), (11, "Left"), (12, "E"), (13, "H"), (14, "Ctrl+Left"), (15, "Ctrl+P"),
    (17, "End"), (18, "F"), (20, "M"), (22, "gone"), (36, "back"), (44, "["), (46, "X"), (48, "X"), (50, "T"),
    (52, "W"), (56, "Ctrl+Shift+P"),
)  # fmt: skip
"""What is done in every minute, at which second; `gone` and `back` are the device."""
_SETTLED_S = 20.0


@contextmanager
def virtual_display(size: str = "1920x1080"):
    """An X server of its own, in which Qt opens its windows."""
    reads, writes = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writes), "-screen", "0", f"{size}x24", "-nolisten", "tcp"],
        pass_fds=(writes,), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writes)
    try:
        with os.fdopen(reads) as said:
            os.environ["DISPLAY"] = f":{said.readline().strip()}"
        os.environ["QT_QPA_PLATFORM"] = "xcb"
        yield
    finally:
        server.terminate()
        server.wait()


@contextmanager
def device():
    """The device, which ends with its input."""
    process = subprocess.Popen(
        [sys.executable, str(DEVICE), f"{FS:g}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(DEVICE.parent), str(DEVICE.parents[2])])},
    )  # fmt: skip
    try:
        process.stdout.readline()
        yield process
    finally:
        process.stdin.close()
        process.wait()


def timeline(seconds: float) -> list[tuple[float, str]]:
    """When what is done, in whole minutes: at the end the device is there and the page follows it."""
    minutes = int((seconds - _SETTLED_S) // 60)
    return [(60.0 * minute + at, what) for minute in range(minutes) for at, what in ROUND]


def watch(seconds: float, folder: Path, sender: subprocess.Popen) -> dict:
    """Play it in the window, do what the timeline says, and return what became of it."""
    from PyQt6.QtCore import QEventLoop, QTimer
    from PyQt6.QtGui import QKeySequence
    from PyQt6.QtTest import QTest
    from PyQt6.QtWidgets import QApplication, QInputDialog

    from gui.main_window import MainWindow
    from gui.settings import Settings

    application = QApplication(["ecg-stream"])
    source = SourceSettings(kind="lsl", lsl=LslSettings("far", wait=True))
    job = Job((source,), CleanSettings(lookahead_ms=100.0), save=folder / "recording")
    settings = Settings()
    settings.set("folder", str(folder / "printed"))
    window = MainWindow(job, job, (), settings)
    window.resize(1920, 1060)
    window.show()
    # There is no window manager that would do it, and only an active window hears keys.
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window, 60_000)
    loop, steps, done = QEventLoop(), timeline(seconds), Counter()
    memory: list[tuple[float, float]] = []
    began: list[float] = []
    painted = Counter()
    process = psutil.Process()

    def mib() -> float:
        return process.memory_info().rss / 2**20

    def press(keys: str) -> None:
        combination = QKeySequence(keys)[0]
        QTest.keyClick(window, combination.key(), combination.keyboardModifiers())
        note = window.findChild(QInputDialog) if keys == "M" else None
        if note:
            note.setTextValue(f"mark {done[keys]}")
            note.accept()

    def look() -> None:
        if window.run.monitor is None or window.run.monitor.buffer.empty:
            return
        if not began:
            began.append(time.monotonic())
            window.page.view.painted.connect(lambda: painted.update(frames=1))
        now = time.monotonic() - began[0]
        # One at a time: what a key opens must be there before the next one.
        if steps and steps[0][0] <= now:
            _, what = steps.pop(0)
            if what in ("gone", "back"):
                sender.stdin.write(f"{what}\n")
                sender.stdin.flush()
            else:
                press(what)
            done[what] += 1
        if now >= 60 * len(memory) + 45:
            memory.append((round(now), round(mib(), 1)))
        if now >= seconds and not steps:
            loop.quit()

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(50)
    loop.exec()
    timer.stop()
    events = Counter(event.kind for event in window.run.monitor.events.found)
    window.close()
    application.processEvents()
    summary = as_json(window.run.outcome.summary)
    heard = {
        "printed": len(list((folder / "printed").glob("*.pdf"))) == done["Ctrl+P"] + done["Ctrl+Shift+P"],
        "marked": events["mark"] == done["M"],
        "retuned": events["settings"] >= done["["] + done["]"],
        "released": not window.page.view.frozen,
    }
    return {
        "platform": application.platformName(),
        "done": dict(done),
        "events": dict(events),
        "frames": painted["frames"],
        "heard": heard,
        "memory_mib": memory[:1] + memory[-1:],
        **account(summary["streams"][0], done["gone"]),
        "overload": summary["overload"],
    }


def account(stream: dict, losses: int) -> dict:
    """What the recording holds, sample by sample, beside what the engine says."""
    record = wfdb.rdrecord(stream["recording"])
    raw = record.p_signal[:, : len(LEADS)].T
    there = np.flatnonzero(~np.isnan(raw[0]))
    first = (numbers_of(raw[:, there[:1]])[0] - there[0]) % WRAP
    wrong = int((numbers_of(raw[:, there]) != (there + first) % WRAP).sum())
    missing = np.isnan(raw[0]).astype(np.int8)
    runs = int((np.diff(missing, prepend=0) == 1).sum())
    row = {
        "losses": losses,
        "gaps": stream["gaps"],
        "gaps_recorded": runs,
        "gap_samples": stream["gap_samples"],
        "samples_out": stream["samples_out"],
        "samples_recorded": len(there),
        "recorded_wrong": wrong,
        "unaccounted": sum(stream["unaccounted"].values()),
        "states": stream["stream"]["states"],
        "delay_ms": stream["delay_ms"],
    }
    row["exact"] = (
        wrong == row["unaccounted"] == 0
        and len(there) == stream["samples_out"]
        and int(missing.sum()) == stream["gap_samples"]
        # Nothing is missing but what the device took with it.
        and runs == stream["gaps"] == losses
    )
    return row


def main() -> int:
    """Watch for so long, and write the account."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--minutes", type=float, default=30.0)
    ask.add_argument("--json", type=Path)
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory(prefix="long-run-") as name:
        folder = Path(name)
        keep_to_this_machine(folder, _PORT)
        with virtual_display(), device() as sender:
            figures = {"minutes": asked.minutes} | watch(60 * asked.minutes, folder, sender)
    figures["when"] = datetime.now(UTC).isoformat(timespec="seconds")
    print(json.dumps(figures, indent=2))
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        write_results(asked.json, figures)
    return 0 if figures["exact"] and all(figures["heard"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
