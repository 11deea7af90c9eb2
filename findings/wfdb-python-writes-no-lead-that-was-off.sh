#!/usr/bin/env bash
# wfdb 4.3.1 (Python), seen 28 November 2026: wrsamp knows missing samples (NaN becomes the format's lowest number
# and reads back as NaN), but a lead without a single valid sample ends it: "cannot convert float NaN to integer".
# The gain that it finds by itself comes from the lead's own range, which such a lead does not have; with
# adc_gain and baseline stated the same array is written, and reads back as it was. So a recording fails on the
# one bed whose electrode was off all night.
#
# For us: every gain and baseline is stated where a record is written.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet wfdb==4.3.1 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import numpy as np
import wfdb

on = np.sin(np.arange(360) / 30)
half = np.where(np.arange(360) < 180, on, np.nan)
off = np.full(360, np.nan)


def write(second, **stated):
    data = np.column_stack([on, second])
    try:
        wfdb.wrsamp("r", 360, ["mV", "mV"], ["I", "II"], data, fmt=["16", "16"], **stated)
    except ValueError as error:
        return str(error)
    return int(np.isnan(wfdb.rdrecord("r").p_signal[:, 1]).sum())


found = [write(half), write(off), write(off, adc_gain=[1000.0, 1000.0], baseline=[0, 0])]
print(f"missing of 360, read back: off for half {found[0]}, off {found[1]!r}, off with a stated gain {found[2]}")
assert found == [180, "cannot convert float NaN to integer", 360]
EOF
