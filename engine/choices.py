"""What a person can choose between here, and why some of it cannot be taken."""

from engine.backends import BACKENDS, NUMPY, why_not
from models.registry import SYSTEMS, load_card
from models.spec import ClassicalSpec
from streamer.errors import InputError

__all__ = ["NUMPY", "backends", "needs_numpy", "networks"]


def networks() -> dict[str, str | None]:
    """Networks and classical systems by name, and why one cannot be taken; None where it can."""
    reasons: dict[str, str | None] = {}
    for name in SYSTEMS:
        try:
            load_card(name)
            reasons[name] = None
        except (InputError, OSError) as error:
            reasons[name] = str(error)
    return reasons


def backends() -> dict[str, str | None]:
    """Backends by name, each with the reason why it cannot be taken; None where it can."""
    return {name: why_not(name) for name in BACKENDS if name != "auto"}


def needs_numpy(name: str) -> bool:
    """Say whether a system is a classical one, which runs in numpy alone."""
    return isinstance(SYSTEMS.get(name), ClassicalSpec)
