"""What a lead of a ward costs, for docs/ward.md: python tests/ward_size.py

CPU time of a worker's cleaning, and bytes of its messages, by how many beds share a partition and by how
long a message is; the broker and the way to it are not in it.
"""

import sys
import time

import numpy as np

from engine.in_process.stages import open_system
from ward.log.cleaner import Cleaner
from ward.log.frames import Message, Piece, encode, merged

FS, SECONDS, WARM_S = 360.0, 20, 5


def cost(beds: int, message_s: float) -> tuple[float, float, float, int]:
    """CPU seconds, raw bytes and cleaned bytes of a second of a lead; bytes of the snapshot of a lead."""
    cleaner = Cleaner(open_system("lowdelay", 100.0, 44.0, waits=True))
    count = round(FS * message_s)
    noise = np.random.default_rng(0)
    cpu_s, raw, cleaned, seconds = 0.0, 0, 0, 0.0
    for number in range(int(SECONDS / message_s)):
        stamps = number * message_s + np.arange(count) / FS
        pieces = [
            Piece(
                f"bed {bed}",
                ("II",),
                FS,
                number * count,
                count,
                stamps,
                noise.normal(0, 0.3, (1, 1, count)).astype(np.float32),
                np.empty((0, 1, count), np.uint8),
            )
            for bed in range(beds)
        ]
        began_s = time.process_time()
        left = cleaner.push(pieces)
        data = encode(Message(merged(left)))
        if number * message_s >= WARM_S:
            cpu_s += time.process_time() - began_s
            raw += len(encode(Message(pieces)))
            cleaned += len(data)
            seconds += beds * count / FS
    return cpu_s / seconds, raw / seconds, cleaned / seconds, len(cleaner.snapshot((0, 0))) // beds


def main() -> None:
    """Print a line for each."""
    for beds, message_s in ((1, 0.04), (4, 0.04), (16, 0.04), (1, 0.4)):
        cpu_s, raw, cleaned, snapshot = cost(beds, message_s)
        sys.stdout.write(
            f"{beds:2d} beds a partition, {message_s * 1000:3.0f} ms each: {1 / cpu_s:.0f} leads a core, "
            f"{raw / 1000:4.1f} kB/s raw, {cleaned / 1000:4.1f} kB/s cleaned, {snapshot / 1000:.0f} kB kept\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
