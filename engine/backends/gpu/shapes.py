"""Which shapes a compiled network takes, and how a call of any size is cut to them.

A captured CUDA graph has one shape, so there is one for each of a few numbers of rows. A batch
between two of them fills the larger one: slower, never wrong, since no row depends on another. The
samples of a stateful network are never filled up, for it would remember the filling: they are taken
in several steps.
"""

from collections.abc import Callable, Iterator

from engine.backends.ports import Ports, Spec, steps_of
from streamer.errors import InputError

FIXED_ROWS = (1, 2, 4, 8, 16, 32, 64)
"""Row counts of the live path and the ward: powers of two up to the largest batch of `infer`."""
_LARGEST = 65_536

Size = tuple[int, int]
"""Rows and samples."""


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


def fixed_samples(spec: Spec) -> tuple[int, ...]:
    """Samples that a call takes on a GPU, rising: a window, or of a step two numbers.

    Those are the fewest there can be, and four times as many. A hop of 40 ms is then one step, and
    every hop that the network allows is a few. A free number of samples would build no faster, and
    its kernels would not be chosen for any.
    """
    steps = steps_of(spec)
    return (spec.window,) if steps is None else (steps.multiple, 4 * steps.multiple)


def ports_by_size(
    spec: Spec, rows: tuple[int, ...], of: Callable[[Spec, int, int], Ports] = Ports.of
) -> dict[Size, Ports]:
    """Every shape that is compiled, in the order of a TensorRT plan's profiles.

    Parameters
    ----------
    of
        Which ports: `Ports.of` those of windows, for states on the device `Ports.placed` or, in a
        plan, `Ports.planned`.
    """
    return {
        (count, samples): of(spec, count, samples)
        for samples in fixed_samples(spec)
        for count in check_rows(rows)
    }


def pieces(rows: int, fixed: tuple[int, ...]) -> Iterator[tuple[slice, int]]:
    """Cut a batch: which of its rows go together, and into which of the rising `fixed` counts."""
    start = 0
    while start < rows:
        stop = min(rows, start + fixed[-1])
        yield slice(start, stop), next(count for count in fixed if count >= stop - start)
        start = stop


def stretches(samples: int, fixed: tuple[int, ...]) -> Iterator[tuple[slice, int]]:
    """Cut samples: which of them make a step, and how many they are.

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
