"""Cleaning and playing files whose recording was interrupted: gaps stay gaps, at their place in time."""

import edfio
import numpy as np
import pytest
from file_tools import clean_files, cleaned_of, ecg, refused_of, right, sidecar_of

from engine.files.inputs import wanted_files
from engine.files.stretches import Stretch, by_onsets, samples_of, stored_in
from streamer.chunk import Annotation
from streamer.open_source import open_signal
from streamer.settings import SourceSettings

FS = 250
BEGAN = 0.5


def interrupted(file, onsets, rows, kind="EDF+D", marks=()):
    """An EDF+ file of records of a second, each of which begins when it is said."""
    signals = [
        edfio.EdfSignal(row, FS, label=f"ECG {name}", physical_dimension="mV", physical_range=(-5, 5))
        for name, row in zip(("I", "II"), rows, strict=False)
    ]
    # The room of a far mark makes all lists longer than their own.
    edfio.Edf(signals, annotations=[*marks, edfio.EdfAnnotation(0, None, "begin of it all")]).write(file)
    content = bytearray(file.read_bytes())
    content[192:197] = kind.encode()
    size = 2 * sum(signal.samples_per_data_record for signal in edfio.read_edf(file)._signals)
    header = int(content[184:192])
    listed = header + 2 * FS * len(signals)
    for number, onset in enumerate(onsets):
        at = listed + number * size
        _, _, rest = bytes(content[at : header + (number + 1) * size]).partition(b"\0")
        text = f"+{onset}\x14\x14\0".encode() + rest
        assert not text[size - 2 * FS * len(signals) :].strip(b"\0")
        content[at : header + (number + 1) * size] = text[: size - 2 * FS * len(signals)]
    file.write_bytes(content)
    return file


ONSETS = [BEGAN + second + (0 if second < 6 else 10.3) for second in range(12)]
GAP = slice(6 * FS, 6 * FS + round(10.3 * FS))


def in_time(rows):
    """Samples of `ONSETS` with the gap between them."""
    missing = np.full((len(rows), GAP.stop - GAP.start), np.nan)
    return np.concatenate([rows[:, : 6 * FS], missing, rows[:, 6 * FS :]], axis=1)


def stored(file):
    """What is in the records, as edfio has it of a file without interruptions."""
    content = bytearray(file.read_bytes())
    content[192:197] = b"EDF+C"
    return np.stack([signal.data for signal in edfio.read_edf(bytes(content)).signals])


def test_an_interrupted_edf_is_cleaned_around_its_gap(tmp_path):
    file = interrupted(tmp_path / "d.edf", ONSETS, ecg(12, 2, FS))
    target = cleaned_of(file, tmp_path / "out")
    given, made = stored(file), stored(target)
    wanted = right(in_time(given), FS)
    kept = np.delete(wanted, GAP, axis=1)
    # Within the reach of the resampling filters of the gap samples stay as they were.
    np.testing.assert_allclose(made, np.where(np.isnan(kept), given, kept), atol=10 / 65535)
    assert np.abs(made - given).max() > 0.1
    (span,) = (
        each for each in sidecar_of(target)["spans"] if each["mark"] == "missing" and "II" in each["channel"]
    )
    assert (span["from_s"], span["to_s"]) == (pytest.approx(6, abs=0.1), pytest.approx(16.3, abs=0.1))


def test_an_interrupted_edf_and_its_annotations_play_in_time(tmp_path):
    marks = [edfio.EdfAnnotation(2, None, "N"), edfio.EdfAnnotation(3, None, "pain")]
    file = interrupted(tmp_path / "d.edf", ONSETS, ecg(12, 2, FS), marks=marks)
    signal = open_signal(SourceSettings("file", record=str(file)))
    assert signal.length == 12 * FS + GAP.stop - GAP.start
    block = signal.read(0, signal.length)
    np.testing.assert_allclose(block.data, in_time(stored(file)), atol=1e-6)
    # Onsets count from the start in the header, before which nothing was recorded here.
    beat, comment = block.annotations
    assert (beat, comment) == (Annotation(round(1.5 * FS), "N"), Annotation(round(2.5 * FS), '"', "pain"))


