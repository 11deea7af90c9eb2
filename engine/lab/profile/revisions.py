"""Another revision of the product beside this one: the same profile in both, turn by turn.

Each turn of each is a process of its own that knows nothing of the other checkout, so any revision can be
timed that has `ecg-stream profile hops`. Load on the machine changes within minutes: ratios are taken
within a turn.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.lab.profile.hops import ProfileSettings, Show
from engine.lab.profile.machine import Others, describe_machine, measure_others
from engine.lab.profile.report import ratio
from streamer.errors import InputError

HERE = Path(__file__).parents[3]
FIGURES = (
    ("the call alone", "bare", "p50"),
    ("everything else", "overhead", "p50"),
    ("everything else", "overhead", "p90"),
    ("hop", "hop", "p50"),
    ("hop", "hop", "p99"),
)
"""What is compared: how it is called, and where it stands in a profile."""


def compare_revisions(
    other: Path,
    settings: ProfileSettings,
    counts: Sequence[int],
    turns: int,
    show: Show = lambda what, done, total: None,
) -> dict[str, Any]:
    """Profile this checkout and another one by turns.

    Parameters
    ----------
    other
        Folder of the other checkout.
    counts
        Numbers of streams.

    Returns
    -------
    dict
        ``rows``: by number of streams and figure the median of both in µs, and median, least and
        largest of the ratios, this one to the other, None where the hops are too few.

    Raises
    ------
    InputError
        If one of them cannot be profiled with these settings.
    """
    machine, before, others = describe_machine(), measure_others(), Others()
    rows = []
    for count in counts:
        pairs: list[dict[Path, dict[str, Any]]] = []
        for turn in range(turns):
            # Neither is always the first: what the machine does meanwhile meets both alike.
            order = (HERE, other) if turn % 2 else (other, HERE)
            found = {}
            for at, folder in enumerate(order):
                show(f"{count} streams", 2 * turn + at, 2 * turns)
                found[folder] = _profile_of(folder, settings, count)
            pairs.append(found)
        rows += [_row(count, figure, [(pair[HERE], pair[other]) for pair in pairs]) for figure in FIGURES]
    machine["others_cores"] = {"before": before, "during": others.cores()}
    return {
        "model": settings.model,
        "backend": settings.backend,
        "hop_ms": settings.hop_ms,
        "clock": "CPU time" if settings.cpu_time else "wall time",
        "hops": settings.hops,
        "turns": turns,
        "rows": rows,
        "machine": machine,
    }


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """A folder with another revision of the product: that of a path, or a git worktree while it is needed.

    Raises
    ------
    InputError
        If it is neither a folder that holds the product nor a revision of this checkout.
    """
    given = Path(revision)
    if given.is_dir():
        if not all((given / "ecg_stream" / name).is_file() for name in ("__init__.py", "__main__.py")):
            raise InputError(f"{revision} holds no ecg-stream; give the folder of a checkout, or a revision")
        yield given.resolve()
        return
    with TemporaryDirectory(prefix="ecg-stream-") as folder:
        place = Path(folder) / "other"
        _git("worktree", "add", "--detach", "--quiet", str(place), revision)
        try:
            yield place
        finally:
            _git("worktree", "remove", "--force", str(place))


def _git(*words: str) -> None:
    try:
        ran = subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise InputError("git is not installed; give the folder of another checkout") from error
    if ran.returncode:
        why = ran.stderr.strip().splitlines()[-1:] or ["git gave no reason"]
        raise InputError(f"no other revision to be had of {HERE}: {why[0]}")


def _profile_of(folder: Path, settings: ProfileSettings, count: int) -> dict[str, Any]:
    """Durations in µs of one turn, by row and percentile."""
    with TemporaryDirectory(prefix="ecg-stream-") as results:
        file = Path(results) / "hops.json"
        given = {
            "--model": settings.model,
            "--backend": settings.backend,
            "--lookahead": settings.lookahead_ms,
            "--hop": settings.hop_ms,
            "--threads": settings.threads,
            "--hops": settings.hops,
            "--streams": count,
            "--json": file,
        }
        words = [str(word) for pair in given.items() for word in pair]
        ran = subprocess.run(
            [sys.executable, "-m", "ecg_stream", "profile", "hops", *words]
            + ["--cpu-time"] * settings.cpu_time,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            why = ran.stderr.strip().splitlines()[-1:] or [f"exit status {ran.returncode}"]
            raise InputError(f"the product in {folder} cannot be profiled so: {why[0]}")
        (backend,) = json.loads(file.read_text("utf-8"))["backends"].values()
    us: dict[str, Any] = backend["us"]
    return us


def _row(
    count: int, figure: tuple[str, str, str], pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]]
) -> dict[str, Any]:
    title, row, percentile = figure
    found = [(this[row][percentile], other[row][percentile]) for this, other in pairs]
    ratios = [each for each in (ratio(*pair) for pair in found) if each is not None]
    whole = len(ratios) == len(found)
    return {
        "streams": count,
        "figure": f"{title}, {percentile}",
        "this_us": statistics.median(this for this, _ in found) if whole else None,
        "other_us": statistics.median(other for _, other in found) if whole else None,
        "ratio": statistics.median(ratios) if whole else None,
        "least": min(ratios) if whole else None,
        "largest": max(ratios) if whole else None,
    }
