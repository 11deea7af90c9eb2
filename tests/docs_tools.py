"""What the tests of the documentation share: the blocks of its pages, and a copy of ecg-stream."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_MARK = re.compile(r"<!-- test: (.+?) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and what the comment above it says of its test; "" without one."""

    page: str
    line: int
    language: str
    text: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Every fenced block of a page. The mark is the comment directly above the fence."""
    found, lines = [], page.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        fence = re.fullmatch(r"(\s*)```(\w*).*", lines[at])
        if fence:
            end = next(stop for stop in range(at + 1, len(lines)) if lines[stop].strip() == "```")
            mark = _MARK.fullmatch(lines[at - 1].strip()) if at else None
            text = "\n".join(line.removeprefix(fence[1]) for line in lines[at + 1 : end])
            found.append(Block(page.name, at + 1, fence[2], text, mark[1] if mark else ""))
            at = end
        at += 1
    return found


def commands_of(text: str) -> list[list[str]]:
    """The words of each command in a block of shell lines; comments and continuations are understood."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [words for line in joined.splitlines() if (words := shlex.split(line, comments=True))]


def copy_ecg_stream(folder: Path) -> Path:
    """All that is installed, in a folder from which ``python -m ecg_stream`` takes the copy."""
    for package in ("ecg_stream", "streamer", "engine", "models", "gui", "ward"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run_python(words: list[str], folder: Path, **environment: str) -> str:
    """Run Python in a folder, whose modules come first; returns what it said, or fails with it."""
    ran = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen", **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, f"{shlex.join(words)}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout + ran.stderr


def run_command(words: list[str], folder: Path, **environment: str) -> str:
    """Run ``ecg-stream …`` as `run_python` does."""
    assert words[0] == "ecg-stream", words
    return run_python(["-m", "ecg_stream", *words[1:]], folder, **environment)
