#!/usr/bin/env bash
# vitaldb 1.7.2 with wfdb 4.3.1, seen 28 November 2026: VitalFile reads a WFDB record, but takes from its folder's
# name all leading characters that occur in PhysioNet's address, one by one (str.lstrip with a text). "es1/r.hea" is
# read from "1/r.hea": an absolute path is not found at all, and where a folder of the shorter name exists its
# record is returned, another patient's, without a word. Each signal's unit is lost as well: microvolts arrive bare.
#
# For us: WFDB is read with wfdb itself, by the path that was given and the units in the header; to compare with
# that library, a record is copied to a folder of one name in digits and its units are taken from the header.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet vitaldb==1.7.2 wfdb==4.3.1 numpy==2.4.6 pandas==3.1.1
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import os

import numpy as np
import vitaldb
import wfdb

for folder, level in (("es1", 1.0), ("1", 2.0)):
    os.makedirs(folder)
    signal = level + 0.1 * np.sin(np.arange(3000) / 10)
    wfdb.wrsamp("r", 250, ["uV"], ["II"], p_signal=signal[:, None], fmt=["16"], write_dir=folder)
read = vitaldb.VitalFile("es1/r.hea")
mean = float(np.nanmean(read.to_numpy(["II"], 1 / 250)))
unit = next(iter(read.trks.values())).unit
print(f"es1/r.hea holds a mean of 1.0, 1/r.hea one of 2.0; asked for es1/r.hea, read: {mean:.2f}, unit {unit!r}")
assert abs(mean - 2.0) < 0.01 and unit == "", "behaviour has changed"
try:
    vitaldb.VitalFile(os.path.abspath("es1/r.hea"))
except FileNotFoundError:
    print("the same by its absolute path: FileNotFoundError")
else:
    raise SystemExit("the absolute path was read: behaviour has changed")
EOF
