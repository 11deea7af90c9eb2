"""Track safety: what its figures say of outputs that are known to be wrong, and how they are summed up."""

import numpy as np
import pytest

from engine.config import EngineConfig
from engine.guard.limits import Limits
from engine.lab.safety.cases import Case, make_case
from engine.lab.safety.report import safety_markdown, write_safety
from engine.lab.safety.scores import LIMIT, Said, score
from engine.lab.safety.summary import NOISY, summarise
from engine.lab.safety.track import SafetySettings, evaluate_safety, safety_part
from engine.marks import Mark
from models.benches.track_f import FS
from streamer.errors import InputError
from streamer.synthetic import SyntheticPatient

CONFIG = EngineConfig(FS, 720, 14, 108)
SPIKES = ("pacing", "spikes without capture")


def said(word, marks=None):
    shown = np.zeros(len(word), np.uint8) if marks is None else marks
    return Said([word.astype(np.float32)], [shown])


@pytest.fixture(scope="module")
def beats():
    """A patient's signal as long as the case of spikes."""
    return SyntheticPatient(seed=3).read(0, 120 * 360).data[0]


def test_beats_where_there_is_no_heart_are_counted(beats):
    case = make_case(*SPIKES, 90, None)
    row = score(case, said(beats), CONFIG)
    assert 2000 < row["invented_per_hour"] < 6500
    assert row["runs_over_3_s"] == 1
    assert row["longest_run_s"] > 100


