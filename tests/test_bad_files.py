"""A file that is none of its format is one clear line, whatever its ending says and whoever would open it."""

import numpy as np
import pytest
from file_tools import refused_of

from engine.files.formats import FORMATS
from engine.files.played import open_played
from streamer.errors import InputError
from streamer.settings import SourceSettings

ENDINGS = [ending for each in FORMATS for ending in each.endings]
STATED = {"rate": 250, "unit": "mV", "variable": "ecg", "axis": 0}
NOISE = np.random.default_rng(5).integers(0, 256, 3000, np.uint8).tobytes()
BAD = {
    "0-length": b"",
    "text": b"no such thing, and in several words\n" * 40,
    "noise": NOISE,
    "zeros": bytes(3000),
    "a byte": b"X",
}
BEGINS = {
    ".hea": b"bad 2 250 100\nbad.dat 16 200/mV 16 0 0 0 0 I\n",
    ".edf": b"0       ",
    ".bdf": b"\xffBIOSEMI",
    ".csv": b"I,II\n0.5,0.25\n",
    ".tsv": b"I\tII\n0.5\t0.25\n",
    ".npy": b"\x93NUMPY\x01\x00",
    ".h5": b"\x89HDF\r\n\x1a\n",
    ".hdf5": b"\x89HDF\r\n\x1a\n",
    ".mat": b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM",
    ".parquet": b"PAR1",
    ".dcm": bytes(128) + b"DICM",
    ".xdf": b"XDF:",
}
"""What a file of each format begins with."""


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_of_something_else_is_one_clear_line(ending, content, tmp_path):
    file = tmp_path / f"bad{ending}"
    file.write_bytes(content)
    said = refused_of(file, tmp_path / "out", **STATED)
    assert len(said) < 600
    assert not content or "is empty" not in said
    refuses_to_play(file)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_begins_as_it_should_and_goes_on_as_noise_is_one_clear_line(ending, tmp_path):
    file = tmp_path / f"bad{ending}"
    file.write_bytes(BEGINS[ending] + NOISE)
    refused_of(file, tmp_path / "out", **STATED)
    if ending not in (".csv", ".tsv"):
        # A table is read where it is played, line by line.
        refuses_to_play(file)


def refuses_to_play(file):
    with pytest.raises(InputError, match="bad") as refused:
        open_played(SourceSettings("file:rate=250,unit=mV,variable=ecg,axis=0", record=str(file)))
    assert "\n" not in str(refused.value)
