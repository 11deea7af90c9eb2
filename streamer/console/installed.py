"""Which version runs here, and what is not installed and the command that installs it."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def why_missing(modules: Sequence[str], extra: str | None = None) -> str | None:
    """Name the modules that are missing and what brings them; None where none is."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        package = f"'ecg-stream[{extra}]'" if extra else "ecg-stream"
        return f"{' and '.join(missing)} not installed; run `pip install {package}`"
    return None


def version_here() -> str:
    """The version that runs: of the installed package, or of the checkout that the code stands in."""
    if _PROJECT.is_file():
        import tomllib

        # What is installed besides may be older, or nothing at all.
        project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
        return f"{project['version']} (checkout)"
    from importlib.metadata import version

    return version("ecg-stream")
