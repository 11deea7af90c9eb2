"""Cleaning and playing XDF files, read again by pyxdf."""

import numpy as np
import pytest
import pyxdf
from file_tools import cleaned_of, ecg, refused_of, right
from xdf_tools import chunk, header, marker, offset, samples, written

from streamer.chunk import Annotation
from streamer.open_source import open_signal
from streamer.settings import SourceSettings

FS = 250
BED = (("II", "millivolts", "ECG"), ("counter", "samples", "counter"))


def frames(rows, scale=1.0):
    """Samples of a lead, in the unit of the stream, beside their number."""
    return np.stack([scale * rows[0], np.arange(rows.shape[1])], axis=1)


def blocks(stamps, values, kind="float32", stream=1, size=10):
    return b"".join(
        samples(stream, stamps[at : at + size], values[at : at + size], kind)
        for at in range(0, len(values), size)
    )


def loaded(file, number=0):
    streams, _ = pyxdf.load_xdf(file, synchronize_clocks=False, dejitter_timestamps=False)
    return streams[number]["time_series"], streams[number]["time_stamps"]


@pytest.mark.parametrize(
    ("kind", "unit", "scale"),
    [("float32", "millivolts", 1.0), ("double64", "V", 1e-3), ("int32", "nV", 1e6), ("int16", "uV", 1e3)],
)
def test_an_xdf_differs_in_nothing_but_the_values_of_the_ecg(kind, unit, scale, tmp_path):
    values = frames(ecg(12, 1, FS), scale)
    stamps = 1000 + np.arange(len(values)) / FS
    bed = header(1, FS, [("II", unit, "ECG"), BED[1]], kind)
    file = written(tmp_path / "bed.xdf", bed, blocks(stamps, values, kind))
    target = cleaned_of(file, tmp_path / "out")
    given, made = loaded(file), loaded(target)
    assert target.stat().st_size == file.stat().st_size
    assert made[0].dtype == given[0].dtype
    np.testing.assert_array_equal(made[0][:, 1], given[0][:, 1])
    np.testing.assert_array_equal(made[1], given[1])
    wanted = right(given[0][:, 0][None] / scale, FS)[0]
    step = 0.51 if kind.startswith("int") else 1e-6
    np.testing.assert_allclose(made[0][:, 0], wanted * scale, atol=step if "int" in kind else step * scale)
    before, after = (np.frombuffer(each.read_bytes(), np.uint8) for each in (file, target))
    assert (before != after).sum() <= len(values) * made[0].dtype.itemsize


def test_a_stream_that_states_another_rate_than_its_stamps_is_cleaned_at_theirs(tmp_path):
    values = frames(ecg(12, 1, FS))
    stamps = 1000 + np.arange(len(values)) / FS
    file = written(tmp_path / "bed.xdf", header(1, 300, BED), blocks(stamps, values))
    target = cleaned_of(file, tmp_path / "out")
    given, made = loaded(file), loaded(target)
    np.testing.assert_allclose(made[0][:, 0], right(given[0][:, 0][None], FS)[0], atol=1e-6)


def test_a_short_gap_is_found_and_jitter_is_none(tmp_path):
    """By default pyxdf spreads a loss of under 500 samples over the whole recording."""
    values = frames(ecg(40, 1, FS))
    lost = slice(20 * FS, 20 * FS + 77)
    rng = np.random.default_rng(2)
    stamps = 1000 + np.arange(len(values)) / FS + rng.normal(0, 0.0003, len(values))
    kept = np.delete(np.arange(len(values)), lost)
    file = written(tmp_path / "bed.xdf", header(1, FS, BED), blocks(stamps[kept], values[kept]))
    signal = open_signal(SourceSettings("file", record=str(file)))
    data = signal.read(0, signal.length).data[0]
    assert np.flatnonzero(np.isnan(data)).tolist() == list(range(lost.start, lost.stop))
    np.testing.assert_allclose(np.delete(data, lost), values[kept, 0], atol=1e-6)
    made, _ = loaded(cleaned_of(file, tmp_path / "out"))
    in_time = values[None, :, 0].copy()
    in_time[:, lost] = np.nan
    wanted = np.delete(right(in_time, FS)[0], lost)
    np.testing.assert_allclose(made[:, 0], np.where(np.isnan(wanted), values[kept, 0], wanted), atol=1e-5)


