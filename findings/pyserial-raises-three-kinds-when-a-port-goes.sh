#!/usr/bin/env bash
# pyserial 3.5 on Linux, seen 27 November 2026: when the other end of a port has gone, read and write raise
# SerialException (an OSError), in_waiting raises a bare OSError, and reset_input_buffer raises termios.error,
# which is neither. Who reconnects on "except SerialException" or "except OSError" is ended by the third.
#
# For us: what clears a port catches termios.error too, and takes it for the loss of the port that it is.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pyserial==3.5
cd "$work"
venv/bin/python - <<'EOF'
import os
import pty
import termios

import serial

leader, follower = pty.openpty()
port = serial.Serial(os.ttyname(follower), 115200, timeout=0.2)
os.close(follower)
os.write(leader, b"1\n")
assert port.readline() == b"1\n"
os.close(leader)


def raised(name, act):
    try:
        act()
    except Exception as error:
        print(f"{name}: {type(error).__name__} ({error})")
        return type(error)
    raise AssertionError(f"{name} raised nothing")


assert raised("read", lambda: port.read(1)) is serial.SerialException
assert raised("write", lambda: port.write(b"x")) is serial.SerialException
assert raised("in_waiting", lambda: port.in_waiting) is OSError
assert raised("reset_input_buffer", port.reset_input_buffer) is termios.error
assert not issubclass(termios.error, OSError)
EOF
