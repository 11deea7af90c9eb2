"""Cleaning MATLAB, Parquet and DICOM files: made and read again by the library of each format."""

import copy
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pydicom
import pytest
import scipy.io
from dicom_tools import PADDING, dicom
from file_tools import clean_files, cleaned_of, ecg, refused_of, right, sidecar_of

FS = 250
STATED = {"rate": FS, "unit": "mV"}


@pytest.mark.parametrize("version", ["4", "5"])
@pytest.mark.parametrize("kind", ["f8", "i2"])
def test_a_mat_file_keeps_its_version_types_and_other_variables(version, kind, tmp_path):
    rows = (1000 * ecg(12, 2, FS)).astype(kind)
    other = {"age": np.array([[61.0]]), "name": np.array(["II V5"])}
    scipy.io.savemat(tmp_path / "a.mat", {"val": rows, **other}, format=version)
    said = refused_of(tmp_path / "a.mat", tmp_path / "out", variable="ecg", **STATED)
    assert "has no array 'ecg' for --variable; it has: val, age" in said
    # The only one that is no single number.
    target = cleaned_of(tmp_path / "a.mat", tmp_path / "out", axis=1, rate=FS, unit="uV")
    made = scipy.io.loadmat(target)
    version_of = scipy.io.matlab.matfile_version
    assert version_of(target) == version_of(tmp_path / "a.mat")
    assert made["val"].dtype == kind
    np.testing.assert_allclose(made["val"], right(rows, FS, unit="uV"), atol=0.51 if kind == "i2" else 1e-3)
    before = scipy.io.loadmat(tmp_path / "a.mat")
    for name in other:
        np.testing.assert_array_equal(made[name], before[name])


@pytest.mark.parametrize("shape", [(1, -1), (-1, 1)])
def test_a_vector_of_matlab_needs_no_axis_and_keeps_its_own(shape, tmp_path):
    row = ecg(12, 1, FS)
    scipy.io.savemat(tmp_path / "a.mat", {"ecg": row.reshape(shape)})
    made = scipy.io.loadmat(cleaned_of(tmp_path / "a.mat", tmp_path / "out", variable="ecg", **STATED))["ecg"]
    assert made.shape == row.reshape(shape).shape
    np.testing.assert_allclose(made.reshape(1, -1), right(row, FS), atol=1e-6)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no such thing, but of some length" * 20, "cannot be read as MATLAB's"),
        (None, "cannot be read as MATLAB's, or is truncated"),
        ({"ecg": np.zeros((1, 9)), "s": {"a": 1.0}}, "would not come out as it was: s (struct)"),
        ({"ecg": np.zeros((2, 9))}, "state with --axis 0 or 1"),
        ({"ecg": np.zeros(9), "resp": np.zeros(9)}, "say with --variable which array to clean: ecg, resp"),
    ],
    ids=("magic", "truncated", "struct", "axis", "several"),
)
def test_a_bad_mat_file_is_one_clear_line(content, said, tmp_path):
    file = tmp_path / "bad.mat"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        scipy.io.savemat(file, content or {"ecg": ecg(4, 1)})
    if content is None:
        file.write_bytes(file.read_bytes()[:-500])
    assert said in refused_of(file, tmp_path / "out", **STATED)


def test_a_parquet_file_keeps_schema_groups_nulls_and_all_other_columns(tmp_path):
    rows = ecg(130, 2, FS)
    whole = np.round(1000 * rows[1]).astype("i2")
    missing = np.zeros(len(whole), bool)
    missing[5000] = True
    table = pa.table(
        {
            "t": pa.array(np.arange(len(whole)) / FS),
            "II": pa.array(rows[0].astype("f4")),
            "V5": pa.array(whole, mask=missing),
            "note": pa.array(["é"] * len(whole)),
        }
    ).replace_schema_metadata({"patient": "X-17"})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=7000, compression="zstd")
    target = cleaned_of(tmp_path / "a.parquet", tmp_path / "out", leads=("II",), **STATED)
    made = parquet.read_table(target)
    assert made.schema.equals(table.schema, check_metadata=True)
    before, after = (parquet.ParquetFile(each).metadata for each in (tmp_path / "a.parquet", target))
    assert after.num_row_groups == before.num_row_groups == 5
    assert after.row_group(0).column(0).compression == "ZSTD"
    for name in ("t", "V5", "note"):
        assert made[name].equals(table[name])
    np.testing.assert_allclose(made["II"].to_numpy()[None], right(rows[:1].astype("f4"), FS), atol=1e-6)
    target = cleaned_of(tmp_path / "a.parquet", tmp_path / "other", leads=("V5",), rate=FS, unit="uV")
    made = parquet.read_table(target)["V5"]
    assert made.is_null().to_numpy().tolist() == missing.tolist()
    wanted = right(np.where(missing, np.nan, whole)[None], FS, unit="uV")[0]
    # What lies within the reach of the resampling filters of a missing sample stays as it was.
    near = np.abs(np.arange(len(whole)) - 5000) < FS
    np.testing.assert_allclose(made.to_numpy()[~near], wanted[~near], atol=0.51)


def test_a_column_that_is_called_an_ecg_and_holds_no_numbers_is_left_aloud(tmp_path):
    row = ecg(4, 1, FS)[0]
    table = pa.table({"I": row, "II": [Decimal(f"{value:.4f}") for value in row]})
    parquet.write_table(table, tmp_path / "a.parquet")
    (done,) = clean_files([tmp_path / "a.parquet"], tmp_path / "out", **STATED)
    assert done.said.endswith("left as they are, being no ECG by their type: II")


