import numpy as np
import pytest
import wfdb
from scipy import signal

from streamer.chunk import Annotation
from streamer.errors import InputError
from streamer.records.record import bridge_missing, clean_reference, read_record

FS = 360


@pytest.fixture(scope="module")
def data():
    return np.random.default_rng(0).uniform(-1, 1, (2, 3000))


# What is in the file


@pytest.mark.parametrize(
    ("fmt", "gain", "baseline"),
    [("16", 1000.0, 0), ("16", 200.0, -300), ("212", 200.0, 1024), ("80", 100.0, 3), ("24", 1e5, 7)],
)
def test_formats_come_back_within_half_a_step(tmp_path, write_record, data, fmt, gain, baseline):
    read = read_record(write_record(tmp_path, "r", data, fmt=fmt, gain=gain, baseline=baseline))
    assert read.data.dtype == np.float32
    assert np.abs(read.data - data).max() * gain <= 0.502  # half a step, and what float32 takes


def test_formats_that_only_other_programs_write(tmp_path):
    counts = np.array([[5, -7, 2047, -2048], [0, 1, -1, 30000]])
    (tmp_path / "r.hea").write_text(
        "r 2 360 4\n" + "".join(f"r.dat 61 1000/mV 16 0 0 0 0 {n}\n" for n in "AB")
    )
    (tmp_path / "r.dat").write_bytes(counts.T.astype(">i2").tobytes())
    np.testing.assert_allclose(read_record(tmp_path / "r").data, counts / 1000, rtol=1e-6)


@pytest.mark.parametrize(
    ("unit", "millivolts"), [("V", 1e3), ("mV", 1), ("uV", 1e-3), ("nV", 1e-6), ("MV", 1)]
)
def test_everything_comes_in_millivolts(tmp_path, write_record, data, unit, millivolts):
    read = read_record(write_record(tmp_path, "r", data, units=unit, gain=1000.0))
    np.testing.assert_allclose(read.data, data * millivolts, atol=6e-4 * millivolts)


@pytest.mark.parametrize(("spelling", "encoding"), [("µV", "latin-1"), ("µV", "utf-8"), ("μV", "utf-8")])
def test_a_micro_sign_is_not_read_as_volts(tmp_path, write_record, data, spelling, encoding):
    header = write_record(tmp_path, "r", data, units="V").with_suffix(".hea")
    header.write_text(header.read_text().replace("/V", f"/{spelling}"), encoding=encoding)
    with pytest.raises(InputError, match="has the unit µV, which WFDB readers take for V; write uV"):
        read_record(tmp_path / "r")


@pytest.mark.parametrize("rate", ["3.6e2", "36E1"])
def test_a_rate_with_an_exponent_is_not_read_without_it(tmp_path, write_record, data, rate):
    header = write_record(tmp_path, "r", data).with_suffix(".hea")
    header.write_text(header.read_text().replace("r 2 360", f"r 2 {rate}"))
    with pytest.raises(InputError, match=f"has the rate '{rate}', of which wfdb takes what is before the e"):
        read_record(tmp_path / "r")


@pytest.mark.parametrize("fmt", ["16", "212"])
def test_missing_samples_stay_missing(tmp_path, write_record, data, fmt):
    holes = data.copy()
    holes[0, 100:150] = holes[1, -1] = np.nan
    read = read_record(write_record(tmp_path, "r", holes, fmt=fmt))
    np.testing.assert_array_equal(np.isnan(read.data), np.isnan(holes))


def test_what_is_no_voltage_is_left_out(tmp_path, write_record, data):
    header = write_record(tmp_path, "r", data, leads=("ABP", "II")).with_suffix(".hea")
    header.write_text(header.read_text().replace("/mV", "/mmHg", 1))
    read = read_record(tmp_path / "r")
    assert read.leads == ("II",)
    np.testing.assert_allclose(read.data, data[1:], atol=3e-3)
    with pytest.raises(InputError, match="has no lead 'ABP'; it has: II"):
        read_record(tmp_path / "r", ("ABP",))
    header.write_text(header.read_text().replace("/mV", "/mmHg"))
    with pytest.raises(InputError, match="has no voltage signal, only: ABP, II"):
        read_record(tmp_path / "r")


def test_segments_are_joined_and_the_missing_one_is_missing(tmp_path, write_record, data):
    for name, segment in {"a": data, "b": -data}.items():
        write_record(tmp_path, name, segment)
    (tmp_path / "fixed.hea").write_text("fixed/2 2 360 6000\na 3000\nb 3000\n")
    np.testing.assert_allclose(
        read_record(tmp_path / "fixed").data, np.concatenate([data, -data], axis=1), atol=3e-3
    )
    layout = "".join(f"~ 0 200/mV 16 0 0 0 0 {lead}\n" for lead in ("MLII", "V5"))
    (tmp_path / "layout.hea").write_text(f"layout 2 360 0\n{layout}")
    (tmp_path / "m.hea").write_text("m/4 2 360 6500\nlayout 0\na 3000\n~ 500\nb 3000\n")
    read = read_record(tmp_path / "m").data
    assert np.isnan(read[:, 3000:3500]).all()
    np.testing.assert_allclose(read[:, 3500:], -data, atol=3e-3)


