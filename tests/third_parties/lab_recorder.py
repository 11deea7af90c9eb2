"""LabRecorder's own recording of a stream: ``python lab_recorder.py STREAM FILE``, until its input ends."""

import sys

import labrecorder
import pylsl


def main() -> None:
    """Record one stream as XDF."""
    found = pylsl.resolve_byprop("name", sys.argv[1], timeout=60)
    with labrecorder.Recording(sys.argv[2], found):
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
