#!/usr/bin/env bash
# mne 1.12.1, seen 28 November 2026: read_raw_edf scales a channel whose unit is written mV or uV. One that is
# written mv, uv, UV or nV it takes for volts, and warns of nothing: a lead of 0.5 mV is read as 0.5 V, and one
# of 500 "uv" as 500 V. What it keeps of the file's own words (_orig_units) says µV for both uv and UV. Nothing in
# the format forbids any of these, and devices write them.
#
# For us: such a channel is refused by `ecg_stream.clean`, by what it holds, whatever library gave it; our own
# reading of EDF takes a voltage in any spelling.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet mne==1.12.1 edfio==0.4.18 numpy==2.4.6
cd "$work"
venv/bin/python - <<'EOF'
import warnings

import edfio
import mne
import numpy as np

warnings.simplefilter("error")
half_millivolt = 0.5 * np.sin(np.arange(1000) / 20)


def read(unit, per_millivolt):
    signal = edfio.EdfSignal(half_millivolt * per_millivolt, 250, label="ECG II", physical_dimension=unit)
    edfio.Edf([signal]).write("lead.edf")
    raw = mne.io.read_raw_edf("lead.edf", verbose="warning")
    volts = raw.get_data().max()
    print(f"unit {unit!r}, 0.0005 V written; read {volts:.6g} V, of which mne says {raw._orig_units['ECG II']!r}")
    return volts


for unit, per_millivolt in (("mV", 1), ("uV", 1e3)):
    assert abs(read(unit, per_millivolt) - 0.0005) < 1e-6
for unit, per_millivolt in (("mv", 1), ("uv", 1e3), ("UV", 1e3), ("nV", 1e6)):
    assert abs(read(unit, per_millivolt) / (0.5 * per_millivolt) - 1) < 1e-3
EOF
