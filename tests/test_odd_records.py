"""Records as archives really have them: what must play plays at the right rate, what cannot says why."""

import numpy as np
import pytest
import wfdb

from streamer.choose import choose_leads
from streamer.errors import InputError
from streamer.found import find_records
from streamer.open_source import open_source
from streamer.records.record import read_record
from streamer.resample import Resampler, ratio
from streamer.settings import SourceSettings
from streamer.units import millivolts_of


def lay(folder, record_line, *signal_lines, data=None, name="r", file="r.dat"):
    """A record from the lines of its header and its samples in format 16."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.hea").write_text("\n".join([record_line, *signal_lines]) + "\n", encoding="utf-8")
    values = np.arange(3000) % 900 if data is None else data
    np.asarray(values, "<i2").tofile(folder / file)
    return folder / name


LEAD = "r.dat 16 1000/mV 16 0 0 0 0 II"


@pytest.mark.parametrize("frame_hz", [1, 62.4725])
def test_leads_of_several_samples_a_frame_keep_their_rate(tmp_path, frame_hz):
    many = round(250 / frame_hz)
    ecg = np.arange(12 * many) % 700
    frames = np.column_stack([ecg.reshape(-1, many), np.zeros(12)])
    path = lay(
        tmp_path,
        f"r 2 {frame_hz} 12",
        f"r.dat 16x{many} 1000/mV 16 0 0 0 0 ECG",
        "r.dat 16 1000/l 16 0 0 0 0 RESP",
        data=frames.ravel(),
    )
    read = read_record(path)
    assert (read.leads, read.fs) == (("ECG",), pytest.approx(frame_hz * many))
    np.testing.assert_allclose(read.data[0], ecg / 1000, rtol=1e-6)


def test_a_missing_sample_spoils_no_frame(tmp_path):
    """The reader's own frames have it in their mean: findings/wfdb-python-averages-missing-into-frames.sh"""
    lines = ("r.dat 16x2 1000/mV 16 0 0 0 0 II", "r.dat 16 1000/mV 16 0 0 0 0 V1")
    frames = np.tile([1000, 1001, 500], 300).reshape(-1, 3)
    frames[100, 0] = -32768
    read = read_record(lay(tmp_path, "r 2 100 300", *lines, data=frames.ravel()))
    assert read.fs == 100
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(read.data[0])), [100])
    np.testing.assert_allclose(np.delete(read.data[0], 100), 1.0005, rtol=1e-6)
    alone = read_record(tmp_path / "r", ("II",))
    assert alone.fs == 200
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(alone.data[0])), [200])


def test_a_rate_that_no_beat_survives_is_refused(tmp_path):
    lines = ("r.dat 16x4 1000/mV 16 0 0 0 0 II", "r.dat 16 1000/mV 16 0 0 0 0 V1")
    path = lay(tmp_path, "r 2 50 200", *lines, data=np.zeros(1000))
    with pytest.raises(InputError, match=r"at 50 Hz: the lowest rate is 100 Hz.*II 200 Hz, V1 50 Hz; choose"):
        read_record(path)
    assert read_record(path, ("II",)).fs == 200


def test_annotations_may_count_by_a_clock_of_their_own(tmp_path):
    path = lay(tmp_path, "r 1 250 3000", LEAD)
    wfdb.wrann("r", "atr", np.array([500, 1300, 2100]), ["N"] * 3, fs=1000, write_dir=str(tmp_path))
    assert [mark.sample for mark in read_record(path).annotations] == [125, 325, 525]


def test_a_mark_of_a_type_without_a_symbol_is_a_comment(tmp_path):
    path = lay(tmp_path, "r 1 250 3000", LEAD)
    # Words of two bytes, as annot(5) has them: type in the upper six bits, distance in the lower ten.
    (tmp_path / "r.atr").write_bytes(np.array([45 << 10 | 300, 1 << 10 | 200, 0], "<u2").tobytes())
    assert [tuple(mark) for mark in read_record(path).annotations] == [(300, '"', "type 45"), (500, "N", "")]


def test_a_record_that_is_missing_throughout_holds_no_signal(tmp_path):
    (tmp_path / "lay.hea").write_text("lay 1 125 0\n~ 0 100/mV 8 0 0 0 0 II\n")
    (tmp_path / "r.hea").write_text("r/2 1 125 1500\nlay 0\n~ 1500\n")
    with pytest.raises(InputError, match="holds no signal: all of it is missing"):
        read_record(tmp_path / "r")


