"""The two consoles, and what every command says on them: nothing else of ours prints."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from streamer.errors import InputError

out = Console()
"""Results."""
err = Console(stderr=True)
"""Progress and errors."""


def say(text: str, console: Console = err) -> None:
    """Print text as it is: no markup in it, no colours, and no line broken."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress(*, threaded: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """A bar, from the first word until it is left; what it gives is told what is done, how far, of what.

    Not `threaded` where a thread of its own would disturb what is measured.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        auto_refresh=threaded,
    )
    task = bar.add_task("loading")

    def show(what: str, done: int, total: int) -> None:
        bar.start()
        bar.update(task, description=escape(what), completed=done, total=total, refresh=not threaded)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()


@contextmanager
def goes_on(folder: Path) -> Iterator[None]:
    """For work that Ctrl-C loses nothing of: say where the same command goes on, and end with status 130."""
    try:
        yield
    except KeyboardInterrupt:
        err.print(f"stopped; the same command goes on from what is in {folder}", markup=False)
        raise typer.Exit(130) from None


def check_writable(file: Path | None) -> None:
    """Refuse a file that cannot be written before the run, not after it.

    Raises
    ------
    InputError
        If there is a file, and it cannot be written.
    """
    if file is None:
        return
    folder = file.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK) or file.is_dir():
        raise InputError(f"cannot write {file}: its folder must exist and be writable, and it a file")


def write_json(content: Any, file: Path | None) -> None:
    """Write figures where a file was asked for, and say so."""
    if file is None:
        return
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    err.print(f"summary: {file}", markup=False)
