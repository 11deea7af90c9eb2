"""Which leads go into a network together, for networks that take one lead or two."""

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import Batch
from streamer.chunk import Samples


def rows_of(leads: int, together: int) -> int:
    """Rows that a stream's leads fill in a batch."""
    return -(-leads // together)


def group_leads(window: Samples, together: int) -> Batch:
    """Put the leads of a window into rows: (leads, samples) → (rows, together, samples).

    A network of one lead gets each lead by itself. A network of two leads gets pairs in the stream's
    order (MLII and V1 of MIT-BIH's records, as in the publications); twelve leads are six pairs. An odd
    lead at the end is paired with the one before it. A stream's only lead fills both places, and a lead
    whose partner is silent throughout, as when the source lost it, fills the partner's place too: the
    networks were trained on pairs without a silent lead.

    Raises
    ------
    ValueError
        Unless `together` is 1 or 2.
    """
    if together == 1:
        return window[:, None]
    if together != 2:
        raise ValueError(f"a network takes 1 or 2 leads together, not {together}")
    leads, samples = window.shape
    if leads % 2:
        window = window[[*range(leads - 1), max(0, leads - 2), leads - 1]]
    pairs = window.reshape(-1, 2, samples)
    silent = _silent(pairs)
    return np.where(silent, pairs[:, ::-1], pairs) if silent.any() else pairs


def ungroup_leads(rows: Batch, window: Samples) -> Samples:
    """Each lead's own output out of the rows that `group_leads` made of `window`, (leads, samples).

    A single lead takes the first of its two outputs. Of the pair with the odd lead only that lead's
    output is used: the other lead was cleaned with its own partner. A silent lead's output is zero.
    """
    leads, samples = window.shape
    together = rows.shape[1]
    outputs = rows.reshape(-1, samples)
    if together == 1:
        return outputs
    if leads % 2:
        outputs = outputs[[*range(leads - 1), leads if leads > 1 else 0]]
    silent = _silent(window)
    return np.where(silent, np.float32(0), outputs) if silent.any() else outputs


def _silent(leads: Samples) -> NDArray[np.bool_]:
    """Whether a lead never moves, with the last axis kept as one."""
    silent: NDArray[np.bool_] = (leads == leads[..., :1]).all(axis=-1, keepdims=True)
    return silent
