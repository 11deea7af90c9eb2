"""A file that MNE-LSL plays: ``python mne_player.py FILE STREAM``, until its input ends."""

import sys

from mne_lsl.player import PlayerLSL


def main() -> None:
    """Play at real speed."""
    with PlayerLSL(sys.argv[1], name=sys.argv[2], source_id="mne-player", annotations=False):
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
