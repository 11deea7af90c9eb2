"""What a person can choose between here, and why some of it cannot be taken."""

from engine.backends import BACKENDS, why_not
from models.registry import NETWORKS, load_card
from streamer.errors import InputError


def networks() -> dict[str, str | None]:
    """Networks by name, each with the reason why it cannot be taken; None where it can."""
    reasons: dict[str, str | None] = {}
    for name in NETWORKS:
        try:
            load_card(name)
            reasons[name] = None
        except InputError as error:
            reasons[name] = str(error)
    return reasons


def backends() -> dict[str, str | None]:
    """Backends by name, each with the reason why it cannot be taken; None where it can."""
    return {name: why_not(name) for name in BACKENDS if name != "auto"}
