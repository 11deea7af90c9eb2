"""Results of the QTDB bench on isolated beats: a line per run in a file that is committed."""

from pathlib import Path
from typing import Any, get_args

from models.benches.qtdb import NoiseVersion, load_test
from models.benches.qtdb_filters import FILTERS
from models.benches.qtdb_scores import score_records
from models.benches.result_lines import append_line, read_lines

RESULTS = "qtdb.jsonl"


def score_filters(folder: Path, data_dir: Path | None = None) -> None:
    """Add the rows of the filters, under both versions of the noise."""
    known = read_results(folder)
    for version in get_args(NoiseVersion):
        (noisy, reference), owners = load_test(version, data_dir)
        for name, filtered in FILTERS.items():
            row = {
                "system": name,
                "noise_version": version,
                "records": score_records(reference, filtered(noisy), owners),
            }
            if row not in known:
                append_result(folder, row)


def append_result(folder: Path, row: dict[str, Any]) -> None:
    """Add a line to the folder's results file."""
    append_line(folder / RESULTS, row)


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Every result of a folder; of a run that was repeated the last."""
    return read_lines(folder / RESULTS, ("system", "noise_version", "epochs", "seed"))
