"""Waves after cleaning, as `ecg-stream evaluate waves` measures them: marks, shapes, ST changes."""

import json
from pathlib import Path

import numpy as np
import pytest
import wfdb
from scipy import signal
from typer.testing import CliRunner

from ecg_stream.command_line import commands
from engine.lab.evaluate.waves.delineators import DELINEATORS, find_delineator
from engine.lab.evaluate.waves.marks import (
    P_ON,
    POINTS,
    QRS_OFF,
    QRS_ON,
    T_OFF,
    T_PEAK,
    OutlinedLead,
    R,
    bounds_of,
    outlined_leads,
)
from engine.lab.evaluate.waves.measures import heights, intervals, wave_fits
from engine.lab.evaluate.waves.report import markdown, summarise
from engine.lab.evaluate.waves.st_steps import AFTER_S, kept, moved_by, st_change, st_of
from engine.st_view import st_view_of
from models.benches.track_f import FS
from models.filters import butterworth, st_view
from streamer.chunk import Annotation
from streamer.errors import InputError
from streamer.records.record import clean_reference

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "waves"
BEATS = np.arange(400, 18_000 - 400, 300)
"""R peaks at `FS`, 72 a minute."""
WAVES = {
    "p": (-64, 0.15, 9.0, (-92, -36)),
    "N": (0, 1.0, 4.0, (-18, 18)),
    "t": (105, 0.3, 17.0, (55, 155)),
}
"""Where a wave peaks from R on, its height in mV, its width and its bounds, in samples at `FS`."""


def made_lead(p=1.0, t=1.0, p_late=0.0, samples=18_000):
    at = np.arange(samples)
    lead = np.zeros(samples)
    for beat in BEATS:
        for kind, (place, height, width, _) in WAVES.items():
            factor, late = {"p": (p, p_late), "t": (t, 0)}.get(kind, (1, 0))
            lead += factor * height * np.exp(-0.5 * ((at - beat - place - late) / width) ** 2)
    return lead.astype(np.float32)


def made_bounds():
    rows = np.full((len(BEATS), len(POINTS)), np.nan)
    for column, kind in zip((P_ON, QRS_ON, T_PEAK - 1), WAVES, strict=True):
        place, _, _, (on, off) = WAVES[kind]
        rows[:, column : column + 3] = BEATS[:, None] + np.array([on, place, off])
    return rows


def outlined(original=None):
    lead = made_lead() if original is None else original
    return OutlinedLead("made", lead, lead, made_bounds(), made_bounds(), 3600)


def marks(text, every=10):
    return tuple(Annotation(every * place, symbol) for place, symbol in enumerate(text))


def test_a_beat_has_the_marks_that_stand_around_its_waves():
    # Peaks without their begin or end; a T wave of two peaks; a P wave that is none of the next beat's.
    rows = bounds_of(marks("(p)(N)t)(N)(tt)pNt"), FS)
    assert len(rows) == 3
    nan = np.nan
    expected = [
        [0, 10, 20, 30, 40, 50, nan, 60, 70],
        [nan, nan, nan, 80, 90, 100, 110, 120, 140],
        [nan, 150, nan, nan, 160, nan, nan, 170, nan],
    ]
    np.testing.assert_array_equal(rows, expected)
    # The same marks of a record at 180 Hz lie twice as far on; what is too far from R is none of its waves.
    np.testing.assert_array_equal(bounds_of(marks("(p)(N)t)", 5), FS / 2)[0], rows[0])
    assert np.isnan(bounds_of(marks("(p)(N)t)", 150), FS)[0, [P_ON, T_OFF]]).all()


def test_intervals_and_heights_are_what_was_made():
    bounds, lead = made_bounds(), made_lead()
    for name, samples in {"P": 56, "PR": 74, "QRS": 36, "QT": 173}.items():
        np.testing.assert_allclose(intervals(bounds)[name], 1000 * samples / FS)
    lead[:] += np.float32(0.7)
    read = heights(lead, bounds)
    np.testing.assert_allclose(read["P height"], 149, atol=3)
    np.testing.assert_allclose(read["T height"], 298, atol=3)
    # 60 ms after J lie 65.4 samples before the T wave's peak.
    expected = 1000 * (lead[np.rint(bounds[:, QRS_OFF] + 21.6).astype(int)] - 0.7)
    np.testing.assert_allclose(read["ST J+60"], expected, atol=5)
    # Beyond the lead nothing is read.
    assert np.isnan(heights(lead[:1000], bounds)["T height"][-1])


