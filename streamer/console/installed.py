"""What is not installed here, and the command that installs it."""

from collections.abc import Sequence
from importlib.util import find_spec


def why_missing(modules: Sequence[str], extra: str | None = None) -> str | None:
    """Name the modules that are missing and what brings them; None where none is."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        package = f"'ecg-stream[{extra}]'" if extra else "ecg-stream"
        return f"{' and '.join(missing)} not installed; run `pip install {package}`"
    return None
