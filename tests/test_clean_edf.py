"""Cleaning EDF and BDF files, written and read again by edfio."""

import datetime as dt

import edfio
import numpy as np
import pytest
from file_tools import clean_files, cleaned_of, ecg, refused_of, right, sidecar_of

FS = 250


def signal(rows, label="ECG II", fs=FS, unit="mV", limits=(-5, 5), kind=edfio.EdfSignal, **options):
    return kind(rows, fs, label=label, physical_dimension=unit, physical_range=limits, **options)


def written(file, signals, kind=edfio.Edf, **options):
    kind(signals, **options).write(file)
    return file


def plus(file):
    """Two leads, one that is slower and no ECG, annotations, a start with a fraction of a second."""
    rows = ecg(12, 2, FS)
    resp = np.sin(np.arange(12 * 25) / 10)
    return written(
        file,
        [
            signal(rows[0], "ECG I"),
            signal(resp, "Resp", 25, "uV"),
            signal(rows[1] * 1000, "ECG II", unit="µV".replace("µ", "u"), limits=(-5000, 5000)),
        ],
        patient=edfio.Patient(code="X-17", name="Mrs_Doe", sex="F", birthdate=dt.date(1951, 8, 2)),
        recording=edfio.Recording(startdate=dt.date(2002, 3, 4), equipment_code="Holter"),
        starttime=dt.time(22, 58, 1, 250_000),
        annotations=[edfio.EdfAnnotation(0.5, None, "N"), edfio.EdfAnnotation(7.123456, 2, "noise é")],
    )


def test_an_edf_plus_keeps_all_but_the_ecg(tmp_path):
    file = plus(tmp_path / "night.edf")
    target = cleaned_of(file, tmp_path / "out")
    before, after = edfio.read_edf(file), edfio.read_edf(target)
    for name in (
        "patient",
        "recording",
        "startdate",
        "starttime",
        "data_record_duration",
        "num_data_records",
    ):
        assert str(getattr(after, name)) == str(getattr(before, name)), name
    assert after.labels == before.labels
    for old, new in zip(before.signals, after.signals, strict=True):
        for name in ("sampling_frequency", "physical_dimension", "physical_range", "digital_range"):
            assert getattr(new, name) == getattr(old, name), name
    np.testing.assert_array_equal(after.signals[1].digital, before.signals[1].digital)
    given = np.stack([before.signals[0].data, before.signals[2].data / 1000])
    made = np.stack([after.signals[0].data, after.signals[2].data / 1000])
    np.testing.assert_allclose(made, right(given, FS), atol=10 / 65535)
    assert np.abs(made - given).max() > 0.1


def test_the_guard_speaks_in_annotations_beside_those_that_were_there(tmp_path):
    """Onsets are seconds after the start in the header, whose fraction the annotations hold."""
    file = plus(tmp_path / "night.edf")
    target = cleaned_of(file, tmp_path / "out")
    before, after = edfio.read_edf(file), edfio.read_edf(target)
    assert set(before.annotations) < set(after.annotations)
    said = sorted(set(after.annotations) - set(before.annotations), key=lambda mark: mark.text)
    spans = sidecar_of(target)["spans"]
    assert [mark.text for mark in said] == ["ECG I: warmup", "ECG II: warmup"]
    for mark, span in zip(said, spans, strict=True):
        assert mark.onset == pytest.approx(span["from_s"], abs=1 / FS)
        assert mark.duration == pytest.approx(span["to_s"] - span["from_s"], abs=1 / FS)


def test_a_plain_edf_differs_in_nothing_but_samples_of_the_ecg(tmp_path):
    rows = ecg(10, 1, FS)
    quiet = np.sin(np.arange(2500) / 9)
    file = written(tmp_path / "plain.edf", [signal(rows[0], "II"), signal(quiet, "EEG Fpz", unit="uV")])
    target = cleaned_of(file, tmp_path / "out")
    before, after = file.read_bytes(), target.read_bytes()
    assert len(before) == len(after)
    changed = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
    assert changed[0] >= 256 * 3
    # A record is a second of the ECG, then a second of the EEG.
    assert ((changed - 256 * 3) % 1000 < 500).all()
    assert sidecar_of(target)["untouched"] == ["EEG Fpz"]


def test_bdf_has_24_bits(tmp_path):
    rows = ecg(10, 1, FS)
    file = written(tmp_path / "wide.bdf", [signal(rows[0], kind=edfio.BdfSignal)], edfio.Bdf)
    target = cleaned_of(file, tmp_path / "out")
    given, made = (edfio.read_bdf(each).signals[0].data for each in (file, target))
    np.testing.assert_allclose(made[None], right(given[None], FS), atol=1e-6)


