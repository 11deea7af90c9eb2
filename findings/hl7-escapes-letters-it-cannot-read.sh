#!/usr/bin/env bash
# hl7 0.4.5 (Python), seen 28 November 2026: `Message.escape` writes every letter beyond ASCII as \X..\ with its number
# in Unicode, and `unescape` reads such numbers two hexadecimal digits at a time. What is beyond Latin-1 does
# not come back: "Łódź" returns as control characters with "ód" between, as does any Polish or Chinese name.
# Letters of Latin-1 do come back, but another program reads \XFC\ as a byte of the message's encoding,
# which in UTF-8 is none.
#
# For us: `ecg-stream hospital` escapes the five signs that separate itself, and leaves letters as they are in UTF-8,
# which MSH-18 states (tests/test_hospital.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet hl7==0.4.5
cd "$work"
venv/bin/python - <<'EOF'
import hl7

message = hl7.parse("MSH|^~\\&|A|B|C|D|20261128||ORU^R01|1|P|2.6\rPID|1\r")
for name, comes_back in (("a|b", True), ("Müller", True), ("Łódź", False), ("心", False)):
    escaped = message.escape(name)
    read = message.unescape(escaped)
    print(f"{name}: escaped {escaped}, read again {read!r}")
    assert (read == name) == comes_back, "behaviour has changed"
    assert message.unescape(name) == name, "behaviour has changed"
EOF