def test_leads_come_in_the_order_asked_for(tmp_path, write_record, data):
    path = write_record(tmp_path, "r", data, leads=("V5", "MLII"))
    assert read_record(path).leads == ("V5", "MLII")
    swapped = read_record(path, ("MLII", "V5"))
    assert swapped.leads == ("MLII", "V5")
    np.testing.assert_array_equal(swapped.data, read_record(path).data[::-1])
    np.testing.assert_array_equal(read_record(path, ("MLII",)).data, swapped.data[:1])
    with pytest.raises(InputError, match="has no lead 'II'; it has: V5, MLII"):
        read_record(path, ("II",))


def test_leads_of_one_name_or_none_are_told_apart(tmp_path, write_record, data):
    path = write_record(tmp_path, "r", data, leads=("ECG", "ECG_"))
    header = path.with_suffix(".hea")
    header.write_text(header.read_text().replace("ECG_", "ECG"))
    assert read_record(path).leads == ("ECG 1", "ECG 2")
    np.testing.assert_allclose(read_record(path, ("ECG 2",)).data, data[1:], atol=3e-3)
    header.write_text("r 2 360 3000\nr.dat 16 200\nr.dat 16 200\n")
    assert read_record(path).leads == ("lead 1", "lead 2")


def test_annotations(tmp_path, write_record, data):
    path = write_record(tmp_path, "r", data, beats=[50, 400, 2999])
    assert read_record(path).annotations == tuple(Annotation(n, "N") for n in (50, 400, 2999))
    assert read_record(write_record(tmp_path, "s", data)).annotations == ()


def test_only_beats_count_as_beats(tmp_path, write_record, data):
    path = write_record(tmp_path, "r", data)
    symbols = ["+", "N", "~", "V", "|", '"', "A", "x", "/", "(", "p", "F", "["]
    notes = ["(AFIB"] + [""] * (len(symbols) - 1)
    samples = 10 + 20 * np.arange(len(symbols))
    wfdb.wrann("r", "atr", samples, symbol=symbols, aux_note=notes, write_dir=str(tmp_path))
    read = read_record(path)
    assert [mark.symbol for mark in read.annotations] == symbols
    assert read.annotations[0].note == "(AFIB"
    expected = [n for n, s in zip(samples, symbols, strict=True) if s in "NVA/F"]
    assert read.beats.tolist() == expected


# What is wrong with the file


@pytest.mark.parametrize("size", [0, 1, 3, 100, 11_999])
def test_short_signals_are_refused(tmp_path, write_record, data, size):
    path = write_record(tmp_path, "r", data)
    path.with_suffix(".dat").write_bytes(path.with_suffix(".dat").read_bytes()[:size])
    with pytest.raises(InputError, match="cannot be read as WFDB"):
        read_record(path)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "\n\n",
        "garbage",
        "r",
        "r x 360\n",
        "\x00\x01\x02",
        "r 0 360 100\n",
        "r 2 360 10\n",
        "r 2 360 3000\nr.dat 16 200 12 0 0 0 0 I\n",  # one signal of two
        "r 1 360 3000\nr.dat 999 200 12 0 0 0 0 I\n",  # no such format
        "r 1 360 3000\nother.dat 16 200 12 0 0 0 0 I\n",  # no such file
        "r/2 2 360 6000\nr1 3000\n~ 3000\n",  # no such segment
        "r/2 2 360 6000\nwhole 3000\n~ 3000\n",  # missing samples without a layout
        "r 1 0 3000\nr.dat 16 200 12 0 0 0 0 I\n",  # no rate
    ],
)
def test_headers_that_make_no_sense_are_refused(tmp_path, write_record, data, header):
    write_record(tmp_path, "whole", data)
    path = write_record(tmp_path, "r", data)
    path.with_suffix(".hea").write_text(header)
    with pytest.raises(InputError, match=r"record .*/r (cannot be read|holds no|has no)"):
        read_record(path)


def test_any_damage_to_a_header_is_survived(tmp_path, write_record, data):
    """Either the record is still read, or the user is told: never another exception."""
    path = write_record(tmp_path, "r", data)
    whole = path.with_suffix(".hea").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        header = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            header[rng.integers(len(header))] = rng.integers(256)
        path.with_suffix(".hea").write_bytes(header[: rng.integers(1, 2 * len(header))])
        try:
            assert read_record(path).data.ndim == 2
        except InputError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("marks", [b"\0", b"\1\2\3", b"\0\xec\0\xec", bytes(range(256))])
