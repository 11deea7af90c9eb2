#!/usr/bin/env bash
# wfdb 4.3.1 (Python), seen 28 November 2026: `processing.compute_hr` gives the rate at every sample of a signal, and
# after the last beat it goes on with the last rate to the signal's end. Two minutes of asystole after three
# beats read as 72 bpm from beginning to end; nothing tells a rate that was measured from one that is only held.
# Between two beats the rate is that of the interval before, so that a pause shows the rate before the pause.
#
# For us: a rate is withdrawn when no beat has come for a stated time, and asystole is said
# (streamer/heart_rate.py, docs/what-you-may-read.md); no rate of this function is shown or compared.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet wfdb==4.3.1 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import numpy as np
from wfdb.processing import compute_hr

fs = 360
rate = compute_hr(120 * fs, np.array([100, 400, 700]), fs)
at = [rate[3 * fs], rate[60 * fs], rate[-1]]
print("3 beats in 2 s, then none; after 3 s, 60 s and at the end:", ", ".join(f"{each:.0f} bpm" for each in at))
assert at == [72, 72, 72], "behaviour has changed"
EOF
