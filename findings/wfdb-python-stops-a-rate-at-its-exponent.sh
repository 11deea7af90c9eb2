#!/usr/bin/env bash
# wfdb 4.3.1 (Python), seen 28 November 2026: header(5) of the WFDB Applications Guide takes for the sampling
# frequency any floating-point number that C's scanf reads, with an exponent too. wfdb-python reads 3.6e2 as
# 3.6 Hz, and 125e1 as 125 Hz, a tenth of what is stated; what follows on the line (number of samples, time, date)
# is lost. Nothing is raised. The gain of the same header may have an exponent: 2e2 is read as 200.
#
# For us: such a record is refused by a line that says what to write instead; before, our own listing said 360 Hz
# of it and the player 3.6.
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

np.arange(1000, dtype="<i2").tofile("r.dat")
for rate, expected in (("360", 360), ("360.", 360), ("3.6e2", 3.6), ("125e1", 125)):
    Path("r.hea").write_text(f"r 1 {rate} 1000 10:00:00 01/02/2020\nr.dat 16 2e2/mV 16 0 0 0 0 II\n")
    header = wfdb.rdheader("r")
    print(f"stated {rate}: read {header.fs} Hz, {header.sig_len} samples from {header.base_time}, gain {header.adc_gain}")
    assert header.fs == expected and header.adc_gain == [200.0]
    assert (header.sig_len is None) == ("e" in rate) == (header.base_time is None)
EOF
