"""Which shapes a compiled backend takes, and how a batch or a hop of any size is cut to them.

A captured CUDA graph has one shape, so there is one for each row count of a short list. A batch
between two of them fills the larger one: slower, never wrong, since rows do not see each other. A hop
of a network that keeps state is never filled up, for it would remember the filling: it is taken in
several steps.
"""

from collections.abc import Iterator

from models.spec import StepSpec
from streamer.errors import InputError

FIXED_ROWS = (1, 2, 4, 8, 16, 32, 64)
"""Row counts of the live path and the ward: powers of two up to the largest batch of `infer`."""
_LARGEST = 65_536


def check_rows(rows: tuple[int, ...]) -> tuple[int, ...]:
    """Row counts in rising order.

    Raises
    ------
    InputError
        If there is none, or one that no batch can have.
    """
    if not rows or min(rows) < 1 or max(rows) > _LARGEST:
        raise InputError(f"rows {rows} cannot be built; give one or more of 1 … {_LARGEST}, such as 1,8,64")
    return tuple(sorted(set(rows)))


def pieces(rows: int, fixed: tuple[int, ...]) -> Iterator[tuple[slice, int]]:
    """Cut a batch: which of its rows go together, and into which of the rising `fixed` counts."""
    start = 0
    while start < rows:
        stop = min(rows, start + fixed[-1])
        yield slice(start, stop), next(count for count in fixed if count >= stop - start)
        start = stop


def fixed_samples(steps: StepSpec) -> tuple[int, ...]:
    """Samples that a step takes on a GPU, rising: the fewest there can be, and four times as many.

    A hop of 40 ms is then one step, and every hop that the network allows is a few. A free number of
    samples would build no faster, and its kernels would not be chosen for any.
    """
    return steps.multiple, 4 * steps.multiple


def stretches(samples: int, fixed: tuple[int, ...]) -> Iterator[tuple[slice, int]]:
    """Cut a hop: which of its samples make a step, and how many they are.

    Parameters
    ----------
    samples
        A multiple of the first of `fixed`.
    """
    start = 0
    while start < samples:
        length = max(count for count in fixed if count <= samples - start)
        yield slice(start, start + length), length
        start += length
