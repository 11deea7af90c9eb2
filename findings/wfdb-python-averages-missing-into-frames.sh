#!/usr/bin/env bash
# wfdb 4.3.1 (Python), seen 27 November 2026: rdrecord of a lead with several samples a frame averages the
# marker of a missing sample (-32768 in format 16) into its frame, and cuts the mean to a whole number.
# 1.000 mV, 1000 units a mV, two samples a frame, one of 2000 missing: the frame reads -15.884 mV, and no
# sample is NaN. 1.000 and 1.001 mV in turn read 1.000 throughout, not 1.0005.
# With smooth_frames=False the sample is NaN, and all others are right.
#
# For us: frames are read with smooth_frames=False, and averaged as numbers with a fraction, NaN where one is missing.
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

digital = np.full(2000, 1000, "<i2")
digital[500] = -32768
digital.tofile("r.dat")
Path("r.hea").write_text("r 1 100 1000\nr.dat 16x2 1000(0)/mV 16 0 1000 0 0 ECG\n")
smoothed = wfdb.rdrecord("r").p_signal[:, 0]
single = wfdb.rdrecord("r", smooth_frames=False).e_p_signal[0]
print("smoothed:", smoothed[248:253], "NaN:", np.isnan(smoothed).sum())
print("single:  ", single[498:503], "NaN:", np.isnan(single).sum())
assert np.isclose(smoothed[250], -15.884) and not np.isnan(smoothed).any()
assert np.isnan(single[500]) and np.nansum(single) == 1999

digital[:] = 1000
digital[1::2] = 1001
digital.tofile("r.dat")
halves = wfdb.rdrecord("r").p_signal[:, 0]
print("mean of 1.000 and 1.001 mV:", halves[0])
assert (halves == 1.0).all()
EOF
