"""A device whose every sample says which it is: ``python far_device.py FS``, until its input ends.

Sample n of channel ``II`` is ``value_of(n)`` mV, of both signs and without a pattern that a beat detector
or a filter could take for one; a recording in steps of 1 µV then says of each of its frames which sample
it is. Channel ``counter`` counts.
"""

import sys
import threading

import numpy as np

PERIOD = 4001
"""Prime, so that the values of as many samples in a row are all different."""


def value_of(sample: np.ndarray) -> np.ndarray:
    """Millivolts of a sample, -2 … 2."""
    return (sample * 1709 % PERIOD - PERIOD // 2) / 1000.0


def sample_of(millivolts: np.ndarray) -> np.ndarray:
    """Number of a sample from its value, modulo `PERIOD`."""
    shifted = np.rint(millivolts * 1000).astype(np.int64) + PERIOD // 2
    return shifted * pow(1709, -1, PERIOD) % PERIOD


def main() -> None:
    """Publish in packets of 20 ms, each sample with the time at which it was due."""
    import pylsl

    fs = float(sys.argv[1])
    info = pylsl.StreamInfo("far", "ECG", 1, fs, pylsl.cf_float32, "far-device")
    channel = info.desc().append_child("channels").append_child("channel")
    for field, text in (("label", "II"), ("unit", "millivolts"), ("type", "ECG")):
        channel.append_child_value(field, text)
    outlet = pylsl.StreamOutlet(info, max_buffered=360)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    print("ready", flush=True)
    outlet.wait_for_consumers(60)
    size, first, began = round(0.02 * fs), 0, pylsl.local_clock()
    while not ended.is_set():
        numbers = np.arange(first, first + size)
        stamps = began + numbers / fs
        if not ended.wait(max(0.0, stamps[-1] - pylsl.local_clock())):
            outlet.push_chunk(value_of(numbers).astype(np.float32)[:, None], stamps)
            first += size
    print(first, flush=True)


if __name__ == "__main__":
    main()
