"""Plans on disk: found again where they fit, built anew with one line that says why where they do not.

A file is a header in JSON, one line, and the plan. Its name says what it is for; its header holds
all that it depends on. A plan is code that the GPU runs, so it is read only from a file that this
user or the administrator owns, and only where its checksum is right: the library need not be given
garbage to find out.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
FOLDER_VARIABLE = "ECG_STREAM_PLANS"
"""Environment variable that names another folder of plans than the user's cache."""
_MAGIC = b"ecg-stream plan 1\n"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlanKey:
    """All that a plan depends on; one that differs in anything is of no use.

    Parameters
    ----------
    network
        Name of the network.
    graph
        SHA-256 of its ONNX graph in single precision.
    flavour, version
        The library, and its full version.
    gpu
        Compute capability; for the classic flavour also name and driver of the GPU.
    precision, rows, samples
        As for `build_plan`.
    """

    network: str
    graph: str
    flavour: str
    version: str
    gpu: str
    precision: str
    rows: tuple[int, ...]
    samples: tuple[int, ...] = ()

    @property
    def file_name(self) -> str:
        """One file for each network, flavour, GPU, precision and shapes; newer ones replace older."""
        shapes = "rows" + "-".join(str(count) for count in self.rows)
        if self.samples:
            shapes += "-samples" + "-".join(str(count) for count in self.samples)
        gpu = "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in self.gpu)
        return f"{self.network}-{self.flavour}-{gpu}-{self.precision}-{shapes}.plan"


class Unfit(Exception):
    """A plan that is there and must not be used; the message says why."""


def plans_folder() -> Path:
    """Where plans are kept: what `FOLDER_VARIABLE` names, or the user's cache."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("ecg-stream") / "plans"


def find_or_build(
    key: PlanKey, build: Callable[[], bytes], load: Callable[[bytes], T | None], folder: Path | None = None
) -> T:
    """What `load` makes of the plan in the folder where it fits, else of one that is built and kept.

    Two processes may build the same plan at once: each writes a file of its own and moves it into
    place whole. A folder that cannot be written costs the next start a build and this one nothing.

    Parameters
    ----------
    load
        Gives the plan to the library; None where that refuses it.

    Raises
    ------
    RuntimeError
        If the library refuses what it has just built.
    """
    path = (folder or plans_folder()) / key.file_name
    with suppress(FileNotFoundError, NotADirectoryError):
        try:
            loaded = load(read_plan(path, key))
            if loaded is not None:
                return loaded
            reason = f"{key.flavour} {key.version} refuses it"
        except (Unfit, PermissionError, IsADirectoryError) as error:
            reason = str(error)
        _logger.warning("plan %s is built anew: %s", path, reason)
    plan = build()
    try:
        write_plan(path, key, plan)
    except OSError as error:
        _logger.warning("plan %s is not kept, so the next start builds it again: %s", path, error)
    loaded = load(plan)
    if loaded is None:
        raise RuntimeError(f"{key.flavour} {key.version} refuses the plan that it has built for {key.gpu}")
    return loaded


def read_plan(path: Path, key: PlanKey) -> bytes:
    """A plan from its file.

    Raises
    ------
    Unfit
        If it is damaged, another's, or for something else than the key.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        owner = os.fstat(file.fileno()).st_uid
        if hasattr(os, "getuid") and owner not in (0, os.getuid()):
            raise Unfit(f"it belongs to user {owner}")
        if file.readline() != _MAGIC:
            raise Unfit("it is no plan of this version of ecg-stream")
        header, plan = file.readline(), file.read()
    try:
        fields = json.loads(header)
        # A plan from before there were networks that keep state has none.
        shapes = {"rows": tuple(fields["rows"]), "samples": tuple(fields.get("samples", ()))}
        checksum, made_for = fields.pop("sha256"), fields | shapes
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unfit("its header is damaged") from None
    for name, wanted in asdict(key).items():
        if made_for.get(name) != wanted:
            raise Unfit(f"its {name} is {made_for.get(name)}, not {wanted}")
    if hashlib.sha256(plan).hexdigest() != checksum:
        raise Unfit("it is damaged")
    return plan


def write_plan(path: Path, key: PlanKey, plan: bytes) -> None:
    """Write a plan's file whole or not at all.

    Raises
    ------
    OSError
        If the folder cannot be made or written, or is full.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    header = json.dumps(asdict(key) | {"sha256": hashlib.sha256(plan).hexdigest()})
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + header.encode() + b"\n" + plan)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
