"""A unit that cannot be the signal's: microvolts taken for millivolts, millivolts for volts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

_STEP_S = 0.04
_LARGEST_STEP_MV = 10.0


def refuse_wrong_unit(rows: NDArray[Any], fs: float, millivolts: float) -> None:
    """Raise InputError where a lead moves as no ECG does: over 10 mV in 40 ms, in a quarter of its samples.

    A QRS complex may, and so may an electrode that is touched; neither fills a quarter of a recording.
    mne 1.12.1 reads the ``mv`` and ``uv`` of EDF files as volts and says nothing of it.

    Parameters
    ----------
    rows
        (leads, samples), in a unit of so many `millivolts`.
    fs
        Hz.
    """
    step = max(1, round(_STEP_S * fs))
    for lead, samples in enumerate(rows):
        moved = np.abs(samples[step::step].astype(float) - samples[:-step:step].astype(float))
        moved = moved[np.isfinite(moved)]
        if not moved.size:
            continue
        usual_mv = millivolts * float(np.quantile(moved, 0.75))
        if usual_mv > _LARGEST_STEP_MV:
            raise InputError(
                f"lead {lead + 1} moves by {usual_mv:.3g} mV in 40 ms in a quarter of its samples, which no "
                "ECG does: its unit is another; state it (unit: V, mV, uV, nV), or scale the signal"
            )