def test_a_wave_half_as_high_and_late_is_said_to_be_so():
    rng = np.random.default_rng(1)
    reference = made_lead()
    drift = np.linspace(0, 3, len(reference))
    output = (made_lead(p=0.5, t=0.8) + drift).astype(np.float32)
    fits = wave_fits(output, reference, None, made_bounds(), "P")
    np.testing.assert_allclose(fits["height"], 0.5, atol=0.02)
    np.testing.assert_allclose(fits["r"], 1, atol=0.01)
    assert np.isnan(fits["doubt_uv"]).all()
    np.testing.assert_allclose(
        wave_fits(output, reference, None, made_bounds(), "T")["height"], 0.8, atol=0.01
    )
    late = made_lead(p_late=3.6)
    np.testing.assert_allclose(wave_fits(late, reference, None, made_bounds(), "P")["lag_ms"], 10, atol=0.3)
    np.testing.assert_allclose(wave_fits(late, reference, None, made_bounds(), "QRS")["lag_ms"], 0, atol=0.3)
    # A spread that is right covers 68 %.
    noisy = reference + rng.normal(0, 0.05, len(reference)).astype(np.float32)
    fits = wave_fits(noisy, reference, np.full(len(reference), 0.05, np.float32), made_bounds(), "T")
    assert np.nanmean(fits["held"]) == pytest.approx(0.683, abs=0.03)
    np.testing.assert_allclose(fits["doubt_uv"], 50, rtol=1e-3)


@pytest.mark.parametrize("name", DELINEATORS)
def test_a_delineator_finds_the_waves_of_each_beat_at_that_beat(name):
    """NeuroKit2 0.3.0 drops what lies before the lead, and so gives every beat the wave of the next one."""
    pytest.importorskip("neurokit2")
    lead, bounds = made_lead()[350:7000], made_bounds()
    beats = BEATS[(BEATS > 350) & (BEATS < 6600)] - 350
    found = find_delineator(name)(lead, beats)
    assert found.shape == (len(beats), len(POINTS))
    np.testing.assert_array_equal(found[:, R], beats)
    settled = beats > FS
    error = (found - (bounds[: len(beats)] - 350))[settled]
    assert np.abs(np.nanmedian(error[:, T_PEAK])) < 4
    # A beat apart is 300 samples; delineators differ in where a complex without Q and S ends.
    assert (np.abs(error[:, [QRS_ON, QRS_OFF]]) < 100).all()
    assert np.isnan(found[~settled][:, QRS_ON]).all()


def test_an_st_change_is_what_was_asked_for_and_only_there():
    lead = outlined()
    sudden = st_change(lead, "sudden", -0.2)
    assert not sudden[: 15 * 360].any()
    for seconds in (0.06, 0.08):
        st = st_of(sudden, lead.automatic, seconds)
        assert set(np.round(st, 3)) == {0.0, -0.2}
    slow = st_of(st_change(lead, "slow", 0.1), lead.automatic, 0.08)
    assert (np.diff(slow) >= -1e-6).all()
    assert slow.max() == pytest.approx(0.1, abs=1e-3)
    assert 0.02 < slow[BEATS / FS > 20][0] < 0.03


def test_what_is_kept_of_an_st_change_tells_filters_apart():
    """All by none and by the ST views, hardly less by 0.5 Hz without a delay, less by a faster one."""

    def fast(lead):
        return signal.sosfilt(signal.butter(2, 2, "highpass", fs=FS, output="sos"), lead).astype(np.float32)

    lead = outlined()
    added = st_change(lead, "sudden", 0.1)
    shares = {}
    for name, clean in {
        "identity": lambda x: x,
        "st view": st_view,
        "reference": lambda x: clean_reference(x[None], FS)[0],
        "fast high-pass": fast,
        "its ST view": lambda x: st_view_of(x, fast(x), FS),
    }.items():
        before, after = clean(lead.original), clean(lead.original + added)
        shares[name] = kept(lead, added, before, after, AFTER_S["later"])["J+80"]
    assert shares["identity"] == pytest.approx(1, abs=1e-4)
    assert shares["st view"] > 0.98
    assert 0.9 < shares["reference"] < 1.01
    assert shares["fast high-pass"] < 0.8
    assert shares["its ST view"] > 0.98