def test_a_sender_whose_clock_was_set_leaves_no_gap_where_the_recorder_measured_it(tmp_path):
    """The sender's machine begins again at another time; its offset is measured every few seconds."""
    values = frames(ecg(60, 1, FS))
    stamps = 1000 + np.arange(len(values)) / FS
    stamps[30 * FS :] += 700
    moved = b"".join(
        offset(1, 1002 + 5 * number + (700 if number >= 6 else 0), -700.0 if number >= 6 else 0.0)
        for number in range(12)
    )
    file = written(tmp_path / "bed.xdf", header(1, FS, BED), blocks(stamps, values), moved)
    signal = open_signal(SourceSettings("file", record=str(file)))
    assert signal.length == len(values)
    np.testing.assert_allclose(signal.read(0, signal.length).data[0], values[:, 0], atol=1e-6)


def test_markers_play_where_their_stamps_say(tmp_path):
    values = frames(ecg(12, 1, FS))
    stamps = [1000.0] + [None] * (len(values) - 1)
    file = written(
        tmp_path / "bed.xdf",
        header(2, 0, [("", "", "")], "string", "Markers"),
        header(1, FS, BED),
        marker(2, 1003.0, "N"),
        marker(2, 990.0, "before it all"),
        blocks(stamps, values, size=len(values)),
        marker(2, 1004.2, "pain"),
    )
    signal = open_signal(SourceSettings("file", record=str(file)))
    marks = signal.read(0, signal.length).annotations
    assert marks == (Annotation(3 * FS, "N"), Annotation(round(4.2 * FS), '"', "pain"))


def test_of_an_eeg_only_the_ecg_is_cleaned(tmp_path):
    rows = ecg(12, 2, FS)
    channels = [("Fz", "microvolts", "EEG"), ("ECG", "microvolts", "EEG"), ("reference", "mV", "reference")]
    values = 1000 * np.stack([rows[1], rows[0], rows[0]], axis=1)
    stamps = 5 + np.arange(len(values)) / FS
    file = written(tmp_path / "eeg.xdf", header(1, FS, channels, type_="EEG"), blocks(stamps, values))
    made, _ = loaded(cleaned_of(file, tmp_path / "out"))
    given, _ = loaded(file)
    np.testing.assert_array_equal(made[:, [0, 2]], given[:, [0, 2]])
    np.testing.assert_allclose(made[:, 1], right(given[:, 1][None], FS, unit="uV")[0], atol=1e-2)


def whole():
    values = frames(ecg(4, 1, FS))
    return [header(1, FS, BED), blocks(np.arange(len(values)) / FS, values)]


@pytest.mark.parametrize(
    ("parts", "change", "said"),
    [
        (whole(), lambda content: content[:-50], "is truncated: its last chunk is not whole"),
        (whole(), lambda content: b"Y" + content[1:], "is no XDF file"),
        (whole(), lambda content: content[:5], "is truncated, at byte 5"),
        (whole(), lambda content: content + b"\x03\x00", "cannot be read as XDF, or is truncated, at byte"),
        ([*whole(), chunk(3, b"\x01\x05\x00", 1)], bytes, "cannot be read as XDF"),
        ([], bytes, "has no stream of numbers at a stated rate"),
        ([header(1, 0, BED), blocks(np.arange(500) / FS, np.ones((500, 2)))], bytes, "at a stated rate"),
        (whole()[:1], bytes, "holds no sample"),
        ([header(1, FS, [("II", "mmHg", "ECG")])], bytes, "has the unit 'mmHg', which is no voltage"),
        ([header(1, FS, [("Fz", "uV", "EEG")], type_="EEG")], bytes, "no channel that is called an ECG"),
        (
            [header(1, 50, BED), blocks(np.arange(100) / 50, frames(ecg(2, 1, 50)))],
            bytes,
            "has 50 Hz; allowed: 100 Hz and more",
        ),
        (
            [
                header(1, FS, BED),
                blocks(np.r_[np.arange(1000) / FS, 1e7 + np.arange(1000) / FS], np.ones((2000, 2))),
            ],
            bytes,
            "has a stream of 116 days with its gaps; allowed: 31 days",
        ),
    ],
    ids=(
        "cut",
        "magic",
        "begin",
        "length",
        "samples",
        "no_channel",
        "irregular",
        "no_sample",
        "unit",
        "no_ecg",
        "slow",
        "months",
    ),
)
def test_a_bad_xdf_is_one_clear_line(parts, change, said, tmp_path):
    file = written(tmp_path / "bad.xdf", *parts)
    file.write_bytes(change(file.read_bytes()))
    assert said in refused_of(file, tmp_path / "out")
