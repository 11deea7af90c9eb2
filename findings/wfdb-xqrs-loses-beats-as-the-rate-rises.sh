#!/usr/bin/env bash
# wfdb 4.3.1 (Python), seen 27 November 2026: XQRS finds every beat of a clean lead at 100 and 250 Hz and
# not one of the same lead at 500 Hz and above. 37 beats at 75 a minute, R of 1 mV, a Gaussian of 30 ms
# (as broad as paced beats), 2 uV of noise, 30 s: found 37, 37, 37, 0, 0, 0 at 100, 250, 360, 500, 1000,
# 2000 Hz; with an R of 0.5 mV 0 at 360 Hz too. Its thresholds do not follow the rate.
#
# For us: a figure of beats by XQRS is true for one rate only; a lead goes to it at 250 Hz, or to another detector.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet wfdb==4.3.1 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import numpy as np
from wfdb import processing


def found(fs, r_mv):
    t = np.arange(30 * fs) / fs
    beats = [r_mv * np.exp(-0.5 * ((t - at) / 0.03) ** 2) for at in np.arange(0.5, 30, 0.8)]
    noise = 0.002 * np.random.default_rng(1).standard_normal(t.size)
    detector = processing.XQRS(sig=sum(beats) + noise, fs=fs)
    detector.detect(verbose=False)
    return len(detector.qrs_inds)


for r_mv, expected in ((1.0, [37, 37, 37, 0, 0, 0]), (0.5, [37, 37, 0, 0, 0, 0])):
    counts = [found(fs, r_mv) for fs in (100, 250, 360, 500, 1000, 2000)]
    print(f"R of {r_mv} mV, 37 beats, at 100 250 360 500 1000 2000 Hz:", counts)
    assert counts == expected
EOF
