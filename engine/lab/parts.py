"""Work in parts that run on all cores, with results that are kept.

The result of a part is stored in a file named by a hash of everything that it depends on: settings,
weights, data and code. After Ctrl-C or a kill the same command goes on with the parts that are missing.
"""

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from models.registry import load_card, sha256

Result = dict[str, Any]
"""Result of a part, as JSON."""
Progress = Callable[[str, int, int], None]
"""Called with what was done, how many parts are done, and of how many."""
# Reports do not change figures, and neither does the command line, whose options are in the key.
_REPORTS = {
    "frontier.py",
    "report.py",
    "pictures.py",
    "tables.py",
    "track_s_results.py",
    "qtdb_report.py",
    "beats_report.py",
}
_REPORTS |= {"output.py", "options.py", "results.py"}
_COMMAND = "_command.py"


@dataclass(frozen=True)
class Part:
    """A piece of work: `work(*arguments)` in another process.

    Parameters
    ----------
    label
        What a progress bar says of it.
    key
        Everything that the result depends on, as JSON; a hash of the code is added.
    """

    label: str
    key: dict[str, Any]
    work: Callable[..., Result]
    arguments: tuple[Any, ...]

    def path(self, folder: Path) -> Path:
        """Where its result lies."""
        text = json.dumps(self.key | {"code": code_sha256()}, sort_keys=True)
        return folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"


def run_parts(parts: Sequence[Part], folder: Path, jobs: int, progress: Progress) -> list[Result]:
    """Results of all parts, in their order.

    Parameters
    ----------
    folder
        Where results are kept. Those already there are not computed again.
    jobs
        Processes at once; 1 works in this one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    waiting = [part for part in parts if not part.path(folder).is_file()]
    done = len(parts) - len(waiting)
    progress("kept from before" if done else "starting", done, len(parts))
    for label in _work(waiting, folder, jobs):
        done += 1
        progress(label, done, len(parts))
    return [json.loads(part.path(folder).read_text(encoding="utf-8")) for part in parts]


def _work(parts: Sequence[Part], folder: Path, jobs: int) -> Iterator[str]:
    """Labels of the parts as they are done."""
    if jobs == 1 or len(parts) < 2:
        for part in parts:
            _do(part, folder)
            yield part.label
        return
    # Spawn: a fork would copy the locks of the runtimes' threads in whatever state they are.
    with ProcessPoolExecutor(jobs, get_context("spawn"), _ignore_ctrl_c) as pool:
        futures: dict[Future[None], Part] = {pool.submit(_do, part, folder): part for part in parts}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future].label
        except BaseException:
            # Also when the iterator is closed: do not wait for parts that were not begun.
            pool.shutdown(wait=False, cancel_futures=True)
            for child in active_children():
                child.terminate()
            raise


def _ignore_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _do(part: Part, folder: Path) -> None:
    """Work, and write the result to a temporary name first: a kill leaves no half result."""
    path = part.path(folder)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(part.work(*part.arguments)), encoding="utf-8")
    os.replace(temporary, path)


@lru_cache
def code_sha256() -> str:
    """Hash of all code that figures depend on."""
    code = hashlib.sha256()
    for package in ("streamer", "engine", "models"):
        for path in sorted((Path(__file__).parents[2] / package).rglob("*.py")):
            if path.name not in _REPORTS and not path.name.endswith(_COMMAND):
                code.update(path.read_bytes())
    return code.hexdigest()


def fingerprint(name: str) -> str | None:
    """SHA-256 of the weights that a system runs; None where it consists of code alone."""
    card = load_card(name)
    return sha256(card.weights_path) if card.weights_path.is_file() else None


def data_sha256(records: Iterable[Path]) -> dict[str, str]:
    """Fingerprint of every file of some records, by ``database/file``."""
    return {
        f"{path.parent.name}/{path.name}": _file_sha256(path)
        for record in records
        for path in sorted(record.parent.glob(f"{record.name}.*"))
    }


_file_sha256 = lru_cache(maxsize=None)(sha256)
