#!/usr/bin/env bash
# wfdb 4.3.1 (Python), seen 28 November 2026: the text of an annotation has one byte for its length. wrann takes
# a longer text without a word, writes its length modulo 256 and then all of it, and rdann reads the rest of the
# text as annotations: a note of 256 letters comes back empty, with 128 beats and waves that nobody marked, and
# what follows it is moved by minutes. 255 letters come back whole.
#
# For us: what a person types, or another program's marker says, is cut at 255 letters in the .atr of a recording
# (its .events keep the whole text).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet wfdb==4.3.1 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import numpy as np
import wfdb


def read_back(letters):
    notes = ["a" * letters, ""]
    wfdb.wrann("note", "atr", np.array([1, 50]), symbol=['"', "N"], aux_note=notes, fs=360)
    found = wfdb.rdann("note", "atr")
    print(f"a note of {letters} letters at 1, a beat at 50; read {len(found.sample)} annotations:", end=" ")
    print(f"{found.symbol[:3]} at {found.sample[:3].tolist()}, the last at {found.sample[-1]}")
    return found.sample.tolist()


assert read_back(255) == [1, 50]
found = read_back(256)
assert len(found) == 130 and found[-1] > 45_000
EOF
