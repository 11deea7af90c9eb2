"""Numpy: what runs the classical systems."""

from dataclasses import replace

from engine.backends.adapters import Windows
from engine.backends.base import Entry, Inputs, Options, Outputs, Runtime
from models.registry import ModelCard
from models.spec import ClassicalSpec


class FilterRuntime(Runtime):
    """Runs a classical system as it stands."""

    name = "numpy"

    def __init__(self, spec: ClassicalSpec) -> None:
        self._filter = spec.filter

    def run(self, inputs: Inputs) -> Outputs:
        """Clean windows."""
        return (self._filter(inputs["noisy"]),)


def open_filter(system: ClassicalSpec, window: int) -> Windows:
    """A classical system on windows of so many samples."""
    spec = replace(system, window=window)
    return Windows(FilterRuntime(spec), spec)


def _open(card: ModelCard, options: Options, threads: int) -> Runtime:
    if not isinstance(card.spec, ClassicalSpec):
        raise TypeError(f"{card.spec.name} is a network")
    return FilterRuntime(card.spec)


BACKEND = Entry(why_not=lambda options: None, open=_open, classical=True)
