"""A device whose every sample says which it is: ``python far_device.py FS HABITS``, until its input ends.

HABITS is JSON: ``held`` (spans of seconds in which it sends nothing, and then everything), ``lost`` (spans of
samples that it never sends), ``jitter_s`` (of its stamps). A line ``gone`` on its input takes its outlet from
the network, a line ``back`` makes another one; the samples meanwhile are counted and nowhere sent.
"""

import json
import sys
import threading
from typing import Any

import numpy as np
from counting import LEADS, frames_of


def outlet_of(fs: float) -> Any:
    """The outlet, which keeps six minutes for a client that is cut off."""
    import pylsl

    info = pylsl.StreamInfo("far", "ECG", len(LEADS), fs, pylsl.cf_float32, "far-device")
    channels = info.desc().append_child("channels")
    for lead in LEADS:
        channel = channels.append_child("channel")
        for field, text in (("label", lead), ("unit", "millivolts"), ("type", "ECG")):
            channel.append_child_value(field, text)
    return pylsl.StreamOutlet(info, max_buffered=360)


def main() -> None:
    """Publish in packets of 20 ms, each sample with the time at which it was due."""
    import pylsl

    fs, habits = float(sys.argv[1]), json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    held, lost = habits.get("held", []), habits.get("lost", [])
    random = np.random.default_rng(0)
    outlet, there, ended = outlet_of(fs), threading.Event(), threading.Event()
    there.set()

    def obey() -> None:
        for line in sys.stdin:
            (there.clear if line.strip() == "gone" else there.set)()
        ended.set()

    threading.Thread(target=obey, daemon=True).start()
    print("ready", flush=True)
    outlet.wait_for_consumers(60)
    size, first, began = round(0.02 * fs), 0, pylsl.local_clock()
    waiting: list[np.ndarray] = []
    while not ended.is_set():
        numbers = np.arange(first, first + size)
        first += size
        due_s = first / fs
        if ended.wait(max(0.0, began + due_s - pylsl.local_clock())):
            break
        if not there.is_set():
            outlet, waiting = None, []
            continue
        outlet = outlet or outlet_of(fs)
        for begin, end in lost:
            numbers = numbers[(numbers < begin) | (numbers >= end)]
        waiting.append(numbers)
        if any(begin <= due_s < end for begin, end in held):
            continue
        numbers, waiting = np.concatenate(waiting), []
        if len(numbers):
            stamps = began + numbers / fs + random.normal(0, habits.get("jitter_s", 0.0), len(numbers))
            outlet.push_chunk(frames_of(numbers), stamps)
    print(first, flush=True)


if __name__ == "__main__":
    main()
