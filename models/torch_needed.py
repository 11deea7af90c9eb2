"""Whether torch is here: asked before it is imported."""

from streamer.console.installed import why_missing
from streamer.errors import InputError


def why_no_torch() -> str | None:
    """Say what is missing to run a network in torch and what to do; None where nothing is."""
    return why_missing(["torch", "safetensors"], "train")


def check_torch() -> None:
    """Refuse a command that trains or exports where torch is missing.

    Raises
    ------
    InputError
        The message says what to install.
    """
    reason = why_no_torch()
    if reason:
        raise InputError(f"this command needs torch: {reason}")
