"""Which leads go into a network together, for networks that take one lead or two."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LeadGroups = tuple[NDArray[np.intp], NDArray[np.intp]]


@lru_cache
def lead_groups(leads: int, together: int) -> LeadGroups:
    """Leads of each row of the batch, and where each lead's output is.

    A network of one lead gets each lead by itself. One of two leads gets them in pairs, in the
    stream's order (of MIT-BIH's records that is MLII, V1 as in the publications). A lead alone is
    fed twice, and its first output taken; an odd lead at the end is paired with the one before it,
    and only its own output taken: the one before it has been cleaned with its own partner.

    Returns
    -------
    fed, taken
        Lead of each input of each row, shape (rows, together), and for each lead its row and its
        place in the row, shape (2, leads).

    Raises
    ------
    ValueError
        Unless `together` is 1 or 2.
    """
    if together == 1:
        every = np.arange(leads)
        return every[:, None], np.stack([every, 0 * every])
    if together != 2:
        raise ValueError(f"a network takes 1 or 2 leads together, not {together}")
    firsts = np.minimum(np.arange(0, leads, 2), max(0, leads - 2))
    fed = np.stack([firsts, np.minimum(firsts + 1, leads - 1)], axis=1)
    every = np.arange(leads)
    row = every // 2
    return fed, np.stack([row, every - firsts[row]])
