"""Clean an ECG from Python: `clean`, `ecg_clean`, `Denoiser`; and the `ecg-stream` command.

Importing it takes next to no time and changes nothing; what a name needs is imported when it is first used.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.in_process.clean import Verdict, clean
    from engine.in_process.denoiser import Cleaned, Denoiser
    from engine.in_process.neurokit import ecg_clean
    from engine.marks import Mark, Reason
    from streamer.errors import InputError

__all__ = ["Cleaned", "Denoiser", "InputError", "Mark", "Reason", "Verdict", "clean", "ecg_clean"]

_HOMES = {
    "Cleaned": "engine.in_process.denoiser",
    "Denoiser": "engine.in_process.denoiser",
    "InputError": "streamer.errors",
    "Mark": "engine.marks",
    "Reason": "engine.marks",
    "Verdict": "engine.in_process.clean",
    "clean": "engine.in_process.clean",
    "ecg_clean": "engine.in_process.neurokit",
}
_PACKAGES = ("engine", "models", "streamer")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _check_packages()
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _check_packages() -> None:
    """Say it plainly where a folder of somebody else's goes before a package of ours of the same name."""
    ours = Path(__file__).parents[1]
    for package in _PACKAGES:
        spec = find_spec(package)
        place = spec.origin if spec else None
        if place is None or Path(place).parents[1] != ours:
            raise ImportError(
                f"ecg-stream needs its own package {package!r} in {ours}, but Python finds {place}; rename "
                "that one, or start Python in another folder"
            )
