"""Results of the notebooks' networks: one line per run in a file that is committed."""

from pathlib import Path
from typing import Any

from models.benches.result_lines import append_line, read_lines

RESULTS = "notebooks.jsonl"


def append_notebook(folder: Path, row: dict[str, Any]) -> None:
    """Add a line to the folder's results file."""
    append_line(folder / RESULTS, row)


def read_notebooks(folder: Path) -> list[dict[str, Any]]:
    """Every result of a folder; of a run that was repeated the last."""
    return read_lines(folder / RESULTS, ("system", "epochs", "seed"))
