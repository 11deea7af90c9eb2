#!/usr/bin/env bash
# pyedflib 0.1.42, seen 27 November 2026: EdfWriter.writeSamples writes a NaN (a lost sample) as the
# lowest physical value, without a word: in a lead of +-0.1 mV with a range of +-5 mV a spike of -5 mV
# stands there. A last second that is not full is padded with the digital 0 (0.00008 mV), which cannot be
# told from a flat lead. edfio 0.4.18 refuses NaN with a sentence.
#
# For us: EDF has no word for a missing sample: gaps become EDF+D records or annotations before they are written.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pyedflib==0.1.42 edfio==0.4.18 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import edfio
import numpy as np
import pyedflib

FS = 250
signal = 0.1 * np.sin(np.arange(2437) / 40)
signal[500] = np.nan
header = dict(
    label="ECG II", dimension="mV", sample_frequency=FS, physical_min=-5, physical_max=5,
    digital_min=-32768, digital_max=32767, transducer="", prefilter="",
)
with pyedflib.EdfWriter("a.edf", 1, pyedflib.FILETYPE_EDFPLUS) as writer:
    writer.setSignalHeaders([header])
    writer.writeSamples([signal])
with pyedflib.EdfReader("a.edf") as reader:
    read = reader.readSignal(0)
print("around the NaN:", read[498:503])
print("samples written, read:", signal.size, read.size, "padding:", set(np.round(read[2437:], 6)))
assert read[500] == -5.0
assert read.size == 2500 and np.allclose(read[2437:], 7.63e-05, atol=1e-6)
try:
    edfio.Edf([edfio.EdfSignal(signal, FS, label="ECG II")])
    raise AssertionError("edfio took a NaN")
except ValueError as error:
    print("edfio:", error)
EOF
