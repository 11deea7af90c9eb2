"""Find a PhysioNet record on disk, or fetch it once into the user's cache.

Search order: the folder given (`--data-dir`), the folder that ``ECG_STREAM_DATA`` names, the
cache, and at last PhysioNet itself. A folder that is given explicitly is the only one searched.
"""

import os
import re
from pathlib import Path
from typing import Any

import platformdirs

from streamer.errors import InputError, one_line

DATA_VARIABLE = "ECG_STREAM_DATA"
PHYSIONET = "https://physionet.org/files"

# version and folder of the records inside the database
_KNOWN = {
    "mitdb": ("1.0.0", ""),
    "nstdb": ("1.0.0", ""),
    "qtdb": ("1.0.0", ""),
    "ludb": ("1.0.1", "data/"),
    "nsrdb": ("1.0.0", ""),
    "edb": ("1.0.0", ""),
    "afdb": ("1.0.0", ""),
    "svdb": ("1.0.0", ""),
    "aami-ec13": ("1.0.0", ""),
}
_SUM = re.compile(r"^([0-9a-f]{64})\s+(\S.*?)\s*$", re.MULTILINE)
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{,199}")


def find_record(
    record: str, database: str, data_dir: Path | None = None, *, physionet: str = PHYSIONET
) -> Path:
    """Path of a record's header without its ``.hea``, as the wfdb package wants it.

    Parameters
    ----------
    record, database
        Names as PhysioNet spells them: ``"100"`` of ``"mitdb"``.
    data_dir
        Search only here: a folder that holds ``<database>/<record>.hea`` or ``<record>.hea``.
    physionet
        Where databases are fetched from: ``<physionet>/<database>/<version>/``.

    Raises
    ------
    InputError
        If there is no such record, or it can be neither found nor fetched.
    """
    for what, name in (("record", record), ("database", database)):
        if not _SAFE_NAME.fullmatch(name) or ".." in name:
            raise InputError(
                f"{what} {name!r} is no name of a {what}; letters, digits, '_', '-' and '/' are "
                "allowed, for example 100 of mitdb"
            )
    if data_dir is not None:
        if not data_dir.is_dir():
            raise InputError(f"data folder {data_dir} does not exist; give one that holds records")
        return _in_folders(record, database, [data_dir]) or _missing(record, database, data_dir)

    variable = os.environ.get(DATA_VARIABLE)
    cache = Path(platformdirs.user_cache_dir("ecg-stream")) / "physionet"
    folders = [Path(variable)] if variable else []
    found = _in_folders(record, database, folders)
    return found or _fetch(record, database, cache / database, physionet)


def is_at_hand(record: str, database: str, data_dir: Path | None = None) -> bool:
    """Whether `find_record` would find a record without a network."""
    variable = os.environ.get(DATA_VARIABLE)
    cache = Path(platformdirs.user_cache_dir("ecg-stream")) / "physionet"
    folders = [data_dir] if data_dir else [*([Path(variable)] if variable else []), cache]
    return _in_folders(record, database, folders) is not None


def database_of(path: Path, record: str) -> str:
    """Name of the folder in which a record was found: its database, or whatever a person calls it.

    Parameters
    ----------
    path, record
        As `find_record` returned, and as it was asked.
    """
    folder = path.absolute().parents[len(Path(record).parts) - 1]
    return folder.parent.name if folder.name == "data" else folder.name


def _in_folders(record: str, database: str, folders: list[Path]) -> Path | None:
    # Some databases keep their records in a folder of their own.
    for folder in folders:
        inside = folder / database
        for path in (inside / record, inside / "data" / record, folder / record):
            if path.with_name(path.name + ".hea").is_file():
                return path
    return None


def _missing(record: str, database: str, folder: Path) -> Path:
    inside = folder / database if (folder / database).is_dir() else folder
    names = sorted(header.stem for header in inside.glob("*.hea"))
    if names:
        shown = " ".join(names[:12]) + (" …" if len(names) > 12 else "")
        raise InputError(f"no record {record!r} in {inside}; there are: {shown}")
    raise InputError(
        f"no record {record!r} of {database!r} in {folder}, nor any other; the folder must hold "
        f"{database}/{record}.hea or {record}.hea"
    )


def _fetch(record: str, database: str, folder: Path, physionet: str) -> Path:
    """Download header, signals and annotations of one record, checked by PhysioNet's SHA-256."""
    import pooch
    import requests
    import wfdb

    if database not in _KNOWN:
        raise InputError(
            f"database {database!r} is not on disk, and which version to fetch is known only for: "
            f"{' '.join(_KNOWN)}; download it by hand and give its folder with --data-dir"
        )
    version, subfolder = _KNOWN[database]
    url = f"{physionet}/{database}/{version}"
    by_hand = f"download {url}/ by hand and name the folder above it with --data-dir or {DATA_VARIABLE}"

    def fetch(name: str, known_hash: str | None) -> Path:
        downloader = pooch.HTTPDownloader(progressbar=_progress_bar(name), timeout=30)
        try:
            path = pooch.retrieve(
                f"{url}/{name}", known_hash, fname=Path(name).name, path=folder, downloader=downloader
            )
        except ValueError as error:
            raise InputError(
                f"{url}/{name} arrived damaged, its SHA-256 is not the published one; try again, or {by_hand}"
            ) from error
        return Path(path)

    pooch.get_logger().setLevel("WARNING")
    try:
        sums = fetch("SHA256SUMS.txt", None)
        hashes = {name: digest for digest, name in _SUM.findall(sums.read_text(encoding="utf-8"))}
        if not hashes:
            sums.unlink()
            raise InputError(f"{url}/SHA256SUMS.txt is no list of files; {by_hand}")
        header = f"{subfolder}{record}.hea"
        # Exactly beside the header: databases keep old editions under the same names in subfolders.
        files = {name for name in hashes if Path(name).with_suffix(".hea") == Path(header)}
        if header not in files:
            raise InputError(
                f"database {database!r} {version} has no record {record!r}; its list is {url}/RECORDS"
            )
        fetch(header, hashes[header])
        # A record may keep its signals in files of another name.
        named = wfdb.rdheader(str(folder / Path(record).name)).file_name or []
        files |= {f"{subfolder}{name}" for name in named if f"{subfolder}{name}" in hashes}
        for name in sorted(files):
            fetch(name, hashes[name])
    except InputError:
        raise
    except requests.RequestException as error:
        raise InputError(
            f"record {record!r} of {database!r} is not on disk and could not be fetched "
            f"(no connection: {type(error).__name__}); {by_hand}"
        ) from error
    except (OSError, ValueError) as error:
        # The cache cannot be written, or a file does not match PhysioNet's SHA-256.
        raise InputError(
            f"record {record!r} of {database!r} is not on disk and could not be fetched "
            f"({one_line(error)}); {by_hand}"
        ) from error
    return folder / Path(record).name


def _progress_bar(name: str) -> Any:
    """Build the bar in the form that pooch drives: ``total``, ``update``, ``reset``, ``close``."""
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    class Bar:
        def __init__(self) -> None:
            self._progress = Progress(
                *Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn()
            )
            self._task = self._progress.add_task(Path(name).name, total=None)
            self._total = 0

        @property
        def total(self) -> int:
            return self._total

        @total.setter
        def total(self, size: int) -> None:
            self._total = size
            self._progress.update(self._task, total=size)
            self._progress.start()

        def update(self, size: int) -> None:
            self._progress.advance(self._task, size)

        def reset(self) -> None:
            self._progress.reset(self._task, total=self._total)

        def close(self) -> None:
            self._progress.stop()

    return Bar()