def test_damaged_annotations_are_refused(tmp_path, write_record, data, marks):
    path = write_record(tmp_path, "r", data)
    path.with_suffix(".atr").write_bytes(marks)
    with pytest.raises(InputError, match=r"annotations .*r\.atr cannot be read"):
        read_record(path)


def test_a_record_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read as WFDB"):
        read_record(tmp_path / "nothing")


# The reference


def seconds(count, fs=FS):
    return np.arange(round(count * fs)) / fs


def middle(data, fs=FS):
    return data[:, 5 * fs : -5 * fs]


@pytest.mark.parametrize("fs", [250, 360, 1000])
def test_drift_goes_and_the_ecg_stays(fs):
    time = seconds(60, fs)
    wave = np.sin(2 * np.pi * 5 * time)[None].astype(np.float32)
    drift = (3 + np.sin(2 * np.pi * 0.1 * time))[None].astype(np.float32)
    assert np.abs(middle(clean_reference(drift, fs), fs)).max() < 0.004  # -48 dB
    np.testing.assert_allclose(middle(clean_reference(wave + drift, fs), fs), middle(wave, fs), atol=0.005)


def test_the_cut_lies_at_half_a_hertz():
    wave = np.sin(2 * np.pi * 0.5 * seconds(120))[None].astype(np.float32)
    # -3 dB, forwards and backwards.
    assert np.abs(middle(clean_reference(wave, FS))).max() == pytest.approx(0.5, abs=0.01)


def test_the_reference_has_no_delay():
    """A symmetric wave stays symmetric about its place."""
    wave = np.zeros((1, 40 * FS + 1), dtype=np.float32)
    wave[0, 20 * FS - 50 : 20 * FS + 51] = signal.windows.hann(101)
    reference = clean_reference(wave, FS)
    assert reference.argmax() == 20 * FS
    np.testing.assert_allclose(reference, reference[:, ::-1], atol=1e-6)


def test_missing_samples_spoil_no_others():
    wave = np.sin(2 * np.pi * 5 * seconds(60))[None].astype(np.float32).repeat(2, axis=0) + np.float32(7)
    whole = clean_reference(wave, FS)
    wave[0, 9000:9200] = np.nan
    reference = clean_reference(wave, FS)
    np.testing.assert_array_equal(np.isnan(reference), np.isnan(wave))
    np.testing.assert_array_equal(reference[1], whole[1])
    far = np.r_[0:7000, 11_500 : wave.shape[1]]
    np.testing.assert_allclose(reference[0, far], whole[0, far], atol=0.01)


def test_a_lead_that_is_missing_throughout_stays_so():
    data = np.full((2, 5000), np.nan, dtype=np.float32)
    data[1] = 1.0
    reference = clean_reference(data, FS)
    assert np.isnan(reference[0]).all()
    np.testing.assert_allclose(reference[1], 0, atol=1e-5)


@pytest.mark.parametrize("samples", [1, 2, 10, 500])
def test_short_stretches_have_a_reference(samples):
    assert np.isfinite(clean_reference(np.ones((1, samples), dtype=np.float32), FS)).all()


def test_bridges_are_straight_and_leave_the_rest():
    data = np.array([[np.nan, 1, np.nan, np.nan, 4, np.nan]], dtype=np.float32)
    np.testing.assert_allclose(bridge_missing(data), [[1, 1, 2, 3, 4, 4]])
    assert np.isnan(data[0, 0])


# Real records


@pytest.mark.data
def test_record_100(physionet):
    read = read_record(physionet / "mitdb" / "100")
    assert read.leads == ("MLII", "V5")
    assert read.fs == 360
    assert read.data.shape == (2, 650_000)
    assert read.data[0, 0] == pytest.approx((995 - 1024) / 200)
    assert len(read.beats) == 2273  # the published count
    assert read.annotations[0] == Annotation(18, "+", "(N")


@pytest.mark.data
def test_record_114_has_its_usual_lead_second(physionet):
    path = physionet / "mitdb" / "114"
    assert read_record(path).leads == ("V5", "MLII")
    np.testing.assert_array_equal(read_record(path, ("MLII",)).data[0], read_record(path).data[1])


@pytest.mark.data
def test_twelve_leads_with_gains_of_their_own(physionet):
    path = physionet / "ludb" / "data" / "1"
    if not path.with_suffix(".hea").is_file():
        pytest.skip(f"no {path}")
    read = read_record(path)
    assert read.data.shape == (12, 5000)
    assert read.fs == 500
    assert read.leads[:3] == ("i", "ii", "iii")
    header = wfdb.rdheader(str(path))
    assert len(set(header.adc_gain)) > 6
    expected = (np.array(header.init_value) - header.baseline) / header.adc_gain
    np.testing.assert_allclose(read.data[:, 0], expected, rtol=1e-5)
