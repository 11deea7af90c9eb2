"""What is made of a recording once its run is over: annotations, and a copy in another format."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from engine.sinks.events import write_marks, write_states
from engine.sinks.left_open import close_left
from engine.sinks.recorder import CLEANED
from engine.sinks.values import blocks_of
from streamer.beats import BeatDetector
from streamer.console.installed import how_to_install
from streamer.errors import InputError, one_line
from streamer.records.record import LOWEST_HZ

BEATS = "qrs"
FORMATS = ("wfdb", "edf", "bdf")
"""Formats that a recording may have; while it grows it is always WFDB."""


def check_format(name: str) -> None:
    """Refuse a format before a run is recorded in it; raises InputError."""
    if name == "xdf":
        raise InputError(
            "--save-format xdf: no library that is kept writes XDF; publish with --lsl-out, and LabRecorder "
            "records that as XDF"
        )
    if name not in FORMATS:
        raise InputError(f"--save-format {name!r} is unknown; allowed: {', '.join(FORMATS)}")
    if name != "wfdb" and find_spec("edfio") is None:
        raise InputError(f"--save-format {name} needs edfio: {how_to_install('files')}")


def finish(first: Path, form: str, report: Callable[[str], None]) -> list[Path]:
    """Annotate a recording with its beats and states, and copy it into a format.

    Parameters
    ----------
    first
        Its first record, without extension.
    form
        One of `FORMATS`.
    report
        Told in a sentence what could not be made; the record itself stays as it is.

    Returns
    -------
    list of Path
        The copies.
    """
    made = []
    for left in close_left(first):
        try:
            if not left.frames:
                continue
            _annotate(left.path)
            if form != "wfdb":
                from engine.sinks.edf_copy import copy_as_edf

                made.append(copy_as_edf(left.path, form))
        except (InputError, OSError) as error:
            said = one_line(error) if isinstance(error, OSError) else str(error)
            report(f"{left.path}.hea is whole, and not all of what belongs beside it: {said}")
    return made


def _annotate(path: Path) -> None:
    """Write the states of a record, and the beats of its first lead as it was cleaned (``qrs``)."""
    import wfdb

    header = wfdb.rdheader(str(path))
    write_states(path, header.fs)
    names = list(header.sig_name)
    lead = next((place for place, name in enumerate(names) if name.endswith(CLEANED)), None)
    if lead is None or header.fs < LOWEST_HZ:
        return
    detector = BeatDetector(float(header.fs))
    gain = header.adc_gain[lead]
    found = [detector.push(block[:, lead] / np.float32(gain)) for block in blocks_of(path, len(names))]
    beats = np.concatenate([*found, detector.finish()])
    write_marks(path, BEATS, header.fs, [(int(beat), "N", "") for beat in np.sort(beats)])
