"""The two TensorRT libraries: which is installed, and which GPUs each serves.

``tensorrt`` (classic) builds on the GPU that will run the plan, and serves data-centre cards too.
``tensorrt_rtx`` builds for a compute capability, on a machine without a GPU as well, and serves RTX
cards. What we use of them has the same names in both; `engine.backends.tensorrt.runtime` runs either.
"""

from dataclasses import dataclass

from engine.backends.gpu.find import Gpu, dotted
from streamer.console.installed import how_to_install

Capability = tuple[int, int]
_CUDAS = (12, 13, 14)


@dataclass(frozen=True)
class Flavour:
    """One of the libraries.

    Parameters
    ----------
    name
        The word for ``--flavour``.
    module
        What is imported.
    package, extra
        Its name for pip, and our extra that installs it.
    capabilities
        Compute capabilities that it serves, in rising order. What is newer than the last is served
        too; with only one it is the oldest.
    """

    name: str
    module: str
    package: str
    extra: str
    capabilities: tuple[Capability, ...]

    @property
    def version(self) -> str | None:
        """Version that is installed; None where it is not."""
        # The package itself only names the one of a CUDA version, which may stand alone.
        return next(filter(None, (_version(name) for name in (self.package, *self._wheels))), None)

    @property
    def served(self) -> str:
        """Compute capabilities that it serves, in words."""
        return f"{' '.join(dotted(each) for each in self.capabilities)} and newer"

    def serves(self, capability: Capability) -> bool:
        """Whether it has code for a GPU of this compute capability."""
        return capability in self.capabilities or capability > self.capabilities[-1]

    def why_not(self, gpu: Gpu) -> str | None:
        """Why it cannot run on this GPU; None where it can."""
        if self.version is None:
            return f"{self.package} is not installed; run `{how_to_install(self.extra)}`"
        if not self.serves(gpu.capability):
            return f"{self.package} {self.version} serves compute capability {self.served}"
        needed = next((cuda for cuda, wheel in zip(_CUDAS, self._wheels, strict=True) if _version(wheel)), 0)
        if gpu.cuda[0] < needed:
            # Older drivers crash the process instead of refusing.
            return (
                f"{self.package} {self.version} needs a driver for CUDA {needed}, and this one serves "
                f"CUDA {dotted(gpu.cuda)}: update the driver"
            )
        return None

    @property
    def _wheels(self) -> tuple[str, ...]:
        return tuple(f"{self.package}-cu{cuda}" for cuda in _CUDAS)


def _version(package: str) -> str | None:
    # It takes longer to import than all of this package; whoever has no GPU never asks.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


CLASSIC = Flavour("classic", "tensorrt", "tensorrt", "tensorrt", ((7, 5),))
# The library can also build for 7.5 (Turing), which it runs 15 times slower than a card a
# generation younger (NVIDIA/TensorRT-RTX issue 11): there a CUDA graph is the better choice.
RTX = Flavour("rtx", "tensorrt_rtx", "tensorrt-rtx", "rtx", ((8, 0), (8, 6), (8, 9), (12, 0), (12, 1)))
FLAVOURS = {flavour.name: flavour for flavour in (CLASSIC, RTX)}
"""In the order in which they are asked."""


def choose_flavour(gpu: Gpu) -> Flavour | None:
    """The first that runs on this GPU; None where none does, and `why_none` says why."""
    return next((flavour for flavour in FLAVOURS.values() if flavour.why_not(gpu) is None), None)


def why_none(gpu: Gpu | None) -> str:
    """What is installed, what it serves, and why that is not enough for this GPU."""
    if gpu is None:
        return "; ".join(
            f"{flavour.package} {flavour.version or 'not installed'} "
            f"(serves compute capability {flavour.served})"
            for flavour in FLAVOURS.values()
        )
    return "; ".join(flavour.why_not(gpu) or "" for flavour in FLAVOURS.values())