def test_the_st_view_hardly_moves_st_where_the_monitors_band_does():
    lead = outlined()
    assert abs(moved_by(lead, st_view(lead.original))["moved_uv"]["J+80"]) < 12
    assert abs(moved_by(lead, butterworth(lead.original[None, None])[0, 0])["moved_uv"]["J+80"]) > 30


@pytest.fixture(scope="module")
def marked_records(tmp_path_factory, write_record):
    """qtdb/ with a record of 50 s at 250 Hz, marked by a program, and from beat 12 on by a person."""
    folder = tmp_path_factory.mktemp("waves")
    lead = signal.resample_poly(made_lead(), 25, 36)
    path = write_record(folder / "qtdb", "sel1", lead[None], fs=250, leads=("ECG1",), gain=2000.0)
    for annotator, first in (("pu1", 0), ("q1c", 12)):
        places = [
            (round((beat + offset) / 1.44), symbol)
            for beat in BEATS[first:]
            for kind, (peak, _, _, (on, off)) in WAVES.items()
            for offset, symbol in ((on, "("), (peak, kind), (off, ")"))
        ]
        sample, symbol = zip(*places, strict=True)
        # wfdb writes no annotator with a digit in its name.
        wfdb.wrann("sel1", "made", np.array(sample), list(symbol), write_dir=str(path.parent))
        path.with_suffix(".made").rename(path.with_suffix(f".{annotator}"))
    rng = np.random.default_rng(0)
    for kind in ("bw", "em", "ma"):
        noise = signal.lfilter([1], [1, -0.95], rng.standard_normal((2, 648_000)))
        write_record(folder / "nstdb", kind, noise, leads=("noise1", "noise2"))
    return folder


def test_what_a_person_marked_is_measured_once_the_network_has_settled(marked_records):
    (lead,) = outlined_leads("qtdb", ("sel1",), marked_records)
    assert lead.measured.sum() == len(BEATS) - 12
    # 10 s before the first such beat, and as much of its waves as lies before R.
    assert lead.beats[lead.measured][0] == pytest.approx(10.5 * FS, abs=3)
    distance = lead.manual[lead.measured] - lead.automatic[lead.measured]
    assert np.nanmax(np.abs(distance)) == 0


def run(folder, *arguments):
    options = ["evaluate", "waves", "--data-dir", folder, "--jobs", "1", *arguments]
    return CliRunner().invoke(commands, [*map(str, options)])


def test_the_command_measures_what_passes_unchanged_as_unchanged(marked_records, tmp_path):
    pytest.importorskip("neurokit2")
    out = tmp_path / "out"
    options = [
        "--models",
        "identity,lowdelay",
        "--lookahead",
        "100",
        "--databases",
        "qtdb",
        "--records",
        "sel1",
    ]
    ran = run(marked_records, *options, "--delineators", "prominence", "--out", out)
    assert ran.exit_code == 0, ran.output
    report = json.loads((out / "waves.json").read_text())
    assert (out / "report.md").read_text() == markdown(report)
    of = {(row["system"], row["condition"], row["what"]): row for row in report["rows"]}
    for what in ("P height", "P r", "T height", "QRS height"):
        assert of["identity", "clean", what]["median"] == pytest.approx(1, abs=0.02)
    # Noise of 6 dB is there, and the network takes some of it away.
    noisy = {
        system: of[system, "em 6 dB", "ST J+80 at the marks"]["sd"] for system in ("identity", "lowdelay")
    }
    assert noisy["lowdelay"] < 0.7 * noisy["identity"]
    assert ("identity", "em 6 dB", "P known") not in of
    assert 0 <= of["lowdelay", "em 6 dB", "P known"]["mean"] <= 1
    st = {(row["system"], row["when"], row["mv"], row["point"]): row["median"] for row in report["st"]}
    assert st["identity", "sudden", 0.1, "J+80"] == pytest.approx(1, abs=1e-3)
    assert st["ST view 0.05 Hz", "later", 0.1, "J+80"] > 0.98


