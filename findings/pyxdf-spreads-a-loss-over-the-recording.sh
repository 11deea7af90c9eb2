#!/usr/bin/env bash
# pyxdf 1.17.5, seen 27 November 2026: load_xdf, as it is called by default, hides a loss of up to two
# seconds of a 250 Hz stream. Thirty seconds, right stamps, 1.1 s missing after ten seconds: the loaded
# stamps are evenly spaced (largest step 4.2 ms), off by up to 610 ms, and the effective rate reads
# 237.7 Hz. Stamps are fitted by one straight line wherever no break exceeds one second AND 500 samples,
# so at 250 Hz breaks below two seconds are smoothed away. A loss of 3 s is kept, as two segments.
#
# For us: a recording is checked with dejitter_timestamps=False; stamps that a loader made are no proof of no gap.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pyxdf==1.17.5 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import struct

import numpy as np
import pyxdf

FS = 250
HEADER = (
    "<info><name>ecg</name><type>ECG</type><channel_count>1</channel_count>"
    f"<nominal_srate>{FS}</nominal_srate><channel_format>float32</channel_format></info>"
)


def chunk(tag, content):
    return b"\x04" + struct.pack("<I", len(content) + 2) + struct.pack("<H", tag) + content


def write(stamps):
    """An XDF 1.0 file of one stream, every sample with its stamp, fifty in a chunk."""
    parts = [b"XDF:", chunk(1, b"<info><version>1.0</version></info>")]
    parts.append(chunk(2, struct.pack("<I", 1) + HEADER.encode()))
    for start in range(0, len(stamps), 50):
        some = stamps[start : start + 50]
        samples = b"".join(b"\x08" + struct.pack("<df", stamp, 0.0) for stamp in some)
        parts.append(chunk(3, struct.pack("<I", 1) + b"\x04" + struct.pack("<I", len(some)) + samples))
    parts.append(chunk(6, struct.pack("<I", 1) + b"<info></info>"))
    open("a.xdf", "wb").write(b"".join(parts))


grid = 1000 + np.arange(30 * FS) / FS
for lost_s, error_ms, step_ms in ((0.5, 277.7, 4.1), (1.1, 610.5, 4.2), (3.0, 0.0, 3004.0)):
    stamps = grid[(grid < 1010) | (grid >= 1010 + lost_s)]
    write(stamps)
    loaded = pyxdf.load_xdf("a.xdf")[0][0]["time_stamps"]
    plain = pyxdf.load_xdf("a.xdf", dejitter_timestamps=False)[0][0]["time_stamps"]
    error, step = 1000 * np.abs(loaded - stamps).max(), 1000 * np.diff(loaded).max()
    print(f"{lost_s} s lost: stamps off by {error:.1f} ms, largest step {step:.1f} ms")
    assert abs(error - error_ms) < 0.1 and abs(step - step_ms) < 0.1
    np.testing.assert_allclose(plain, stamps, atol=1e-9)
EOF
