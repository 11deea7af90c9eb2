#!/usr/bin/env bash
# brainflow 5.23.0, seen 28 November 2026: `DataFilter.write_file`, the library's own recording format, which its
# playback board plays, writes every number with six decimals whatever its size. A board's ECG in microvolts
# survives; a signal that the user holds in volts does not: an R wave of 1 mV (0.001) keeps three digits and a
# sample of 0.4 uV is written as zero. `read_file` returns what is left, without a word.
#
# For us: BrainFlow's channels are read as the microvolts that it states, and docs/devices.md
# tells to keep microvolts in files that are to be played.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet brainflow==5.23.0 setuptools==80.9.0 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import numpy as np
from brainflow.data_filter import DataFilter

volts = np.array([[0.0012345678, 4e-7, -2.4e-7, 0.00012345]])
DataFilter.write_file(volts, "volts.csv", "w")
read = DataFilter.read_file("volts.csv")
print("written:", volts[0].tolist())
print("read:   ", read[0].tolist())
assert read[0].tolist() == [0.001235, 0.0, -0.0, 0.000123], "behaviour has changed"
microvolts = volts * 1e6
DataFilter.write_file(microvolts, "microvolts.csv", "w")
assert np.allclose(DataFilter.read_file("microvolts.csv"), microvolts, atol=1e-6)
print("the same in microvolts is read as it was written")
EOF
