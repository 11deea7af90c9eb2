"""Cleaning tables whose columns say when samples were taken, and in which units."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from file_tools import cleaned_of, ecg, refused_of, right, sidecar_of

from engine.files.opened import Stated
from engine.files.played import open_played
from engine.files.sample_times import SampleTimes, column_of_times, seconds_of
from streamer.errors import InputError
from streamer.settings import SourceSettings

FS = 360
HOLE = slice(1000, 1400)
FILE = Path("a.csv")


def with_hole(texts, values, head="time,II", separator=","):
    """A table of times and values whose rows of `HOLE` were never recorded."""
    rows = [f"{at}{separator}{value:.4f}" for at, value in zip(texts, values, strict=True)]
    return "\n".join([head, *rows[: HOLE.start], *rows[HOLE.stop :]]) + "\n"


def expected(values):
    """What becomes of the rows that are there, where the hole is known."""
    signal = np.round(values, 4)
    signal[HOLE] = np.nan
    return np.delete(right(signal[None], FS)[0], np.r_[HOLE])


@pytest.mark.parametrize(
    ("write", "head", "stated"),
    [
        (lambda at: f"{at / FS:.3f}", "time,II", {"time_unit": "s"}),
        (lambda at: f"{1000 * at / FS:.0f}", "time (ms),II", {}),
        (lambda at: f"{at / FS * 1e6:.0f}", "t_us,II", {}),
        (lambda at: f"{at / FS:.3f}", "Timestamp,II", {"rate": FS}),
        (lambda at: f"{at / FS:.3f}", "when,II", {"time": "when", "time_unit": "s"}),
        (lambda at: str(datetime(2026, 3, 1) + timedelta(seconds=at / FS)), "timestamp,II", {}),
        (lambda at: f"0:{at // 21600:02d}:{at / FS % 60:06.3f}", "Time,II", {}),
    ],
    ids=["seconds", "ms", "us", "by-rate", "named", "iso", "clock"],
)
def test_rate_and_gaps_are_those_of_the_column_of_times(write, head, stated, tmp_path):
    values = ecg(10, 1)[0]
    file = tmp_path / "a.csv"
    file.write_text(with_hole([write(at) for at in range(len(values))], values, head))
    target = cleaned_of(file, tmp_path / "out", unit="mV", **stated)
    before, after = (pd.read_csv(each) for each in (file, target))
    assert after.iloc[:, 0].equals(before.iloc[:, 0])
    # The second half lies where its times say: not a sample is cleaned across the hole.
    np.testing.assert_allclose(after["II"], expected(values), atol=0.51e-4)


def test_where_no_column_is_one_of_times_the_rate_is_stated(tmp_path):
    values = ecg(5, 1)[0]
    file = tmp_path / "a.csv"
    file.write_text(with_hole(["7"] * len(values), values))
    target = cleaned_of(file, tmp_path / "out", rate=FS, unit="mV", time="none")
    wanted = right(np.delete(np.round(values, 4), np.r_[HOLE])[None], FS)[0]
    np.testing.assert_allclose(pd.read_csv(target)["II"], wanted, atol=0.51e-4)


def test_comments_heads_with_units_and_a_decimal_comma_come_out_as_they_went_in(tmp_path):
    values = ecg(5, 1, 250)[0]
    rows = [f"{at / 250:.3f};{1000 * value:.1f};98,5".replace(".", ",") for at, value in enumerate(values)]
    file = tmp_path / "a.csv"
    file.write_text("\n".join(["# a device", "# 2026", "Zeit (s);II [uV];SpO2 (%)", *rows]) + "\n")
    target = cleaned_of(file, tmp_path / "out", delimiter=";", decimal=",")
    assert target.read_text().splitlines()[:3] == file.read_text().splitlines()[:3]
    before, after = (pd.read_csv(each, sep=";", decimal=",", comment="#") for each in (file, target))
    wanted = 1000 * right(before["II [uV]"].to_numpy()[None] / 1000, 250)[0]
    np.testing.assert_allclose(after["II [uV]"], wanted, atol=0.051)
    assert after["SpO2 (%)"].equals(before["SpO2 (%)"])
    assert set(sidecar_of(target)["channels"]) == {"II"}


@pytest.mark.parametrize(
    ("text", "stated", "said"),
    [
        ("time,II\n0,1\n1,2\n2,1\n", {"unit": "mV"}, "does not say its unit; state it with --time-unit"),
        ("time,II\n0,1\n1,2\n2,1\n", {"unit": "mV", "rate": 250}, "in no unit are 250 Hz"),
        ("time_ms,II\n0,1\n2,2\n4,1\n", {"unit": "mV", "rate": 250}, "says 500 Hz, and --rate 250"),
        ("time_s,II\n0,1\n0,2\n1,1\n", {"unit": "mV"}, "that of sample 2 does not lie behind"),
        ("time_s,II\n0,1\n,2\n1,1\n", {"unit": "mV"}, "that of sample 2 does not lie behind"),
        ("time_s,II\n0,1\n", {"unit": "mV"}, "too few samples to tell a rate"),
        ("time_s,II\n0,1\n1,2\n9e9,1\n", {"unit": "mV"}, "more than 31 days"),
        ("II\n1\n", {"unit": "mV", "time": "t"}, "no column 't' for --time; it has: II"),
        ("II,V5 (mV)\n1,2\n", {"rate": 250}, "does not say its unit; state it with --unit"),
        ("II\n1,5\n", {"unit": "mV", "rate": 250, "decimal": ","}, "state another --delimiter"),
        (
            "II;V5\n1.5;2\n",
            {"unit": "mV", "rate": 250, "decimal": ",", "delimiter": ";"},
            "which is no number",
        ),
    ],
)
def test_times_and_units_that_cannot_be_are_one_clear_line(text, stated, said, tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    assert said in refused_of(file, tmp_path / "out", **stated)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("time-unit=min", "--time-unit is 'min'"),
        ("delimiter=ab", "--delimiter is 'ab'"),
        ("decimal=x", "--decimal is 'x'"),
    ],
)
def test_a_file_that_plays_is_stated_as_one_that_is_cleaned(option, said, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("time,II\n0,1\n1,2\n2,1\n")
    with pytest.raises(InputError, match=said):
        open_played(SourceSettings(kind=f"file:rate=250,unit=mV,{option}", record=str(file)))


def test_times_may_come_in_any_blocks():
    times = np.delete(np.arange(5000), np.r_[HOLE]) / FS
    found = []
    for size in (1, 7, 999, 5000):
        each = SampleTimes(FILE, "time", Stated(time_unit="s"))
        for start in range(0, len(times), size):
            each.add(np.round(times[start : start + size], 3))
        found.append(each.end())
    assert found == [found[0]] * 4
    assert found[0] == (FS, [(0, 0, 1000), (1400, 1000, 3600)])


@pytest.mark.parametrize(
    ("names", "stated", "place"),
    [
        (["II", "Time (s)"], Stated(), 1),
        (["II", "elapsed_time"], Stated(), 1),
        (["II", "resptime"], Stated(), None),
        (["II", "time"], Stated(time="none"), None),
        (["II", "time"], Stated(time="II"), 0),
    ],
)
def test_the_column_of_times_is_stated_or_called_so(names, stated, place):
    assert column_of_times(FILE, names, stated) == place


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1:02.5", 62.5), ("'1:00:00.004'", 3600.004), ("1970-01-01T00:00:01+00:00", 1.0), ("noon", None)],
)
def test_written_moments_are_read(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("kind", ["timestamp", "duration", "milliseconds"])
def test_a_parquet_file_says_its_times_too(kind, tmp_path):
    pytest.importorskip("pyarrow")
    values = ecg(10, 1)[0]
    moments = np.round(np.arange(len(values)) / FS * 1e9).astype(np.int64)
    times = {
        "timestamp": pd.to_datetime(1_700_000_000_000_000_000 + moments),
        "duration": pd.to_timedelta(moments),
        "milliseconds": moments / 1e6,
    }[kind]
    frame = pd.DataFrame(
        {"time_ms" if kind == "milliseconds" else "at": times, "II (mV)": np.round(values, 4)}
    )
    file = tmp_path / "a.parquet"
    frame.drop(index=range(HOLE.start, HOLE.stop)).to_parquet(file, row_group_size=777)
    target = cleaned_of(file, tmp_path / "out")
    np.testing.assert_allclose(pd.read_parquet(target)["II (mV)"], expected(values), atol=1e-6)
