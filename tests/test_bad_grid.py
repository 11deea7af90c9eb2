"""Each way in which a recording is bad, in each format: what the one line says, or why there is none."""

from itertools import product

import numpy as np
import pytest
from every_format import FS, MAKERS, made
from file_tools import cleaned_of, ecg, refused_of, sidecar_of

from engine.files.formats import FORMATS

ENDINGS = [ending for each in FORMATS for ending in each.endings]
CLEANED = "cleaned, and its missing samples stay so"
NONE = "the format cannot hold such, or nothing in it tells"
ROWS = ecg(6, 2, FS)


def holed():
    rows = ROWS.copy()
    rows[0, 1500:1600] = np.nan
    return rows


ASKED = {
    "zero channels": {"rows": ROWS[:0]},
    "no sample": {"rows": ROWS[:, :0]},
    "no ECG channel": {"names": ("PLETH", "RESP")},
    "unknown unit": {"unit": "furlong"},
    "mixed rates": {"mixed": True},
    "interrupted": {"lost": True},
    "NaN": {"rows": holed()},
}
BYTES = {
    "truncated": lambda whole: whole[: len(whole) // 2],
    "wrong magic": lambda whole: b"\xde\xad\xbe\xef" * 33 + whole[132:],
    "0-length": lambda whole: b"",
}
TABLES, ARRAYS = (".csv", ".tsv", ".parquet"), (".npy", ".h5", ".hdf5", ".mat")


def row(default, **special):
    """What is expected of each format, by its ending without the dot."""
    return {ending: special.get(ending[1:], default) for ending in ENDINGS}


def of(endings, said):
    return {ending[1:]: said for ending in endings}


EXPECTED = {
    "zero channels": row("has no channel", **of(TABLES, "holds no sample")),
    "no sample": row("holds no sample"),
    "no ECG channel": row("no channel that is called an ECG", **of(ARRAYS, NONE)),
    "unknown unit": row("has the unit 'furlong', which is no voltage"),
    "mixed rates": row(CLEANED, **of(TABLES + ARRAYS, NONE), dcm=NONE),
    "interrupted": row(CLEANED, **of(ARRAYS, NONE), dcm=NONE),
    "NaN": row(CLEANED, edf=NONE, bdf=NONE),
    "truncated": row("truncated", csv=NONE, tsv=NONE, dcm="it states 3000 samples of 2 channels, and holds"),
    "wrong magic": row(
        "cannot be read", csv=NONE, tsv=NONE, **of((".edf", ".bdf", ".xdf"), "it does not begin as one")
    ),
    "0-length": row("is empty"),
}
GRID = [
    (bad, ending, said) for bad, line in EXPECTED.items() for ending, said in line.items() if said is not NONE
]


def test_the_grid_is_whole():
    assert set(MAKERS) == set(ENDINGS)
    assert set(EXPECTED) == {*ASKED, *BYTES}
    assert {(bad, ending) for bad, line in EXPECTED.items() for ending in line} == set(
        product(EXPECTED, ENDINGS)
    )


@pytest.mark.parametrize(("bad", "ending", "said"), GRID, ids=[f"{bad} {ending}" for bad, ending, _ in GRID])
def test_a_bad_file_of_every_format(bad, ending, said, tmp_path):
    file, stated = made(tmp_path, ending, **ASKED.get(bad, {}))
    if bad in BYTES:
        spoiled = file.with_suffix(".dat") if ending == ".hea" and bad == "truncated" else file
        spoiled.write_bytes(BYTES[bad](spoiled.read_bytes()))
    if said is not CLEANED:
        assert said in refused_of(file, tmp_path / "out", **stated)
        return
    marks = {
        name: each["marks"]
        for name, each in sidecar_of(cleaned_of(file, tmp_path / "out", **stated))["channels"].items()
    }
    assert len(marks) == 2
    missing = [each["missing"] for each in marks.values()]
    if bad == "mixed rates":
        assert missing == [0, 0]
    else:
        assert missing[0] > 0