def test_st_alone_is_measured_in_slow_noise_too(marked_records, tmp_path):
    pytest.importorskip("neurokit2")
    out = tmp_path / "out"
    options = ["--models", "identity", "--st-alone", "--records", "sel1", "--databases", "qtdb"]
    ran = run(marked_records, *options, "--out", out)
    assert ran.exit_code == 0, ran.output
    report = json.loads((out / "waves.json").read_text())
    text = (out / "report.md").read_text()
    assert text == markdown(report)
    assert [line[4:] for line in text.splitlines() if line.startswith("### ")] == [
        "clean",
        "bw 0 dB",
        "em 6 dB",
    ]
    single = {
        row["condition"]: row["median"]
        for row in report["st"]
        if (row["system"], row["what"], row["point"]) == ("identity", "single", "J+80")
    }
    # What passes unchanged brings all of the noise to a single beat, and none where there is none.
    assert single["clean"] == pytest.approx(0, abs=1)
    assert min(single["bw 0 dB"], single["em 6 dB"]) > 20


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--databases", "mitdb"], "no database 'mitdb' with marked waves; there are qtdb, ludb"),
        (["--delineators", "cwt"], "no delineator 'cwt'; there are dwt, prominence"),
        (["--records", "1"], "--records names records of one database; say which with --databases"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, said, marked_records, tmp_path):
    pytest.importorskip("neurokit2")
    ran = run(marked_records, "--out", tmp_path, *options)
    assert isinstance(ran.exception, InputError)
    assert said in str(ran.exception)


def test_low_waves_are_not_counted_and_known_is_by_the_spread():
    beat = {"P height": 0.5, "P r": 1.0, "P doubt_uv": 10.0, "P height_uv": 100.0}
    low = beat | {"P height_uv": 29.0}
    unsure = beat | {"P doubt_uv": 26.0, "P height": 0.4}
    result = {"part": "waves", "system": "x", "lookahead_ms": 0, "database": "qtdb", "condition": "clean"}
    rows = summarise([result | {"rows": [{"lead": "a"} | each for each in (beat, low, unsure)]}])
    of = {row["what"]: row for row in rows}
    assert of["P height"]["beats"] == 2
    assert of["P known"]["mean"] == 0.5
    assert of["P height where known"]["median"] == 0.5


def test_the_page_says_what_was_measured():
    """The table of the page on quality is that of the committed result, and so is the report."""
    alone = RESULTS.with_name("st-view")
    st_alone = json.loads((alone / "waves.json").read_text(encoding="utf-8"))
    assert (alone / "report.md").read_text(encoding="utf-8") == markdown(st_alone)
    report = json.loads((RESULTS / "waves.json").read_text(encoding="utf-8"))
    assert (RESULTS / "report.md").read_text(encoding="utf-8") == markdown(report)
    of = {
        (row["condition"], row["lookahead_ms"], row["what"]): row
        for row in report["rows"]
        if (row["system"], row["database"]) == ("lowdelay", "qtdb")
    }
    page = (RESULTS.parents[1] / "quality.md").read_text(encoding="utf-8")
    cases = [("clean", 100), ("clean", 300), ("bw 0 dB", 100), ("ma 6 dB", 100)]
    for condition, ahead in [*cases, ("em 6 dB", 100), ("em 6 dB", 300), ("em 0 dB", 100)]:
        p, p_r, known, t, t_r = (
            of[condition, ahead, what] for what in ("P height", "P r", "P known", "T height", "T r")
        )
        these, late = of[condition, ahead, "P height where known"], of[condition, ahead, "QRS lag_ms"]
        st = of[condition, ahead, "ST J+80 at the marks"]
        low, high = st["mean"] - 1.96 * st["sd"], st["mean"] + 1.96 * st["sd"]
        line = (
            f"| {condition}, {ahead} ms | {p['median']:.0%}, {p_r['median']:.2f} | {known['mean']:.0%} | "
            f"{these['median']:.0%} | {t['median']:.0%}, {t_r['median']:.2f} | {late['p95']:.1f} ms | "
            f"{st['mean']:+.0f} ({low:+.0f} … {high:+.0f}) |"
        )
        assert line in page
