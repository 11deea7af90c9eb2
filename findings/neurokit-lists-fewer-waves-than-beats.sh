#!/usr/bin/env bash
# neurokit2 0.3.0, seen 28 November 2026: ecg_delineate gives for each kind of wave a list "by beat", and marks a wave
# that it did not find as NaN. But a wave that it places before the first sample is left out of the list, and no NaN
# stands for it: of a lead that begins 20 ms before its first R peak, "prominence" lists 23 P and T waves for 23
# beats, and 22 QRS onsets, the first of which is the second beat's. "cwt" lists 22 P and 22 T waves for 23 beats of
# a lead that holds all of them. Whoever pairs the lists by place gives each beat the next one's waves.
#
# For us: `ecg-stream evaluate waves` tells a delineator of no beat in a lead's first second, does without "cwt", and
# ends where a list is not as long as that of the beats.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet neurokit2==0.3.0 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import neurokit2

FS = 500
ecg = neurokit2.ecg_simulate(duration=20, sampling_rate=FS, noise=0, heart_rate=70, random_state=1)
_, found = neurokit2.ecg_peaks(ecg, sampling_rate=FS)
peaks = found["ECG_R_Peaks"]


def waves(method, begin):
    beats = peaks - begin
    _, lists = neurokit2.ecg_delineate(ecg[begin:], beats, sampling_rate=FS, method=method)
    counts = {name: len(lists[name]) for name in ("ECG_P_Peaks", "ECG_R_Onsets", "ECG_T_Peaks")}
    print(f"{method}, beginning at {begin}: {len(beats)} beats, {counts}")
    return beats, lists


beats, lists = waves("prominence", int(peaks[0]) - 10)
assert len(lists["ECG_P_Peaks"]) == len(lists["ECG_T_Peaks"]) == len(beats) == 23
onsets = lists["ECG_R_Onsets"]
assert len(onsets) == 22 and 0 < beats[1] - onsets[0] < 50

beats, lists = waves("cwt", 0)
assert len(lists["ECG_P_Peaks"]) == len(lists["ECG_T_Peaks"]) == 22 and len(beats) == 23
assert lists["ECG_P_Peaks"][0] > beats[0]
EOF
