#!/usr/bin/env bash
# wfdb 4.3.1 (Python), seen 27 November 2026: a comment annotation (symbol ") at sample 0 is written by wrann
# and is whole in the file, but rdann does not give it back. The same annotation at sample 1 comes back, and so
# does one of another symbol at sample 0. A recording that says at its first sample what it is loses just that.
#
# For us: what a recording says at its first sample is written as "~" (a change of quality), which comes back.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet wfdb==4.3.1 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
from pathlib import Path

import numpy as np
import wfdb


def read_back(first, symbol):
    wfdb.wrann("note", "atr", np.array([first, 100]), symbol=[symbol, "N"], aux_note=["begins", ""], fs=360)
    assert b"begins" in Path("note.atr").read_bytes()
    found = wfdb.rdann("note", "atr")
    print(f"written {symbol} at {first}; read {found.symbol} at {found.sample.tolist()}")
    return found.sample.tolist()


assert read_back(0, '"') == [100]
assert read_back(1, '"') == [1, 100]
assert read_back(0, "~") == [0, 100]
EOF
