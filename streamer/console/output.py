"""The two consoles and what commands say on them; only commands and the front door use them."""

import errno
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import typer
from rich.console import Console
from rich.markup import escape

from streamer.console.json_lines import JsonLines
from streamer.errors import InputError, NotWrittenError

out = Console()
"""Results."""
err = Console(stderr=True)
"""Progress and errors."""


def take_any_terminal() -> None:
    """Show ``?`` where a terminal has no letter for what is said, rather than end the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(text: str, console: Console = err) -> None:
    """Print text as it is: no markup, no colours, no line breaks added."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def log_as_json(lines: JsonLines) -> None:
    """Have everything that would be said from now on be lines of JSON."""
    err.file = cast(IO[str], lines)
    # What is wrapped would be several events.
    err.width = 100_000


def say_failure(text: str) -> None:
    """Say what ended the command."""
    if isinstance(err.file, JsonLines):
        err.file.failure(text)
    else:
        say(f"ecg-stream: {text}")


@contextmanager
def progress(*, threaded: bool = True, eta: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar from the first report on, and remove it at the end.

    Parameters
    ----------
    threaded
        Whether a thread redraws the bar; False where it would disturb what is measured.
    eta
        Show how long it will take, too.

    Yields
    ------
    Callable
        To call with what is being done, how many steps of it are done, and of how many.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *((TaskProgressColumn(), TimeRemainingColumn()) if eta else (MofNCompleteColumn(),)),
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
    """Let Ctrl-C end work whose finished parts are kept in `folder`: say so, with exit status 130."""
    try:
        yield
    except KeyboardInterrupt:
        err.print(f"stopped; the same command goes on from what is in {folder}", markup=False)
        raise typer.Exit(130) from None


def check_writable(file: Path | None, formats: Sequence[str] = ()) -> None:
    """Refuse, before the run rather than after it, a file that cannot be written.

    Parameters
    ----------
    formats
        What its name may end in, such as ``.png``; none allows any.

    Raises
    ------
    InputError
        If a file is given, and it cannot be written.
    """
    if file is None or _is_device(file):
        return
    if formats and file.suffix.lower() not in formats:
        raise InputError(f"cannot write {file}: its name must end in {' or '.join(formats)}")
    folder = file.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK) or file.is_dir():
        raise InputError(f"cannot write {file}: name a file in a folder that exists and is writable")


def _is_device(file: Path) -> bool:
    """Whether it is there and is no file: ``/dev/stdout``, a pipe with a name, a shell's ``>(jq)``."""
    return file.exists() and not file.is_file() and not file.is_dir()


def write_json(content: Any, file: Path | None) -> None:
    """Write figures into a file, if one is given, and say so.

    Raises
    ------
    NotWrittenError
        If it takes none, or is a pipe that nobody reads.
    """
    if file is None:
        return
    try:
        # A pipe without a reader would never open; who reads it may then take the time it needs.
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NONBLOCK", 0), 0o666)
        os.set_blocking(handle, True)
        with open(handle, "w", encoding="utf-8") as written:
            written.write(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        why = "it is a pipe that nobody reads" if error.errno == errno.ENXIO else error.strerror
        raise NotWrittenError(f"cannot write {file}: {why}; name another file") from error
    err.print(f"summary: {file}", markup=False)


def show_report(folder: Path, name: str = "report.md") -> None:
    """Print a report that a command has written, and where it stands."""
    say((folder / name).read_text(encoding="utf-8"), out)
    err.print(f"report: {folder}", markup=False)