def test_waves_of_a_bedside_that_are_no_ecg_are_left_out_with_a_note(tmp_path):
    names = ("II", "PLETH", "RESP", "ART 1")
    lines = [f"r.dat 16 1000 16 0 0 0 0 {name}" for name in names]
    path = lay(tmp_path, "r 4 250 750", *lines, data=np.arange(3000) % 900)
    read = read_record(path)
    assert read.leads == ("II",)
    assert "PLETH, RESP, ART 1" in read.notes[0]
    assert read_record(path, ("PLETH",)).leads == ("PLETH",)
    settings = SourceSettings(kind="replay", record="r", data_dir=tmp_path)
    assert open_source(settings).info.notes == read.notes


def test_a_micro_sign_in_a_comment_is_no_unit(tmp_path):
    assert read_record(lay(tmp_path, "r 1 250 3000", LEAD, "# converted from 1 µV per bit")).leads == ("II",)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("r 1 250 3000 2014-05-08 05:05:15", r"'2014-05-08 05:05:15' for its time and date.*dd/mm/yyyy"),
        ("r 1 250 3000 2006", r"'2006' for its time and date"),
        ("r.mat 1 250 3000", r"names it 'r.mat' \(letters, digits"),
    ],
)
def test_a_record_line_that_is_refused_says_what_is_wrong(tmp_path, line, wrong):
    with pytest.raises(InputError, match=wrong):
        read_record(lay(tmp_path, line, LEAD))


@pytest.mark.parametrize("when", ["12:30:00", "12:30:00.5 01/02/2006", "9:05:1 1/2/2006", "12:30"])
def test_time_and_date_do_no_harm(tmp_path, when):
    assert read_record(lay(tmp_path, f"r 1 250 3000 {when}", LEAD)).data.shape == (1, 3000)


def test_a_file_of_two_endings_is_refused_for_its_name(tmp_path):
    path = lay(tmp_path, "r 1 250 3000", LEAD.replace("r.dat", "r.v2.dat"), file="r.v2.dat")
    with pytest.raises(InputError, match=r"names the file 'r.v2.dat'; .* with one ending"):
        read_record(path)


@pytest.mark.parametrize(
    ("asked", "chosen", "unknown"),
    [
        ("ECG, lead V1", ["ECG, lead V1"], []),
        ("I,ECG, lead II", ["I", "ECG, lead II"], []),
        ("ECG", [], ["ECG"]),
        ("I,VX", ["I"], ["VX"]),
    ],
)
def test_a_name_may_hold_a_comma(asked, chosen, unknown):
    known = ["I", "ECG, lead II", "ECG, lead V1"]
    assert choose_leads(asked.split(","), known) == (chosen, unknown)


@pytest.mark.parametrize("unit", ["uV", "µV", "μV", "µVolt", "microvolts", "Microvolt", " uv "])
def test_microvolts_in_any_spelling(unit):
    assert millivolts_of(unit) == 1e-3


@pytest.mark.parametrize("unit", ["", "l", "mmHg", "%", "counts", "degrees"])
def test_what_is_no_voltage(unit):
    assert millivolts_of(unit) is None


@pytest.mark.parametrize("fs", [124.945, 1000.012, 249.89, 2048])
def test_rates_that_are_no_round_numbers_are_exact(fs):
    up, down = ratio(fs, 360.0)
    assert fs * up / down == pytest.approx(360, rel=1e-12)
    resampler = Resampler(fs, 360.0)
    t = np.arange(round(2 * fs)) / fs
    data = np.sin(2 * np.pi * 5 * t, dtype=np.float32)[None]
    at = np.arange(200, 500)
    made = resampler.filter(data, 0, 200, 500)[0]
    np.testing.assert_allclose(made, np.sin(2 * np.pi * 5 * at / 360), atol=2e-3)


def test_every_record_that_is_listed_opens_and_is_described(tmp_path):
    lay(tmp_path, "nolen 1 250", LEAD.replace("II", "ECG lead II"), name="nolen")
    lay(tmp_path / "mydb" / "data", "r1 1 250 3000", LEAD, name="r1")
    lay(tmp_path, "a 1 250 3000", LEAD, name="a")
    (tmp_path / "seg.hea").write_text("seg/1 1 250 3000\na 3000\n")
    lay(tmp_path, "bad 1 250 3000 2014-05-08", LEAD, name="bad")
    found = find_records(SourceSettings(kind="replay", data_dir=tmp_path))
    details = {source.title.partition("/")[2]: source.detail for source in found}
    assert details == {
        "nolen": "ECG lead II · 250 Hz · 12 s",
        "r1": "II · 250 Hz · 12 s",
        "a": "II · 250 Hz · 12 s",
        "seg": "II · 250 Hz · 12 s",
    }
    for source in found:
        assert open_source(source.settings).info.leads
