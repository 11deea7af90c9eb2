#!/usr/bin/env bash
# wfdb 4.3.1 (Python), seen 28 November 2026: an annotation file whose extension has a digit is read and cannot be
# written again. PhysioNet's own are named so: q1c, qt1 and pu1 of the QT database. rdann takes record.q1c; what it
# returns holds that extension, and its own wrann() refuses it: "extension must only comprise of letters".
#
# For us: `clean` carries annotation files along byte by byte instead of reading and writing them, and a
# recording's annotators are named by letters alone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet wfdb==4.3.1 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import os

import numpy as np
import wfdb

wfdb.wrann("record", "qc", np.array([100, 200]), symbol=["p", "N"], fs=250)
os.rename("record.qc", "record.q1c")
marks = wfdb.rdann("record", "q1c")
print(f"read from record.q1c: {marks.symbol} at {marks.sample.tolist()}, extension {marks.extension!r}")
assert marks.sample.tolist() == [100, 200] and marks.extension == "q1c"
try:
    marks.wrann()
except ValueError as error:
    print(f"written again: ValueError, {error}")
    assert "letters" in str(error)
else:
    raise SystemExit("it was written: behaviour has changed")
EOF