@pytest.mark.parametrize(
    ("onsets", "said"),
    [
        ([0, 1, 1.5, *range(3, 12)], "has data records that overlap in time"),
        ([*range(11), 90 * 86400], "is interrupted for 90 days; allowed: 31 days"),
    ],
    ids=("overlap", "months"),
)
def test_an_interrupted_edf_that_cannot_be_is_one_clear_line(onsets, said, tmp_path):
    file = interrupted(tmp_path / "bad.edf", onsets, ecg(12, 1, FS))
    assert said in refused_of(file, tmp_path / "out")


def test_blocks_that_begin_within_a_sample_of_each_other_are_one_stretch():
    assert by_onsets([5, 6.003, 7, 9], 100, 100) == [Stretch(0, 0, 300), Stretch(400, 300, 100)]
    assert by_onsets([0, 0.9], 100, 100) is None
    assert samples_of([]) == 0


def test_a_window_holds_what_is_stored_of_it():
    stretches = [Stretch(0, 0, 10), Stretch(20, 10, 5), Stretch(30, 15, 5)]
    parts = [list(part) for part in stored_in(stretches, 8, 32)]
    assert parts == [
        [slice(0, 2), 8, 10],
        [slice(12, 17), 10, 15],
        [slice(22, 24), 15, 17],
    ]
    assert list(stored_in(stretches, 12, 18)) == []


def segmented(folder, write_record, *, variable):
    """Twice 6 s; in a variable layout with 2.4 s of nothing between, and one lead in the second half."""
    rows = ecg(12, 2, 360)
    first, second = rows[:, : 6 * 360], rows[:, 6 * 360 :]
    write_record(folder, "a", first, leads=("I", "II"))
    write_record(folder, "b", second[1:] if variable else second, leads=("II",) if variable else ("I", "II"))
    lines = ["layout 0", "a 2160", "~ 864", "b 2160"] if variable else ["a 2160", "b 2160"]
    if variable:
        (folder / "layout.hea").write_text(
            "layout 2 360 0\n~ 0 200/mV 0 0 0 0 0 I\n~ 0 200/mV 0 0 0 0 0 II\n"
        )
    (folder / "whole.hea").write_text(
        "\n".join([f"whole/{len(lines)} 2 360 {5184 if variable else 4320}", *lines]) + "\n"
    )
    return folder / "whole.hea"


@pytest.mark.parametrize("variable", [False, True], ids=("fixed", "variable"))
def test_a_record_of_segments_is_cleaned_as_one_signal(variable, tmp_path, write_record):
    import wfdb

    file = segmented(tmp_path, write_record, variable=variable)
    target = cleaned_of(file, tmp_path / "out")
    before, after = (wfdb.rdrecord(str(each.with_suffix(""))) for each in (file, target))
    assert after.sig_name == before.sig_name == ["I", "II"]
    np.testing.assert_allclose(after.p_signal.T, right(before.p_signal.T, 360), atol=0.51 / 200)
    for name in "ab":
        part = wfdb.rdrecord(str(target.with_name(name)), physical=False)
        assert [each % 2**16 for each in part.checksum] == [each % 2**16 for each in part.calc_checksum()]
    said = wfdb.rdann(str(target.with_suffix("")), "guard")
    missing = [
        (at / 360, note) for at, note in zip(said.sample, said.aux_note, strict=True) if "missing" in note
    ]
    lengths = {"I": 8.4, "II": 2.4} if variable else {}
    assert missing == [(6.0, f"{name}: missing, no input, {s:.3f} s") for name, s in lengths.items()]


def test_a_folder_holds_a_record_of_segments_once(tmp_path, write_record):
    file = segmented(tmp_path / "in", write_record, variable=True)
    write_record(tmp_path / "in", "other", ecg(4, 2))
    assert [each.file for each in wanted_files([str(tmp_path / "in")], tmp_path / "out")] == [
        tmp_path / "in" / "other.hea",
        file,
    ]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("a 2160\nb 2160\na 2160", "has the segment a twice"),
        ("a 2000\nb 2160", "promises 2000 samples of its segment a, which has 2160"),
        ("a 2160\ngone 2160", "cannot be read as WFDB: No such file"),
    ],
    ids=("twice", "length", "gone"),
)
def test_a_record_of_bad_segments_is_one_clear_line(lines, said, tmp_path, write_record):
    file = segmented(tmp_path, write_record, variable=False)
    count = lines.count("\n") + 1
    samples = sum(int(line.split()[1]) for line in lines.splitlines())
    file.write_text(f"whole/{count} 2 360 {samples}\n{lines}\n")
    (done,) = clean_files([file], tmp_path / "out")
    assert (done.status, said in done.said) == ("refused", True), done.said
