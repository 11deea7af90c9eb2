#!/usr/bin/env bash
# wfdb 4.3.1 (Python), seen 28 November 2026: `processing.compare_annotations` is documented to allow differences up to
# and including `window_width`, but a beat that lies exactly that far away is counted as one missed and one invented.
# EC57's window of 150 ms is 54 samples at 360 Hz, to the sample, so that the limit itself is lost there. And a
# detector that found nothing, whose score would be "all missed", ends in an IndexError.
#
# For us: `models/beat_matching.py` counts the limit itself as found and scores an empty list
# (tests/test_evaluate_parts.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet wfdb==4.3.1 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import numpy as np
from wfdb.processing import compare_annotations

annotated = np.array([1000, 2000, 3000])
for late in (53, 54, 55):
    result = compare_annotations(annotated, annotated + late, 54)
    print(f"window 54, each {late} late: {result.tp} found, {result.fn} missed, {result.fp} invented")
    assert result.tp == (3 if late < 54 else 0), "behaviour has changed"
try:
    result = compare_annotations(annotated, np.array([], dtype=np.int64), 54)
except IndexError as error:
    print("nothing detected: IndexError,", error)
else:
    raise SystemExit(f"nothing detected: {result.tp} found, {result.fn} missed: behaviour has changed")
EOF
