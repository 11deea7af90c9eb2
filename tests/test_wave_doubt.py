"""A wave that is smaller than the network's uncertainty of it is said to be unsure, and bears no number."""

import io
import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from gui_tools import message, started
from rich.console import Console

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.guard.wave_doubt import LEAST_MV, WaveDoubt, unsure_beats, unsure_of
from engine.lab.evaluate.conformance.waves import FINE_HZ, ecg
from engine.lab.replay import play
from engine.lab.safety.cases import noisy_record
from engine.marks import Mark
from engine.messages import Gap
from engine.pipeline import clean
from engine.run.protocol import Started
from gui.monitor import Monitor
from gui.terminal.history import History
from gui.terminal.view import TerminalView
from gui.vitals import BeatFinder
from models.registry import load_card
from streamer.heart_rate import UNSURE_BEATS

FS = 360
BEATS_S = np.arange(0.5, 10, 0.8)


def released(start, cleaned, spread, marks=None):
    """A message as the engine sends it, of one lead."""
    cleaned, spread = (
        np.broadcast_to(np.asarray(each, np.float32), np.shape(cleaned)) for each in (cleaned, spread)
    )
    return message(start, cleaned, spread=cleaned * cleaned + spread * spread, marks=marks)


def judged(messages, leads=1):
    """Of all samples from the first on, whether they are unsure; what was not judged is left out."""
    doubt = WaveDoubt(leads, FS)
    return {first: unsure for first, unsure in (doubt.push(each) for each in messages) if unsure.size}


