"""Cleaning WFDB records, written and read again by wfdb."""

import shutil

import numpy as np
import pytest
import wfdb
from file_tools import clean_files, cleaned_of, ecg, refused_of, right, sidecar_of

from streamer.errors import InputError

FS = 250
FORMATS = ("16", "24", "32", "61", "80", "160", "212", "310", "311", "508", "516", "524")
FLAC = ("508", "516", "524")
GAINS = {"80": 20.0, "508": 20.0, "310": 100.0, "311": 100.0}
NOT_WRITTEN = ("61", "160", "310", "311")
"""wfdb reads them and does not write them."""


def written(folder, name="mine", *, fmt="16", samples=None, fs=FS, units=("mV", "uV"), names=("I", "II")):
    """Two leads, of which an odd number of samples is there: 212 packs them in pairs."""
    gain = GAINS.get(fmt, 200.0)
    rows = ecg(12, 2, fs)[:, : samples or 12 * round(fs) - 1]
    scale = np.array([[{"uV": 1000.0, "V": 0.001}.get(unit, 1.0)] for unit in units])
    wfdb.wrsamp(
        name,
        fs=fs,
        units=list(units),
        sig_name=list(names),
        p_signal=(rows * scale).T,
        fmt=["16" if fmt in NOT_WRITTEN else fmt] * 2,
        adc_gain=[gain / float(each) for each in scale[:, 0]],
        baseline=[0, 0],
        comments=["age: 70, of the ward"],
        write_dir=str(folder),
    )
    header = folder / f"{name}.hea"
    if fmt in NOT_WRITTEN:
        digital = np.fromfile(header.with_suffix(".dat"), "<i2").astype(np.int64)
        header.with_suffix(".dat").write_bytes(in_format(fmt, digital))
        header.write_text(header.read_text().replace(".dat 16 ", f".dat {fmt} "))
    return header


def in_format(fmt, digital):
    """The bytes of a signal file, by `signal(5)`."""
    if fmt == "61":
        return digital.astype(">i2").tobytes()
    if fmt == "160":
        return (digital + 32768).astype("<u2").tobytes()
    first, second, third = (np.append(digital, [0] * (-len(digital) % 3)).reshape(-1, 3) & 1023).T
    if fmt == "310":
        words = (first | (third & 31) << 10) << 1 | (second | (third >> 5) << 10) << 17
    else:
        words = first | second << 10 | third << 20
    return words.astype("<u4").tobytes()


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_is_written_again_in_itself(fmt, tmp_path):
    file = written(tmp_path, fmt=fmt)
    target = cleaned_of(file, tmp_path / "out")
    before, after = (wfdb.rdrecord(str(each.with_suffix(""))) for each in (file, target))
    for name in ("fs", "sig_len", "units", "fmt", "adc_gain", "baseline", "sig_name", "comments"):
        assert getattr(after, name) == getattr(before, name), name
    if fmt not in FLAC:
        assert target.with_suffix(".dat").stat().st_size == file.with_suffix(".dat").stat().st_size
    scale = np.array([1.0, 0.001])
    step = 1 / GAINS.get(fmt, 200)
    wanted = right((before.p_signal * scale).T, FS)
    np.testing.assert_allclose((after.p_signal * scale).T, wanted, atol=0.51 * step)


@pytest.mark.parametrize("fmt", ["16", "212"])
def test_the_header_has_the_new_initial_values_and_checksums(fmt, tmp_path):
    target = cleaned_of(written(tmp_path, fmt=fmt), tmp_path / "out")
    record = wfdb.rdrecord(str(target.with_suffix("")), physical=False)
    assert [stated % 2**16 for stated in record.checksum] == [each % 2**16 for each in record.calc_checksum()]
    assert record.init_value == record.d_signal[0].tolist()


def test_missing_samples_stay_missing(tmp_path):
    file = written(tmp_path, fs=360)
    record = wfdb.rdrecord(str(file.with_suffix("")), physical=False)
    digital = record.d_signal.copy()
    digital[1000:1100, 1] = -32768
    digital.astype("<i2").tofile(file.with_suffix(".dat"))
    target = cleaned_of(file, tmp_path / "out")
    made = wfdb.rdrecord(str(target.with_suffix(""))).p_signal
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(made[:, 1])), np.arange(1000, 1100))
    assert not np.isnan(made[:, 0]).any()
    spans = [span for span in sidecar_of(target)["spans"] if span["mark"] == "missing"]
    assert [(span["channel"], span["from_s"]) for span in spans] == [("II", 1000 / 360)]


def test_annotations_with_a_clock_of_their_own_go_along_to_the_byte(tmp_path):
    file = written(tmp_path)
    wfdb.wrann("mine", "atr", np.array([125, 1300]), ["N", "V"], fs=1000, write_dir=str(tmp_path))
    target = cleaned_of(file, tmp_path / "out")
    assert target.with_suffix(".atr").read_bytes() == file.with_suffix(".atr").read_bytes()
    said = wfdb.rdann(str(target.with_suffix("")), "guard")
    assert [note.split(", ")[0] for note in said.aux_note] == ["I: warmup", "II: warmup"]
    assert said.sample.tolist() == [0, 0]