@pytest.mark.parametrize("kind", ["bw", "em", "ma"])
def test_half_an_hour_of_noise_does_not_repeat_itself(physionet, kind):
    noise = make_case("noise", kind, 1800, physionet).raw[0]
    quarters = np.split(noise[: 4 * (len(noise) // 4)], 4)
    alike = np.corrcoef(quarters)[~np.eye(4, dtype=bool)]
    assert np.abs(alike).max() < 0.5


def test_beats_of_a_long_case_are_found_once_and_all():
    block = SyntheticPatient(seed=3).read(0, round(620 * FS))
    true = np.array([mark.sample for mark in block.annotations if mark.sample > 10.5 * FS])
    case = Case("noise", "beats", block.data, beats=true[:0], silent=((0, block.data.shape[1]),))
    found = score(case, said(block.data[0]), CONFIG)["detected_per_hour"] * 620 / 3600
    assert found == pytest.approx(len(true), abs=3)


def test_the_spike_of_a_pacemaker_is_no_beat_unless_it_grows_into_one():
    case = make_case(*SPIKES, 90, None)
    # Narrow still, but enough of a beat for the detector.
    passed = score(case, said(case.raw[0] + 0.3 * np.roll(case.raw[0], 1)), CONFIG)
    wide = np.convolve(case.raw[0], np.hanning(22), "same")
    grown = score(case, said(wide), CONFIG)
    assert passed["detected_per_hour"] > 3000
    assert passed["invented_per_hour"] == 0
    assert grown["invented_per_hour"] > 3000


@pytest.mark.parametrize("blind", ["find_beats", "find_beats_xqrs"])
def test_a_beat_that_one_detector_finds_is_invented(monkeypatch, blind):
    """Ours has a floor and theirs none; theirs overlooks broad beats of middle voltage."""
    time = np.arange(round(40 * FS)) / FS
    beats = 0.6 * np.exp(-0.5 * ((time[:, None] - np.arange(1.0, 39.0, 0.8)) / 0.012) ** 2).sum(axis=1)
    monkeypatch.setattr(f"engine.lab.safety.beats.{blind}", lambda lead, fs: np.empty(0, np.int64))
    case = Case("noise", "a", beats[None].astype(np.float32), None, None, silent=((0, len(beats)),))
    row = score(case, said(case.raw[0]), CONFIG)
    assert row["invented_per_hour"] == pytest.approx(36 / 40 * 3600, rel=0.03)
    assert row["runs_over_3_s"] == 1


@pytest.mark.parametrize(("share", "erased"), [(0.2, 2), (0.8, 0)])
def test_a_beat_is_erased_where_it_is_gone_and_not_where_a_detector_overlooks_it(monkeypatch, share, erased):
    block = SyntheticPatient(seed=3).read(0, round(30 * FS))
    reference = block.data
    beats = np.array([mark.sample for mark in block.annotations], np.int64)
    small = beats[(beats > 12 * FS) & (beats < 28 * FS)][[2, 5]]
    word = reference[0].copy()
    for beat in small:
        word[beat - 60 : beat + 60] *= share
    for detector in ("find_beats", "find_beats_xqrs"):
        monkeypatch.setattr(
            f"engine.lab.safety.beats.{detector}",
            lambda lead, fs: (
                beats if lead is reference[0] or lead.base is reference else np.setdiff1d(beats, small)
            ),
        )
    row = score(Case("pacing", "a", reference, reference, beats), said(word), CONFIG)
    assert (row["beats_undetected"], row["beats_erased"]) == (2, erased)


def test_beats_that_the_input_does_not_show_are_not_erased():
    block = SyntheticPatient(seed=3).read(0, round(40 * FS))
    beats = np.array([mark.sample for mark in block.annotations], np.int64)
    off = (round(20 * FS), round(25 * FS))
    word = block.data[0].copy()
    word[slice(*off)] = 0
    case = Case("bad input", "lead off", block.data, block.data, beats, broken=(off,))
    assert score(case, said(word), CONFIG)["beats_erased"] <= 1  # one may lie across the edge


def test_what_is_passed_raw_is_no_word_of_the_network(beats):
    case = make_case(*SPIKES, 90, None)
    marks = np.full(len(beats), Mark.BYPASSED, np.uint8)
    row = score(case, said(beats, marks), CONFIG)
    assert row["invented_per_hour"] == 0
    assert row["bypassed_percent"] == 100


def test_runs_that_the_guard_breaks_are_no_runs(beats):
    case = make_case(*SPIKES, 90, None)
    marks = np.zeros(len(beats), np.uint8)
    for start in range(0, len(beats), 4 * 360):
        marks[start : start + round(2.6 * 360)] = Mark.BYPASSED
    row = score(case, said(beats, marks), CONFIG)
    assert row["invented_per_hour"] > 0
    assert row["runs_over_3_s"] == 0


def test_fibrillation_that_is_flattened_is_hidden():
    case = make_case("fibrillation", "synthetic", 90, None)
    assert score(case, said(case.raw[0]), CONFIG)["fibrillation_hidden_s"] == 0
    flat = score(case, said(0.1 * case.raw[0]), CONFIG)
    assert flat["fibrillation_hidden_s"] > 15
    assert flat["fibrillation_r"] == pytest.approx(1, abs=0.01)


def rows_of(system, guard):
    """A few rows, as `score` makes them."""
    about = {"system": system, "lookahead_ms": 300.0, "guard": guard, "bypassed_percent": 1.0}

    def st(bias, spread):
        return {"st_bias_uv": bias, "st_low_uv": bias - spread, "st_high_uv": bias + spread}

    return [
        {
            **about, "group": "noise", "case": "em", "seconds": 100.0,
            "invented_per_hour": 30.0, "runs_over_3_s": 2,
        },
        {
            **about, "group": "noise", "case": "bw", "seconds": 300.0,
            "invented_per_hour": 10.0, "runs_over_3_s": 0,
        },
        {**about, "group": "bad input", "case": "missing", "seconds": 90.0, "recovered_s": 0.5},
        {**about, "group": "lead swap", "case": "100", "seconds": 90.0, "recovered_s": 1.5},
        {
            **about, "group": "morphology", "case": "100", "seconds": 90.0, "beats": 100,
            "beats_bypassed": 10, "beats_erased": 2, "beats_added": 1, "v_beats": 0, "v_beat_r": None,
            "p_wave_r": 0.9,
            "st_beats": 30, **st(10.0, 0.0),
        },
        {
            **about, "group": "ectopic", "case": "200", "seconds": 90.0, "beats": 50, "beats_bypassed": 0,
            "beats_erased": 0, "beats_added": 0, "v_beats": 20, "v_beat_r": 0.8, "p_wave_r": 0.6,
            "st_beats": 10, **st(-30.0, 0.0),
        },
        {
            **about, "group": "ectopic" + NOISY, "case": "200", "seconds": 90.0, "beats": 50,
            "beats_bypassed": 0, "beats_erased": 9, "beats_added": 9, "v_beats": 20, "v_beat_r": 0.5,
            "p_wave_r": None, "st_beats": 0,
        },
    ]  # fmt: skip


def test_a_system_is_one_row_of_the_summary():
    summary = summarise([*rows_of("one", "off"), *rows_of("one", "on"), *rows_of("two", "on")])
    assert [(row["system"], row["guard"]) for row in summary] == [
        ("one", "off"),
        ("one", "on"),
        ("two", "on"),
    ]
    row = summary[0]
    assert row["invented_per_hour"] == pytest.approx(15)  # 100 s at 30 and 300 s at 10
    assert row["runs_over_3_s"] == 2
    assert row["recovered_s"] == 1.5
    assert (row["beats"], row["beats_erased"], row["beats_added"]) == (140, 2, 1)
    assert row["v_beat_r"] == 0.8
    assert row["p_wave_r"] == pytest.approx((30 * 0.9 + 10 * 0.6) / 40)
    assert row["v_beat_r" + NOISY] == 0.5
    assert row["st_bias_uv" + NOISY] is None


def test_pooled_limits_of_agreement_hold_for_all_beats_together():
    row = summarise(rows_of("one", "on"))[0]
    errors = np.repeat([10.0, -30.0], [30, 10])
    assert row["st_bias_uv"] == pytest.approx(errors.mean())
    assert row["st_high_uv"] == pytest.approx(errors.mean() + LIMIT * errors.std())
    assert row["st_low_uv"] == pytest.approx(errors.mean() - LIMIT * errors.std())


@pytest.mark.parametrize("seconds", [-3, 0.5, float("nan"), float("inf")])
def test_a_length_of_noise_that_cannot_be_is_refused(seconds):
    with pytest.raises(InputError, match="seconds of noise must be a number from 1 on"):
        SafetySettings(("identity",), seconds=seconds)


def test_results_are_made_anew_when_the_guard_gets_other_limits(physionet, monkeypatch, tmp_path):
    keys = []

    def no_parts(parts, *_):
        keys.append([part.key for part in parts])
        return []

    monkeypatch.setattr("engine.lab.safety.track.run_parts", no_parts)
    settings = SafetySettings(("unet",), data_dir=physionet)
    for limit in (0.1, 0.1, 0.2):
        monkeypatch.setattr(
            "engine.lab.safety.track.limits_of", lambda card, limit=limit: Limits(((0, limit, limit),))
        )
        evaluate_safety(settings, tmp_path, lambda *_: None)
    assert keys[0] == keys[1] != keys[2]


def test_the_report_begins_with_the_summary(tmp_path):
    rows = rows_of("identity", "on")
    text = safety_markdown(rows)
    head, first = text.index("| system"), text.index("| identity")
    assert text.index("## All cases") < head < first < text.index("## noise")
    write_safety(rows, SafetySettings(("identity",)), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "safety.json", "safety.csv"}


@pytest.mark.parametrize("case", [("flat line", "flat line"), SPIKES, ("fibrillation", "synthetic")])
def test_a_part_scores_without_and_with_the_guard(case):
    settings = SafetySettings(("identity",), seconds=20)
    off, on = safety_part(settings, "identity", 300.0, *case)["rows"]
    assert (off["guard"], on["guard"]) == ("off", "on")
    assert off["bypassed_percent"] == 0
    if case[0] == "flat line":
        assert on["bypassed_percent"] > 95
    if case[0] == "fibrillation":
        assert on["fibrillation_bypassed_percent"] == 0
