"""Which beds a hospital gets, and as whose: known from its user alone, never from a stream."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import InputError

_HOLDS = 'each of its tables is a bed: ["bed 7"], with patient = "…", location = "…", or both'


@dataclass(frozen=True)
class Who:
    """Whom a bed's ECG is of.

    Parameters
    ----------
    patient
        Identifier of the patient in the hospital; empty where it is not told.
    location
        Where the bed stands, as HL7 has it: point of care, room and bed with ``^`` between; or empty.
    """

    patient: str = ""
    location: str = ""


def read_beds(file: Path) -> dict[str, Who]:
    """Beds by their name in the ward.

    Raises
    ------
    InputError
        If the file cannot be read, or does not say that.
    """
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"--beds cannot read {file}: {error.strerror}; {_HOLDS}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--beds {file} is not TOML: {error}; {_HOLDS}") from error
    if not content:
        raise InputError(f"--beds {file} names no bed; {_HOLDS}")
    return {bed: _who(file, bed, told) for bed, told in content.items()}


def _who(file: Path, bed: str, told: object) -> Who:
    if not isinstance(told, dict) or not told or set(told) - {"patient", "location"}:
        raise InputError(f"--beds {file}: {bed!r} does not say who it is; {_HOLDS}")
    for name, text in told.items():
        # The texts go into messages whose separators are control characters.
        if not (isinstance(text, str) and text and text.isprintable()):
            raise InputError(f"--beds {file}: {name} of {bed!r} is no text of letters on one line; {_HOLDS}")
    return Who(**told)