@pytest.mark.parametrize(
    ("make", "stated", "said"),
    [
        (lambda file: file.write_bytes(b"PAR1 and no more"), STATED, "cannot be read as Parquet"),
        (lambda file: file.write_bytes(file.read_bytes()[:-40]), STATED, "cannot be read as Parquet"),
        (lambda file: None, {"unit": "mV"}, "does not say its rate"),
        (lambda file: None, {**STATED, "leads": ("note",)}, "allowed: numbers"),
        (lambda file: parquet.write_table(pa.table({"II": pa.array([], "f4")}), file), STATED, "no sample"),
    ],
    ids=("magic", "truncated", "rate", "text", "empty"),
)
def test_a_bad_parquet_file_is_one_clear_line(make, stated, said, tmp_path):
    file = tmp_path / "bad.parquet"
    parquet.write_table(pa.table({"II": np.zeros(900), "note": ["x"] * 900}), file)
    make(file)
    assert said in refused_of(file, tmp_path / "out", **stated)


def stored(file):
    group = pydicom.dcmread(file).WaveformSequence[0]
    return np.frombuffer(group.WaveformData, "<i2").reshape(-1, group.NumberOfWaveformChannels).T


def test_a_dicom_object_keeps_all_but_the_ecg_and_becomes_another_object(tmp_path):
    microvolts = 1000 * ecg(12, 3, 500)
    rows = np.round((microvolts - 100) / 5).astype("i2")
    rows[0, 3000:3100] = PADDING
    file = dicom(tmp_path / "a.dcm", rows)
    target = cleaned_of(file, tmp_path / "out")
    assert sidecar_of(target)["untouched"] == ["aortic pressure"]
    before, after = pydicom.dcmread(file), pydicom.dcmread(target)
    made = stored(target)
    np.testing.assert_array_equal(made[2], rows[2])
    np.testing.assert_array_equal(made[0] == PADDING, rows[0] == PADDING)
    signal = np.where(rows == PADDING, np.nan, rows * 5.0 + 100)[:2]
    wanted = (right(signal, 500, unit="uV") - 100) / 5
    there = np.isfinite(wanted)
    np.testing.assert_allclose(made[:2][there], wanted[there], atol=0.51)
    assert (made[1] != rows[1]).mean() > 0.5
    # pydicom's own reading of what was written.
    np.testing.assert_allclose(after.waveform_array(0)[:, 1], made[1] * 5.0 + 100)
    assert after.SOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID != before.SOPInstanceUID
    for each in (before, after):
        del each.SOPInstanceUID, each.WaveformSequence[0].WaveformData
    assert before == after


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"NumberOfWaveformSamples": 9999}, "it states 9999 samples of 2 channels, and holds 8000 bytes"),
        ({"WaveformSampleInterpretation": "MB"}, "its samples are MB; allowed: SB"),
        ({"SamplingFrequency": 50}, "has 50 Hz; allowed: 100 Hz and more"),
        ({"unit": "mm"}, "has the unit 'mm', which is no voltage"),
        (
            {
                "WaveformSampleInterpretation": "SL",
                "WaveformBitsAllocated": 32,
                "NumberOfWaveformSamples": 1000,
            },
            "its samples take 4 bytes, and their padding value 2",
        ),
    ],
)
def test_a_bad_waveform_is_one_clear_line(change, said, tmp_path):
    assert said in refused_of(dicom(tmp_path / "bad.dcm", np.zeros((2, 2000)), **change), tmp_path / "out")


def test_waveforms_without_sensitivity_and_slow_ones_beside_others(tmp_path):
    file = dicom(tmp_path / "a.dcm", np.round(1000 * ecg(8, 1, 500)))
    given = pydicom.dcmread(file)
    (channel,) = given.WaveformSequence[0].ChannelDefinitionSequence
    del channel.ChannelSensitivity, channel.ChannelSensitivityUnitsSequence
    slow = copy.deepcopy(given.WaveformSequence[0])
    slow.SamplingFrequency = 50
    given.WaveformSequence.append(slow)
    given.save_as(file)
    assert "has no unit; state it with --unit" in refused_of(file, tmp_path / "out")
    (done,) = clean_files([file], tmp_path / "out", unit="uV")
    assert done.said == f"{file}: left as they are, having less than 100 Hz: Lead I (Einthoven) 2"
    made = pydicom.dcmread(tmp_path / "out" / "a.dcm")
    assert made.WaveformSequence[1] == given.WaveformSequence[1]
    assert made.WaveformSequence[0] != given.WaveformSequence[0]


def test_what_is_no_dicom_waveform_is_one_clear_line(tmp_path):
    file = dicom(tmp_path / "a.dcm", np.zeros((2, 2000)))
    whole = pydicom.dcmread(file)
    (tmp_path / "cut.dcm").write_bytes(file.read_bytes()[:-700])
    (tmp_path / "none.dcm").write_bytes(b"not a picture and not a wave" * 40)
    del whole.WaveformSequence
    whole.save_as(tmp_path / "still.dcm")
    for name, said in (
        ("cut", "and holds 7300 bytes"),
        ("none", "cannot be read as DICOM"),
        ("still", "no waveform"),
    ):
        assert said in refused_of(tmp_path / f"{name}.dcm", tmp_path / "out")
