#!/usr/bin/env bash
# wfdb 4.3.1 (Python), seen 28 November 2026: `wfdb_to_edf` always writes one data record more than the signal fills,
# also where the signal fills its records to the sample. Ten seconds of ECG become an EDF file of twenty; the ten
# added seconds are a flat line at the signal's lowest value (the file's digital minimum). Missing samples (NaN)
# become the same value. Nothing is printed or marked: a reader (here edfio 0.4.18) takes all of it for ECG.
#
# For us: `clean` and `--save-format edf` write EDF with edfio at the signal's own length, and what is missing stands
# in an annotation.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet wfdb==4.3.1 edfio==0.4.18 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import contextlib
import io

import edfio
import numpy as np
import wfdb
from wfdb.io.convert import wfdb_to_edf

seconds = np.arange(3600) / 360
ecg = np.exp(-(((seconds % 0.8) - 0.4) ** 2) / 0.0003) - 0.2
ecg[100:110] = np.nan
wfdb.wrsamp("record", 360, ["mV"], ["II"], p_signal=ecg[:, None], fmt=["16"])
with contextlib.redirect_stdout(io.StringIO()) as said:
    wfdb_to_edf("record")
signal = edfio.read_edf("record.edf").signals[0]
read = signal.data
print(f"written 3600 samples (10.0 s); read {len(read)} ({len(read) / 360:.1f} s)")
print(f"missing samples 100 to 109 are read as {sorted({round(float(x), 3) for x in read[100:110]})} mV")
print(f"samples 3600 and later: {sorted({round(float(x), 3) for x in read[3600:]})} mV; lowest: {read.min():.3f} mV")
assert len(read) == 7200, "behaviour has changed"
assert np.all(read[3600:] == read.min()) and np.all(read[100:110] == read.min()), "behaviour has changed"
assert not any(word in said.getvalue().lower() for word in ("pad", "nan", "missing", "warn")), said.getvalue()
EOF