def framed(folder, names, rows, in_frame, fmt):
    """A record of 125 frames a second, whose signals have so many samples a frame, in one file."""
    frames = [np.round(200 * each).astype(np.int64) for each in rows]
    count = len(rows)
    wfdb.Record(
        record_name="frames",
        n_sig=count,
        fs=125,
        sig_len=len(frames[0]) // in_frame[0],
        file_name=["frames.dat"] * count,
        fmt=[fmt] * count,
        samps_per_frame=in_frame,
        skew=[None] * count,
        byte_offset=[None] * count,
        adc_gain=[200.0] * count,
        baseline=[0] * count,
        units=["mV"] * count,
        adc_res=[16] * count,
        adc_zero=[0] * count,
        init_value=[int(each[0]) for each in frames],
        checksum=[0] * count,
        block_size=[0] * count,
        sig_name=names,
        e_d_signal=frames,
    ).wrsamp(expanded=True, write_dir=str(folder))
    return folder / "frames.hea"


def both_framed(file, target):
    return [
        wfdb.rdrecord(str(each.with_suffix("")), smooth_frames=False).e_p_signal for each in (file, target)
    ]


def test_leads_of_several_samples_a_frame_are_cleaned_at_their_own_rate(tmp_path):
    rows = ecg(12, 1, 500)[0], ecg(12, 1, 125, seed=4)[0]
    file = framed(tmp_path, ["II", "PLETH"], rows, [4, 1], "16")
    target = cleaned_of(file, tmp_path / "out")
    before, after = both_framed(file, target)
    np.testing.assert_array_equal(after[1], before[1])
    np.testing.assert_allclose(after[0], right(before[0][None], 500)[0], atol=0.51 / 200)
    assert sidecar_of(target)["untouched"] == ["PLETH"]


@pytest.mark.parametrize("fmt", FLAC[1:])
def test_flac_of_several_samples_a_frame_is_packed_again_block_by_block(fmt, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.files.wfdb_flac._BLOCK", 1000)
    rows = ecg(80, 1, 500)[0], ecg(80, 1, 500, seed=4)[0]
    file = framed(tmp_path, ["II", "PLETH"], rows, [4, 4], fmt)
    target = cleaned_of(file, tmp_path / "out")
    before, after = both_framed(file, target)
    np.testing.assert_array_equal(after[1], before[1])
    np.testing.assert_allclose(after[0], right(before[0][None], 500)[0], atol=0.51 / 200)
    assert sorted(each.name for each in (tmp_path / "out").iterdir() if each.name.startswith(".")) == []


def test_flac_that_breaks_off_or_is_none_is_one_clear_line(tmp_path):
    file = written(tmp_path, fmt="516")
    flac = file.with_suffix(".dat")
    flac.write_bytes(flac.read_bytes()[:1000])
    assert "mine.dat is truncated" in refused_of(file, tmp_path / "out")
    flac.write_bytes(bytes(1000))
    assert "cannot be read as FLAC" in refused_of(file, tmp_path / "out")


def test_a_record_of_the_challenges_keeps_its_mat_file(tmp_path):
    from scipy.io import loadmat, savemat

    values = np.round(1000 * ecg(10, 2, 500)).astype(np.int16)
    savemat(tmp_path / "A1.mat", {"val": values}, format="4")
    signals = "".join(
        f"A1.mat 16+24 1000/mV 16 0 {row[0]} 0 0 {name}\n"
        for row, name in zip(values, ("I", "II"), strict=True)
    )
    (tmp_path / "A1.hea").write_text(f"A1 2 500 5000\n{signals}#Dx: 426783006\n")
    cleaned_of(tmp_path / "A1.mat", tmp_path / "out")
    made = loadmat(tmp_path / "out" / "A1.mat")["val"]
    np.testing.assert_allclose(made / 1000, right(values / 1000, 500), atol=0.51e-3)
    assert (tmp_path / "out" / "A1.hea").read_text().endswith("#Dx: 426783006\n")


@pytest.mark.parametrize("fs", [1000.012, 124.945])
def test_odd_rates_stay_as_they_are(fs, tmp_path):
    file = written(tmp_path, fs=fs)
    target = cleaned_of(file, tmp_path / "out")
    assert target.read_text().splitlines()[0] == file.read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: file.with_suffix(".dat").write_bytes(b"\0" * 1000), "is truncated: 250 of 2999"),
        (lambda file: file.with_suffix(".dat").unlink(), "is not there; the header beside it names it"),
        (lambda file: file.write_text("mine 0 250 0\n"), "has no channel"),
        (lambda file: file.write_text("<html>"), "cannot be read as WFDB"),
        (lambda file: file.write_bytes(b""), "is empty"),
        (
            lambda file: file.write_text(file.read_text().replace("/mV", "/mmHg").replace("/uV", "/mmHg")),
            "has the unit 'mmHg', which is no voltage",
        ),
        (
            lambda file: file.write_text(file.read_text().replace(" 16 ", " 8 ", 2)),
            "has the WFDB format 8, which cannot be written again",
        ),
    ],
    ids=("truncated", "no_signals", "no_channel", "wrong_magic", "empty", "unit", "format"),
)
def test_a_bad_record_is_one_clear_line(change, said, tmp_path):
    file = written(tmp_path)
    change(file)
    assert said in refused_of(file, tmp_path / "out")


