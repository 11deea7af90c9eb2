"""Cleaning tables and arrays: the user states rate and unit, everything else stays."""

import h5py
import numpy as np
import pandas as pd
import pytest
from file_tools import clean_files, cleaned_of, ecg, refused_of, right, sidecar_of

FS = 250
STATED = {"rate": FS, "unit": "mV"}


def table(file, separator=",", decimals=4):
    rows = ecg(12, 2, FS)
    frame = pd.DataFrame(rows.T, columns=["II", "V5"])
    frame.insert(0, "time", [f"{at / FS:.3f}" for at in range(len(frame))])
    frame["note"] = ["", "noise, seen" if separator != "," else "noise é"] * (len(frame) // 2)
    frame.to_csv(file, index=False, sep=separator, float_format=f"%.{decimals}f", lineterminator="\r\n")
    return file


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.tsv", "\t"), ("b.csv", ";")])
def test_a_table_keeps_all_but_the_cells_of_the_ecg(name, separator, tmp_path):
    file = table(tmp_path / name, separator)
    target = cleaned_of(file, tmp_path / "out", delimiter=separator if name == "b.csv" else None, **STATED)
    before, after = (pd.read_csv(each, sep=separator) for each in (file, target))
    for column in ("time", "note"):
        pd.testing.assert_series_equal(after[column], before[column])
    wanted = right(before[["II", "V5"]].to_numpy().T, FS)
    np.testing.assert_allclose(after[["II", "V5"]].to_numpy().T, wanted, atol=0.51e-4)
    assert len(target.read_bytes()) == pytest.approx(len(file.read_bytes()), rel=0.02)
    assert target.read_bytes().count(b"\r\n") == file.read_bytes().count(b"\r\n")
    assert sidecar_of(target)["untouched"] == ["time", "note"]


def test_a_missing_cell_stays_empty(tmp_path):
    rows = ecg(12, 1)[0]
    cells = [f"{value:.4f}" for value in rows]
    cells[2000] = "NaN"
    file = tmp_path / "hole.csv"
    file.write_text("ECG\n" + "\n".join(cells) + "\n")
    target = cleaned_of(file, tmp_path / "out", rate=360, unit="mV")
    made = target.read_text().splitlines()
    assert [at for at, cell in enumerate(made) if cell == "NaN"] == [2001]


@pytest.mark.parametrize(
    ("text", "stated", "said"),
    [
        ("II\n0.1\n", {"unit": "mV"}, "does not say its rate; state it in Hz with --rate"),
        ("II\n0.1\n", {"rate": FS}, "does not say its unit; state it with --unit"),
        ("II\n0.1\n", {"rate": FS, "unit": "mmHg"}, "which is no voltage"),
        ("0.1,0.2\n0.1,0.2\n", STATED, "no channel that is called an ECG; say which with --leads: 1, 2"),
        ("II\n", STATED, "holds no sample"),
        ("", STATED, "is empty"),
        ("II,V5\n1,2\n3\n", STATED, "line 3 of "),
        ("II\n1\nx\n", STATED, "sample 2 of column 'II' of "),
        ("II\n1\n\n2\n", STATED, "line 3 of {file} is empty, and others follow"),
        ('II\n"1"\n', STATED, "line 2 of {file} has quotes; numbers stand without"),
        ("x;II\n0,1;1\n", STATED, "where ',' stands between them; state another with --delimiter"),
    ],
)
def test_a_bad_table_is_one_clear_line(text, stated, said, tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    assert said.replace("{file}", str(file)) in refused_of(file, tmp_path / "out", **stated)


def test_a_table_of_two_bytes_a_letter_says_so(tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text("II\n1\n", encoding="utf-16")
    assert "is UTF-16; save it as UTF-8" in refused_of(file, tmp_path / "out", **STATED)


def test_empty_last_lines_stay_and_a_column_of_times_is_no_ecg_that_was_left(tmp_path):
    cells = [f"{at / FS:.3f},{value:.4f},{value:.4f}" for at, value in enumerate(ecg(leads=1)[0])]
    file = tmp_path / "a.csv"
    file.write_text("time (s),II,chest\n" + "\n".join(cells) + "\n\n\n")
    (done,) = clean_files([file], tmp_path / "out", **STATED)
    assert "not being called an ECG: chest; --leads takes" in done.said
    assert (tmp_path / "out" / "a.csv").read_text().endswith("\n\n\n")


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("kind", ["f4", "f8", "i2"])
def test_a_numpy_file_keeps_type_and_order(axis, kind, tmp_path):
    rows = (1000 * ecg(12, 2, FS)).astype(kind)
    np.save(tmp_path / "a.npy", rows if axis else rows.T)
    target = cleaned_of(tmp_path / "a.npy", tmp_path / "out", rate=FS, unit="uV", axis=axis)
    made = np.load(target)
    assert made.dtype == kind
    wanted = right(rows, FS, unit="uV")
    np.testing.assert_allclose(made if axis else made.T, wanted, atol=0.51 if kind == "i2" else 1e-3)


@pytest.mark.parametrize(
    ("change", "stated", "said"),
    [
        (lambda file: None, STATED, "state with --axis 0 or 1"),
        (lambda file: file.write_bytes(file.read_bytes()[:-99]), STATED, "or is truncated"),
        (lambda file: file.write_bytes(b"no array at all"), STATED, "cannot be read as .npy"),
        (
            lambda file: np.save(file, np.zeros(9, complex)),
            STATED,
            "values of type complex128; allowed: integers",
        ),
        (lambda file: np.save(file, np.zeros((0, 2))), {**STATED, "axis": 0}, "holds no sample"),
    ],
    ids=("axis", "truncated", "magic", "complex", "empty"),
)
def test_a_bad_array_is_one_clear_line(change, stated, said, tmp_path):
    np.save(tmp_path / "a.npy", ecg(4, 2))
    change(tmp_path / "a.npy")
    assert said in refused_of(tmp_path / "a.npy", tmp_path / "out", **stated)


def test_a_dataset_of_hdf5_is_cleaned_and_the_rest_stays(tmp_path):
    rows = ecg(12, 2, FS).astype("f4")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("bed/ecg", data=rows, chunks=True, compression="gzip")
        made.attrs["patient"] = "X-17"
        file["bed/resp"] = np.arange(50)
    said = refused_of(tmp_path / "a.h5", tmp_path / "out", **STATED)
    assert "say with --variable which array to clean: bed/ecg, bed/resp" in said
    target = cleaned_of(tmp_path / "a.h5", tmp_path / "out", variable="bed/ecg", axis=1, **STATED)
    with h5py.File(target) as file:
        np.testing.assert_allclose(file["bed/ecg"][:], right(rows, FS), atol=1e-6)
        assert file["bed/ecg"].attrs["patient"] == "X-17"
        np.testing.assert_array_equal(file["bed/resp"][:], np.arange(50))
    said = refused_of(tmp_path / "a.h5", tmp_path / "other", variable="x", axis=1, **STATED)
    assert "has no array 'x' for --variable; it has: bed/ecg, bed/resp" in said
    (tmp_path / "b.h5").write_bytes(b"no such thing")
    assert "cannot be read as HDF5" in refused_of(
        tmp_path / "b.h5", tmp_path / "other", variable="x", **STATED
    )


@pytest.mark.parametrize("how", ["virtual", "external", "linked"])
def test_a_dataset_whose_values_lie_in_another_file_is_refused_and_that_file_stays(how, tmp_path):
    """They would be changed where they lie."""
    rows, other, file = ecg(4, 2, FS), tmp_path / "other", tmp_path / "a.h5"
    with h5py.File(other, "w") as opened:
        opened["x"] = rows
    with h5py.File(file, "w") as opened:
        if how == "virtual":
            layout = h5py.VirtualLayout(rows.shape, "f8")
            layout[:] = h5py.VirtualSource(str(other), "x", rows.shape)
            opened.create_virtual_dataset("ecg", layout)
        elif how == "linked":
            opened["ecg"] = h5py.ExternalLink(str(other), "/x")
        else:
            rows.tofile(other)
            opened.create_dataset("ecg", rows.shape, "f8", external=[(str(other), 0, h5py.h5f.UNLIMITED)])
    before = other.read_bytes()
    said = refused_of(file, tmp_path / "out", variable="ecg", axis=1, **STATED)
    assert "lie in another file" in said
    assert other.read_bytes() == before


def test_what_a_type_cannot_hold_is_said(tmp_path):
    np.save(tmp_path / "a.npy", np.round(1000 * ecg(12, 1, FS)[0] + 1200).astype("u2"))
    (done,) = clean_files([tmp_path / "a.npy"], tmp_path / "out", rate=FS, unit="uV")
    below = sidecar_of(tmp_path / "out" / "a.npy")["clipped"]
    assert below > 100
    assert f"the nearest value stands for {below} that the format cannot hold" in done.said


def test_the_only_dataset_of_hdf5_needs_no_name(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["bed/ecg"], file["fs"] = ecg(12, 1, FS)[0], FS
    with h5py.File(cleaned_of(tmp_path / "a.h5", tmp_path / "out", **STATED)) as file:
        np.testing.assert_allclose(file["bed/ecg"][:], right(ecg(12, 1, FS), FS)[0], atol=1e-6)
        assert file["fs"][()] == FS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "holds no array of numbers"),
        ({"name": "II"}, "holds values of type object; allowed: integers"),
        ({"ecg": h5py.Empty("f")}, "has the shape None; allowed"),
    ],
    ids=("nothing", "text", "null"),
)
def test_hdf5_without_an_array_is_one_clear_line(content, said, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, value in content.items():
            file[name] = value
    assert said in refused_of(tmp_path / "a.h5", tmp_path / "out", **STATED)
