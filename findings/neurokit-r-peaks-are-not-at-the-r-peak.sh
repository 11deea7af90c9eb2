#!/usr/bin/env bash
# neurokit2 0.3.0, seen 28 November 2026: what `ecg_peaks` returns as ECG_R_Peaks lies, by three of its methods, far from
# the R peak of a clean, symmetric QRS: 92 ms late (pantompkins1985), 64 ms (hamilton2002), 76 ms (elgendi2010).
# The first changes its mind within a recording: at 1000 Hz some beats are 46 ms late and the others 94, so that a
# heart that beats to the millisecond shows 48 ms of variability. The default method is exact.
#
# For us: `ecg-stream evaluate beats` measures pantompkins1985 if asked; its lateness leaves it little of EC57's
# 150 ms, and costs it beats that it did find (engine/lab/detectors.py says so). Our table has the exact ones.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet neurokit2==0.3.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import neurokit2
import numpy as np


def heart(fs):
    """Thirty seconds of 75 bpm: a symmetric R wave and a T wave."""
    seconds = np.arange(30 * fs) / fs
    beats = np.arange(0.6, 29.5, 0.8)
    signal = 1e-3 * np.random.default_rng(0).normal(size=len(seconds))
    for beat in beats:
        signal += np.exp(-(((seconds - beat) / 0.012) ** 2) / 2)
        signal += 0.2 * np.exp(-(((seconds - beat - 0.25) / 0.04) ** 2) / 2)
    return signal, beats


def lateness_ms(method, fs):
    signal, beats = heart(fs)
    cleaned = neurokit2.ecg_clean(signal, sampling_rate=fs, method=method)
    found = np.array(neurokit2.ecg_peaks(cleaned, sampling_rate=fs, method=method)[1]["ECG_R_Peaks"]) / fs
    return 1000 * np.array([found[np.argmin(np.abs(found - beat))] - beat for beat in beats])


for method, late in (("neurokit", 0), ("pantompkins1985", 92), ("hamilton2002", 64), ("elgendi2010", 76)):
    measured = np.median(lateness_ms(method, 250))
    print(f"{method} at 250 Hz: {measured:.0f} ms late (median)")
    assert abs(measured - late) <= 4, "behaviour has changed"
both = lateness_ms("pantompkins1985", 1000)
print(f"pantompkins1985 at 1000 Hz: from {both.min():.0f} to {both.max():.0f} ms late in one recording")
assert both.min() < 60 and both.max() > 85, "behaviour has changed"
EOF
