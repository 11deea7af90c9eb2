#!/usr/bin/env bash
# pyedflib 0.1.42, seen 27 November 2026: EdfWriter stores a rate that EDF cannot hold in its chosen record
# as another one, without a word. 124.945 Hz comes back as 125.0, and 1000.012 Hz as 1000.770 Hz, 760 ppm
# off and further from the truth than the whole number beside it: ten seconds of it gain ten samples.
# edfio 0.4.18 refuses the same signals with a sentence. 360.5 Hz is kept by both.
#
# For us: after writing an EDF file its rate is read back and compared, and a rate that cannot be kept is refused.
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


def through_pyedflib(fs, signal):
    header = dict(
        label="ECG II", dimension="mV", sample_frequency=fs, physical_min=-5, physical_max=5,
        digital_min=-32768, digital_max=32767, transducer="", prefilter="",
    )
    with pyedflib.EdfWriter("a.edf", 1, pyedflib.FILETYPE_EDFPLUS) as writer:
        writer.setSignalHeaders([header])
        writer.writeSamples([signal])
    with pyedflib.EdfReader("a.edf") as reader:
        return float(reader.getSampleFrequency(0)), len(reader.readSignal(0))


for fs, kept in ((360.5, (360.5, 3605)), (124.945, (125.0, 1249)), (1000.012, (1000.770, 10010))):
    signal = np.sin(np.arange(int(10 * fs)) / fs)
    rate, samples = through_pyedflib(fs, signal)
    try:
        edfio.Edf([edfio.EdfSignal(signal, fs, label="ECG II")]).write("b.edf")
        other = edfio.read_edf("b.edf").signals[0].sampling_frequency
    except ValueError as error:
        other = f"refused: {error}"
    print(f"{fs} Hz, {signal.size} samples: pyedflib {rate:.3f} Hz, {samples} samples; edfio {other}")
    assert abs(rate - kept[0]) < 0.001 and samples == kept[1]
    assert str(other).startswith("refused") == (fs != 360.5)
EOF
