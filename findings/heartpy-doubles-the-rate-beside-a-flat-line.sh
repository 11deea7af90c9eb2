#!/usr/bin/env bash
# heartpy 1.2.7, seen 28 November 2026: of a trace whose first half is flat (an electrode that was off, or a heart
# that stood still) and whose second half beats at 70 a minute, `process` says 140; the whole trace gives 70. Of
# the half that beats every T wave is counted too. No warning.
#
# For us: it is no reference and no row of `ecg-stream evaluate beats`. Our own rate is of the last ten seconds, and a
# figure needs beats that are alike and stand out from what lies between them (`streamer/heart_rate.py`).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet heartpy==1.2.7 numpy==2.4.6 scipy==1.17.1 matplotlib==3.11.2
"$work/venv/bin/python" -W ignore - <<'EOF'
import heartpy
import numpy as np

FS = 360
time = np.arange(30 * FS) / FS
whole = np.zeros_like(time)
for peak in np.arange(0.3, 29.7, 60 / 70):
    whole += np.exp(-0.5 * ((time - peak) / 0.012) ** 2) + 0.25 * np.exp(-0.5 * ((time - peak - 0.25) / 0.04) ** 2)
half = np.where(time < 15, 0.0, whole)
rates = []
for name, lead in (("all of it", whole), ("its first half flat", half)):
    working, measures = heartpy.process(lead, FS)
    rates.append(float(measures["bpm"]))
    print(f"{name}: {rates[-1]:.1f} a minute, {len(working['peaklist'])} peaks, SDNN {measures['sdnn']:.1f} ms")
assert abs(rates[0] - 70) < 1 and abs(rates[1] - 140) < 2, "behaviour has changed"
EOF
