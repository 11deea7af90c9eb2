"""Where the long tests of `make soak` leave their figures: one JSON file, a key each."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from engine.lab.results import write_results

RESULTS = os.environ.get("ECG_STREAM_SOAK")


def note_result(key, **figures):
    if not RESULTS:
        return
    path = Path(RESULTS)
    results = json.loads(path.read_text()) if path.is_file() else {}
    results[key] = {**figures, "when": datetime.now(UTC).isoformat(timespec="seconds")}
    write_results(path, results)
