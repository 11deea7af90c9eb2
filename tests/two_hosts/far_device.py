"""A device whose every sample says which it is: ``python far_device.py FS HABITS``, until its input ends.

HABITS is JSON: ``held`` (spans of seconds in which it sends nothing, and then everything), ``lost`` (spans of
samples that it never sends), ``jitter_s`` (of its stamps). A line ``gone`` on its input takes its outlet from
the network, a line ``back`` makes another one; the samples meanwhile are counted and nowhere sent.
"""

import json
import sys
import threading

from engine.lab.soak.counted_device import CountedDevice


def main() -> None:
    """Publish in packets of 20 ms, each sample with the time at which it was due."""
    fs, habits = float(sys.argv[1]), json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    device, ended = CountedDevice("far", fs), threading.Event()

    def obey() -> None:
        for line in sys.stdin:
            device.there = line.strip() != "gone"
        ended.set()

    threading.Thread(target=obey, daemon=True).start()
    print("ready", flush=True)
    device.wait_for_client(60)
    while not ended.wait(device.wait_s):
        device.holds = any(begin <= device.first / fs < end for begin, end in habits.get("held", []))
        device.sample(habits.get("lost", []), habits.get("jitter_s", 0.0))
    print(device.first, flush=True)


if __name__ == "__main__":
    main()
