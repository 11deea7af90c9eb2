"""Draw a trace with braille characters: two columns and four rows of dots in each."""

import numpy as np
from numpy.typing import NDArray

_BLANK = 0x2800
# Bit of each dot: rows from the top, left and right column.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


def braille(trace: NDArray[np.float32], columns: int, lines: int, low: float, high: float) -> str:
    """Text of `lines` lines of `columns` characters; NaN stays blank.

    Each dot column spans the minimum to the maximum of its samples, so that a QRS complex never
    falls between two columns. What exceeds `low` … `high` (mV) is drawn at the edge.
    """
    width, height = 2 * columns, 4 * lines
    dots = np.zeros((height, width), np.bool_)
    scaled = (high - trace) / (high - low) * (height - 1)
    for column, part in enumerate(np.array_split(scaled, width)):
        part = part[np.isfinite(part)]
        if part.size:
            top, bottom = np.clip(np.rint([part.min(), part.max()]), 0, height - 1).astype(int)
            dots[top : bottom + 1, column] = True
    cells = dots.reshape(lines, 4, columns, 2).transpose(0, 2, 1, 3)
    codes = _BLANK + (cells * _DOTS).sum(axis=(2, 3))
    return "\n".join("".join(map(chr, line)) for line in codes)