def test_what_a_format_cannot_hold_is_counted(tmp_path):
    """A high-pass makes a step twice as tall as the range."""
    rows = np.where(np.arange(3000) % 1000 < 500, -1.0, 1.0)
    file = written(tmp_path / "tight.edf", [signal(rows, limits=(-1, 1))])
    target = cleaned_of(file, tmp_path / "out")
    assert np.abs(edfio.read_edf(target).signals[0].data).max() <= 1
    assert sidecar_of(target)["clipped"] > 0


def broken(name):
    def cut(file):
        file.write_bytes(file.read_bytes()[:-300])

    def magic(file):
        file.write_bytes(b"1" + file.read_bytes()[1:])

    def header(file):
        file.write_bytes(file.read_bytes()[:300])

    def empty(file):
        file.write_bytes(b"")

    def silent(file):
        content = bytearray(file.read_bytes())
        content[192:197] = b"EDF+D"
        file.write_bytes(content)

    def no_channel(file):
        content = bytearray(file.read_bytes()[:256])
        content[184:192], content[252:256] = b"256     ", b"0   "
        file.write_bytes(content)

    def no_record(file):
        content = bytearray(file.read_bytes())
        content[236:244] = b"0       "
        file.write_bytes(content)

    def no_number(file):
        content = bytearray(file.read_bytes())
        content[244:252] = b"one     "
        file.write_bytes(content)

    return locals()[name]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("cut", "is truncated: 9 of 10 data records are there"),
        ("magic", "is no EDF or BDF file"),
        ("header", "is truncated: its header is not whole"),
        ("empty", "is empty"),
        ("silent", "is discontinuous and does not say when its records begin"),
        ("no_channel", "has no channel"),
        ("no_record", "holds no sample"),
        ("no_number", "has a number in its header that is none"),
    ],
)
def test_a_bad_file_is_one_clear_line(how, said, tmp_path):
    file = written(tmp_path / "bad.edf", [signal(ecg(10, 1, FS)[0])])
    broken(how)(file)
    assert said in refused_of(file, tmp_path / "out")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"label": "EEG Fpz"}, "has no channel that is called an ECG; say which with --leads: EEG Fpz"),
        ({"unit": "mmHg"}, "has the unit 'mmHg', which is no voltage"),
        ({"unit": ""}, "channel 'ECG II' of {} has no unit; state it with --unit (V, mV, uV, nV)"),
        ({"fs": 50}, "has 50 Hz; allowed: 100 Hz and more"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, dict) else "",
)
def test_a_file_without_a_usable_ecg_is_one_clear_line(made, said, tmp_path):
    file = written(tmp_path / "other.edf", [signal(ecg(10, 1, made.get("fs", FS))[0], **made)])
    assert said.format(file) in refused_of(file, tmp_path / "out")


def test_a_unit_is_taken_where_the_file_has_none_and_missed_aloud(tmp_path):
    rows = ecg(10, 2, FS)
    file = written(tmp_path / "half.edf", [signal(rows[0], "I"), signal(rows[1], "II", unit="")])
    (done,) = clean_files([file], tmp_path / "one")
    assert done.said == f"{file}: left as they are, having no unit: II; --unit states it"
    assert [*sidecar_of(tmp_path / "one" / "half.edf")["channels"]] == ["I"]
    (done,) = clean_files([file], tmp_path / "two", unit="mV")
    assert (done.said, [*sidecar_of(tmp_path / "two" / "half.edf")["channels"]]) == ("", ["I", "II"])


@pytest.mark.parametrize(
    "spelled", ["\xb5V".encode(), "\u03bcV".encode(), b"\xb5V"], ids=("micro", "mu", "latin")
)
def test_a_unit_may_be_spelled_in_utf_8(spelled, tmp_path):
    file = written(tmp_path / "a.edf", [signal(ecg(10, 1, FS)[0], unit="uV")])
    content = bytearray(file.read_bytes())
    content[256 + 96 : 256 + 104] = spelled.ljust(8)
    file.write_bytes(content)
    cleaned_of(file, tmp_path / "out")


def test_leads_of_two_rates_are_cleaned_each_at_its_own(tmp_path):
    slow, fast = ecg(10, 1, 200), ecg(10, 1, 500, seed=5)
    file = written(tmp_path / "mixed.edf", [signal(slow[0], "II", 200), signal(fast[0], "V5", 500)])
    target = cleaned_of(file, tmp_path / "out")
    for old, new in zip(edfio.read_edf(file).signals, edfio.read_edf(target).signals, strict=True):
        wanted = right(old.data[None], old.sampling_frequency)
        np.testing.assert_allclose(new.data[None], wanted, atol=10 / 65535)
