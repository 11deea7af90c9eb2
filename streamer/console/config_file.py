"""``ecg-stream.toml``: options of playing that a file states, and where that file lies."""

import difflib
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from streamer.errors import InputError, one_line

NAME = "ecg-stream.toml"
PREFIX = "ECG_STREAM"
"""An option is an environment variable too: ``--hop`` is ``ECG_STREAM_HOP``."""


def find_config() -> Path | None:
    """The file in the working folder, or else in the user's own; None where there is none."""
    import platformdirs

    folders = (Path(), Path(platformdirs.user_config_dir("ecg-stream")))
    return next((folder / NAME for folder in folders if (folder / NAME).is_file()), None)


def read_config(path: Path, known: Collection[str]) -> dict[str, Any]:
    """Options that a file states, by their names with underscores; a list becomes text with commas.

    Parameters
    ----------
    known
        Names of all options, with underscores.

    Raises
    ------
    InputError
        If the file cannot be read, or states what is no option or no value of one.
    """
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} cannot be read: {one_line(error)}") from error
    options: dict[str, Any] = {}
    for key, value in stated.items():
        name = key.replace("-", "_")
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.0)
            raise InputError(f"{path}: {key!r} is no option; the nearest is {near[0].replace('_', '-')!r}")
        if name in options:
            raise InputError(f"{path}: {key!r} stands there twice")
        if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
            value = ",".join(map(str, value))
        if not isinstance(value, str | int | float):
            raise InputError(f"{path}: {key!r} must be a text, a number, true or false, or a list of them")
        options[name] = value
    return options