def lead():
    return ecg(BEATS_S, 10.0)[:: FINE_HZ // FS].astype(np.float32)


def test_a_trace_that_is_there_is_judged_as_it_was_when_it_came():
    trace = lead()
    spread = np.where(np.arange(len(trace)) // 400 % 2, 0.01, 0.3).astype(np.float32)
    spread[1000:1100] = np.nan
    (came,) = judged([released(0, trace, np.nan_to_num(spread))]).values()
    there = unsure_of(trace, np.nan_to_num(spread), FS)
    assert there[: came.shape[1]].tolist() == came[0].tolist()
    assert 0.2 < there.mean() < 0.6
    # What the network did not make is not judged.
    assert not unsure_of(trace, spread, FS)[1008:1080].any()


@pytest.mark.parametrize(
    ("wave_mv", "spread_mv", "unsure"), [(0.11, 0.06, True), (0.13, 0.06, False), (0.0, 0.049, False)]
)
def test_a_wave_is_unsure_that_is_less_than_twice_its_spread(wave_mv, spread_mv, unsure):
    """Above a baseline of −0.3 mV, which has no wave of its own, and is therefore as unsure."""
    trace = np.full(1440, -0.3)
    trace[1088:1104] += wave_mv
    found = np.concatenate(list(judged([released(0, trace, spread_mv)]).values()), axis=1)[0]
    assert found[1080:1116].all() == found[1080:1116].any() == unsure
    assert found[:1080].all() == (2 * spread_mv > LEAST_MV)


@pytest.mark.parametrize("cut", [14, 35, 36, 100, 3599])
def test_any_cut_into_messages_is_judged_alike(cut):
    rng = np.random.default_rng(4)
    trace = rng.normal(0, 0.1, 3600)
    spread = np.repeat(rng.uniform(0, 0.2, 100), 36)
    whole = judged([released(0, trace, spread)])[0]
    parts = judged(released(at, trace[at : at + cut], spread[at : at + cut]) for at in range(0, 3600, cut))
    assert 0.1 < whole.mean() < 0.9
    np.testing.assert_array_equal(np.concatenate(list(parts.values()), axis=1), whole)


def test_what_the_network_did_not_make_is_not_judged_and_a_gap_starts_afresh():
    passed = np.where(np.arange(360) == 100, Mark.BYPASSED, Mark.CLEANED)
    after = released(500, np.zeros(100), 0.1)
    found = judged([released(0, np.zeros(360), 0.1, passed), Gap("test", 360, 500), after])
    assert list(found) == [0, 504]
    assert found[0][0, ::36].tolist() == [True, True, False] + 7 * [True]
    assert found[504].tolist() == [72 * [True]]


def test_a_beat_is_unsure_where_all_of_it_is():
    unsure = np.zeros(3600, np.bool_)
    unsure[1000:1036] = unsure[2000:2010] = unsure[:10] = True
    assert unsure_beats(np.array([2, 1018, 2005, 3599]), unsure, FS).tolist() == [False, True, False, False]
    assert unsure_beats(np.empty(0, np.int64), unsure, FS).size == 0


@pytest.mark.data
def test_electrode_motion_makes_p_waves_unsure_and_a_clean_record_never(physionet):
    """P waves that motion at 0 dB leaves a third of; QRS complexes stay, and of clean records everything."""
    signals, beats = {}, {}
    for name, noise in (("100", "none"), ("103", "none"), ("105", "em")):
        raw, beats[name] = noisy_record(name, (noise, 0.0), 20, physionet)
        signals[name] = raw
    card = load_card("lowdelay")
    backend = open_backend("auto", card)
    doubts = {name: WaveDoubt(len(raw), FS) for name, raw in signals.items()}
    found = {name: np.zeros(20 * FS, np.bool_) for name in signals}
    for each in clean(play(signals), EngineConfig.of(card.spec, 100.0, 40.0), backend):
        first, unsure = doubts[each.stream].push(each)
        found[each.stream][first : first + unsure.shape[1]] = unsure[0]
    backend.close()
    assert [found[name][2 * FS :].mean() < 0.001 for name in ("100", "103")] == 2 * [True]
    settled = beats["105"][beats["105"] > 2 * FS]
    p_waves = settled[:, None] + np.arange(round(-0.18 * FS), round(-0.1 * FS))
    assert found["105"][p_waves].mean() > 0.2
    assert not unsure_beats(settled, found["105"], FS).any()


def test_a_rate_that_would_rest_on_an_unsure_beat_is_withheld_and_the_terminal_says_so():
    trace = lead()
    spread = np.zeros(3600)
    spread[round(BEATS_S[6] * FS) - 36 : round(BEATS_S[6] * FS) + 36] = 3.0
    history = History(started().info)
    history.push(released(0, trace, 0.0))
    known = history.heart_rates()
    assert known.cleaned == known.raw == pytest.approx(75, abs=1)
    history = History(started().info)
    for at in range(0, 3600, 14):
        history.push(released(at, trace[at : at + 14], spread[at : at + 14]))
    assert history.unsure.mean() == pytest.approx(72 / 3600, abs=0.011)
    assert history.heart_rates() == (known.raw, None, UNSURE_BEATS)
    console = Console(
        width=110, record=True, file=io.StringIO(), color_system="truecolor", force_terminal=True
    )
    view = TerminalView(Started((started(),)), "unet", console)
    view.history = history
    console.print(view.render())
    shown = console.export_text(styles=True)
    assert "dim: wave unsure" in shown
    # Dim green, in as many columns as the stretch is long.
    assert 6 * 1 <= shown.count("\x1b[2;32m") <= 6 * 4


def test_the_window_says_so_too():
    monitor = Monitor(started())
    trace, spread = lead(), np.zeros(3600)
    spread[3024:3096] = 3.0
    monitor.take(released(at, trace[at : at + 36], spread[at : at + 36]) for at in range(0, 3600, 36))
    assert monitor.unsure([0]) == [True]
    finder = BeatFinder()
    finder.ask(monitor.buffer, 0)
    finder.close()
    monitor.take_vitals(finder.take())
    assert monitor.bpm == (pytest.approx(75, abs=1), None)
    assert monitor.rate_warning() == UNSURE_BEATS
    monitor.take([released(at, trace[:36], 0.0) for at in range(3600, 3600 + 720, 36)])
    assert monitor.unsure([0]) == [False]
