"""What a network takes and gives: the names and shapes of its exported graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.spec import ClassicalSpec, NetworkSpec, StepSpec

Spec = NetworkSpec | ClassicalSpec
Shape = tuple[int, ...]
_WHOLE_NUMBERS = ("lookahead", "places")


@dataclass(frozen=True)
class Ports:
    """Shapes by name, in the order of the graph.

    A system that answers windows takes ``noisy`` and gives ``cleaned``, both (rows, leads, window)
    mV. A stateful network takes and gives what `models.spec.StepSpec` says.
    """

    inputs: dict[str, Shape]
    outputs: dict[str, Shape]

    @classmethod
    def of(cls, spec: Spec, rows: int, samples: int) -> "Ports":
        """Those of a call with so many rows and samples."""
        noisy = rows, spec.leads, samples
        steps = steps_of(spec)
        if steps is None:
            return cls({"noisy": noisy}, {"cleaned": noisy})
        state = rows, steps.state
        return cls(
            {"noisy": noisy, "state": state, "lookahead": ()},
            {"answer": (rows, 2, samples), "next_state": state},
        )

    @classmethod
    def placed(cls, spec: Spec, rows: int, samples: int) -> "Ports":
        """Those of a step whose states stay on the device; `engine.backends.base.PlacedBackend`."""
        return cls(
            {"noisy": (rows, spec.leads, samples), "places": (rows,), "begin": (rows, 2), "lookahead": ()},
            {"answer": (rows, 2, samples), "told": (rows, 2)},
        )

    @classmethod
    def planned(cls, spec: Spec, rows: int, samples: int) -> "Ports":
        """Those of a step in a plan, whose states come from a place on the device and go back to it."""
        of, placed = cls.of(spec, rows, samples), cls.placed(spec, rows, samples)
        lookahead = of.inputs.pop("lookahead")
        return cls(
            of.inputs | {"begin": placed.inputs["begin"], "lookahead": lookahead}, of.outputs | placed.outputs
        )


def steps_of(spec: Spec) -> StepSpec | None:
    """How a network keeps state; None for every other system."""
    return spec.steps if isinstance(spec, NetworkSpec) else None


def dtype_of(name: str) -> np.dtype[Any]:
    """Type of a port: single precision, but whole numbers of samples."""
    return np.dtype(np.int64 if name in _WHOLE_NUMBERS else np.float32)


def zeros(shapes: dict[str, Shape]) -> dict[str, NDArray[Any]]:
    """Arrays of zeros in these shapes."""
    return {name: np.zeros(shape, dtype_of(name)) for name, shape in shapes.items()}
