"""The frames in which a Polar H10 sends its ECG, and the command that asks for them.

Layout and numbers: Polar's own description of its measurement data (PMD) service, in the documentation of
https://github.com/polarofficial/polar-ble-sdk.
"""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FS = 130.0
CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
"""Characteristic that takes commands."""
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
"""Characteristic that sends frames."""
# Start, ECG; then each setting with its count of values: 130 Hz, 14 bits.
START = bytes([0x02, 0x00, 0x00, 0x01, 130, 0x00, 0x01, 0x01, 14, 0x00])
STOP = bytes([0x03, 0x00])

_HEADER = struct.Struct("<BQB")
_ECG, _MICROVOLTS = 0, 0
_BYTES = 3
_CLOCK_HZ = 1e9


class Frame(NamedTuple):
    """Samples of one frame.

    Parameters
    ----------
    millivolts
        Shape (samples,).
    stamp
        When the last of them was taken, seconds of the belt's clock.
    """

    millivolts: NDArray[np.float64]
    stamp: float


def decode(data: bytes) -> Frame | None:
    """Samples of a frame as it came over the air; None where it is no ECG, or not whole.

    Byte 0 is the kind of measurement (0: ECG), 1 to 8 the time of the last sample in ns, 9 the layout (0:
    signed µV of three bytes), all little-endian.
    """
    if len(data) <= _HEADER.size or (len(data) - _HEADER.size) % _BYTES:
        return None
    kind, nanoseconds, layout = _HEADER.unpack_from(data)
    if kind != _ECG or layout != _MICROVOLTS:
        return None
    body = np.frombuffer(data, np.uint8, offset=_HEADER.size).reshape(-1, _BYTES).astype(np.int64)
    values = body @ (1 << 8 * np.arange(_BYTES))
    microvolts = np.where(values >= 1 << 23, values - (1 << 24), values)
    return Frame(microvolts / 1000, nanoseconds / _CLOCK_HZ)


def stamps_of(frame: Frame) -> NDArray[np.float64]:
    """When each sample of a frame was taken, by the nominal rate before its last one, s."""
    return frame.stamp - np.arange(len(frame.millivolts) - 1, -1, -1) / FS
