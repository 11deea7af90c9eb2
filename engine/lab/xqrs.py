"""The wfdb package's XQRS: a detector that is not ours, by which the published scores count beats."""

import numpy as np
from numpy.typing import NDArray

SHORTEST_S = 2.0
"""Less than this holds too few beats for the detector to learn from."""


def find_beats_xqrs(lead: NDArray[np.float32], fs: float) -> NDArray[np.int64]:
    """Sample index of each QRS complex, in order, by the wfdb package's XQRS detector.

    Missing samples (NaN) are taken as zero. A stretch that is flat or shorter than `SHORTEST_S`
    has no beats.
    """
    from wfdb.processing import XQRS

    lead = np.nan_to_num(lead)
    if len(lead) < SHORTEST_S * fs or np.ptp(lead) == 0:
        return np.empty(0, np.int64)
    detector = XQRS(sig=lead.astype(np.float64), fs=fs)
    detector.detect(verbose=False)
    return np.sort(np.asarray(detector.qrs_inds, np.int64))
