"""Files of results as they are committed: JSON with a line for each row of a table."""

import json
from pathlib import Path
from typing import Any


def write_results(path: Path, report: dict[str, Any]) -> None:
    """Write a report: a line for each of its entries, and for each row of those that are tables."""
    entries = ",\n".join(f"{json.dumps(name)}: {_entry(value)}" for name, value in report.items())
    path.write_text(f"{{\n{entries}\n}}\n", encoding="utf-8")


def _entry(value: Any) -> str:
    if not (isinstance(value, list) and value and isinstance(value[0], dict)):
        return json.dumps(value)
    return "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"
