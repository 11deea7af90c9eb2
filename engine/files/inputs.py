"""What is to be cleaned: files, records, folders and patterns become files and where each goes."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.files.formats import is_known
from streamer.errors import InputError
from streamer.records.header import segments_of


@dataclass(frozen=True)
class Wanted:
    """A file to clean, and the folder for the cleaned one."""

    file: Path
    folder: Path


def wanted_files(given: Sequence[str], out: Path) -> list[Wanted]:
    """Find every file; what lies deeper in a folder goes equally deep.

    Parameters
    ----------
    given
        A file, a WFDB record without its ending, a folder or a pattern such as ``*.edf``.

    Raises
    ------
    InputError
        If one of these leads to nothing, or two files would become one.
    """
    found: dict[Path, Wanted] = {}
    for text in given:
        for file, folder in _found(text, out):
            found.setdefault(file.resolve(), Wanted(file, folder))
    targets: dict[Path, Path] = {}
    for each in found.values():
        other = targets.setdefault(each.folder / each.file.name, each.file)
        if other is not each.file:
            raise InputError(
                f"{other} and {each.file} would both become {each.folder / each.file.name}; clean them one "
                "after the other, each with a folder of its own (-o)"
            )
    return list(found.values())


def _found(text: str, out: Path) -> list[tuple[Path, Path]]:
    path = Path(text)
    if path.is_dir():
        inside = [file for file in sorted(path.rglob("*")) if file.is_file() and is_known(file)]
        # The cleaned files may lie in a folder inside.
        ours = out.resolve()
        inside = _whole([_record(file) for file in inside if ours not in file.resolve().parents])
        if not inside:
            raise InputError(f"{path} holds no file to clean")
        return [(file, out / file.parent.relative_to(path)) for file in inside]
    header = path.with_name(f"{path.name}.hea")
    if path.is_file():
        return [(_record(path), out)]
    if header.is_file():
        return [(header, out)]
    matching = [Path(name) for name in sorted(glob.glob(text, recursive=True))]
    # Of a record `100.*` also names its signals and annotations.
    files = [file for file in matching if file.is_file() and is_known(file)]
    if not files:
        raise InputError(f"{text}: there is no such file, record or folder")
    return [(file, out) for file in _whole([_record(file) for file in files])]


def _record(file: Path) -> Path:
    """The header that names a signal file, or the file itself."""
    header = file.with_suffix(".hea")
    return header if file.suffix.lower() in (".dat", ".mat") and header.is_file() else file


def _whole(files: list[Path]) -> list[Path]:
    """Files without the segments of records that are among them."""
    headers = [file for file in files if file.suffix.lower() == ".hea"]
    parts = {
        header.with_name(f"{name}.hea") for header in headers for name in segments_of(header.with_suffix(""))
    }
    return [file for file in files if file not in parts]
