"""Which version runs here, and what is not installed and the command that installs it."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def why_missing(modules: Sequence[str], extra: str | None = None) -> str | None:
    """Name the modules that are missing and what brings them; None where none is."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        return f"{' and '.join(missing)} not installed; run `{how_to_install(extra)}`"
    return None


def how_to_install(extra: str | None = None) -> str:
    """The command that installs what an extra needs, or what everything needs.

    It does not name the project to an index, which may not have it: in a checkout it installs that,
    elsewhere what the installed package says that it requires.
    """
    if _PROJECT.is_file():
        return f"pip install -e '{_PROJECT.parent}{f'[{extra}]' if extra else ''}'"
    from importlib.metadata import requires

    split = [each.partition(";") for each in requires("ecg-stream") or ()]
    wanted = [
        name.strip()
        for name, _, marker in split
        if (f"extra == '{extra}'" in marker.replace('"', "'") if extra else "extra ==" not in marker)
    ]
    return f"pip install {' '.join(repr(name) for name in wanted)}"


def version_here() -> str:
    """The version that runs: of the installed package, or of the checkout that the code stands in."""
    if _PROJECT.is_file():
        import tomllib

        # What is installed besides may be older, or nothing at all.
        project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
        return f"{project['version']} (checkout)"
    from importlib.metadata import version

    return version("ecg-stream")
