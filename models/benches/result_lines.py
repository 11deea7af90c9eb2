"""Results that are kept as lines of JSON, one per finished run, in a file that is committed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def append_line(path: Path, row: dict[str, Any]) -> None:
    """Add a result to a file, which is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def read_lines(path: Path, key: Sequence[str]) -> list[dict[str, Any]]:
    """Every result of a file, if it exists; of a repeated run only the last.

    Parameters
    ----------
    key
        What makes two results the same run.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows = [json.loads(line) for line in lines]
    return list({tuple(row.get(part) for part in key): row for row in rows}.values())