# Many files


def test_a_table_of_the_same_name_is_none_of_the_record(tmp_path):
    file = written(tmp_path)
    table = tmp_path / "mine.csv"
    table.write_text("II\n" + "0.5\n-0.5\n" * 1000)
    (tmp_path / "mine.xws").write_text("goes along")
    done = clean_files([file, table], tmp_path / "out", rate=FS, unit="mV")
    assert [each.status for each in done] == ["cleaned", "cleaned"], [each.said for each in done]
    assert (tmp_path / "out" / "mine.csv").read_text() != table.read_text()
    assert (tmp_path / "out" / "mine.xws").is_file()


def test_a_run_goes_on_where_it_was_stopped_and_overwrites_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        written(tmp_path / "in", name)
    out = tmp_path / "out"
    cleaned_of(tmp_path / "in" / "a.hea", out)
    stamp = (out / "a.dat").stat().st_mtime_ns
    # What a run that was killed leaves.
    (out / ".b.clean.json.partial").mkdir()
    (out / ".b.clean.json.partial" / "b.dat").write_bytes(b"half")
    assert [done.status for done in clean_files([tmp_path / "in"], out)] == ["whole", "cleaned"]
    assert (out / "a.dat").stat().st_mtime_ns == stamp
    assert sorted(file.name for file in out.iterdir() if file.name.startswith(".")) == []
    done, _ = clean_files([tmp_path / "in"], out, model="fft")
    assert done.status == "refused"
    assert "is of another run" in done.said
    shutil.copy(out / "a.hea", out / "c.hea")
    written(tmp_path / "in", "c")
    *_, last = clean_files([tmp_path / "in"], out)
    assert "is there already and is not overwritten" in last.said


def test_two_processes_clean_what_one_does_and_a_bad_file_keeps_no_other(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    file = written(tmp_path / "in", "a")
    written(tmp_path / "in" / "deep", "b")
    (tmp_path / "in" / "bad.edf").write_bytes(b"nothing")
    done = clean_files([tmp_path / "in"], tmp_path / "two", jobs=2)
    assert {each.file.name: each.status for each in done} == {
        "a.hea": "cleaned",
        "b.hea": "cleaned",
        "bad.edf": "refused",
    }
    assert (tmp_path / "two" / "deep" / "b.dat").is_file()
    cleaned_of(file, tmp_path / "one")
    assert (tmp_path / "one" / "a.dat").read_bytes() == (tmp_path / "two" / "a.dat").read_bytes()


def test_two_files_never_become_one(tmp_path):
    for folder in (tmp_path / "x", tmp_path / "y"):
        folder.mkdir()
        written(folder, "a")
    with pytest.raises(InputError, match="would both become"):
        clean_files([tmp_path / "x" / "a", tmp_path / "y" / "a.hea"], tmp_path / "out", jobs=2)
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_it_did_and_its_status_whether_all_worked(tmp_path, capsys, monkeypatch):
    from ecg_stream.command_line import main

    written(tmp_path, "a")
    (tmp_path / "bad.edf").write_bytes(b"nothing")

    def run(*words):
        monkeypatch.setattr(
            "sys.argv", ["ecg-stream", "clean", *words, "-o", str(tmp_path / "out"), "--model", "fft"]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    status, said, errors = run(str(tmp_path))
    assert status == 1
    assert "1 cleaned, 1 refused" in said
    assert "bad.edf is no EDF or BDF file" in errors
    status, said, errors = run(str(tmp_path / "a"), str(tmp_path / "*.hea"))
    assert status == 0
    assert "0 cleaned, 1 cleaned already" in said
    assert "is cleaned already" in errors
    status, _, errors = run(str(tmp_path / "nothing"))
    assert status == 2
    assert "there is no such file, record or folder" in errors


@pytest.mark.parametrize("name", ["night.scp", "night.xml", "night.ecg", "night.docx"])
def test_what_cannot_be_written_says_so(name, tmp_path):
    (tmp_path / name).write_bytes(b"anything")
    said = refused_of(tmp_path / name, tmp_path / "out")
    assert "cannot be written" in said or "known are: " in said


def test_a_compressed_xdf_says_how_to_unpack_it(tmp_path):
    (tmp_path / "night.xdfz").write_bytes(b"anything")
    assert "unpack it (gunzip -c) into a file that ends in .xdf" in refused_of(
        tmp_path / "night.xdfz", tmp_path / "out"
    )
