"""What a person sees without a display."""

import io
from dataclasses import replace

import numpy as np
import pytest
from job_tools import job_of
from rich.console import Console

from engine.lab.evaluate.conformance.waves import FINE_HZ, ecg
from engine.marks import Mark
from engine.messages import Cleaned, Gap
from engine.run.protocol import CleanSettings, Setup, Started, StartedStream, Status
from engine.run.session import Session
from gui.terminal.braille import braille
from gui.terminal.history import History
from gui.terminal.picture import save_picture
from gui.terminal.view import TerminalView, describe
from streamer.chunk import StreamInfo
from streamer.several import EVERY

INFO = StreamInfo(360.0, ("II", "V1"), "made", "made")
FIRST = StartedStream(INFO, Setup(CleanSettings("unet", "onnx", 300.0, 38.9), 338.9))


def message(start, samples):
    raw = np.tile(np.asarray(samples, np.float32), (2, 1))
    marks = np.zeros(raw.shape, np.uint8)
    return Cleaned("made", start, raw, 2 * raw, 4 * raw * raw, None, marks, np.zeros(raw.shape[1]), ())


def dots(text):
    """Where braille text has dots, as a boolean picture."""
    picture = []
    for line in text.split("\n"):
        codes = np.array([ord(sign) - 0x2800 for sign in line])
        bits = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
        for left, right in bits:
            picture.append(np.stack([codes & left, codes & right], axis=1).ravel() > 0)
    return np.array(picture)


def test_braille_draws_a_ramp_from_the_lower_left_to_the_upper_right():
    picture = dots(braille(np.linspace(-1, 1, 400, dtype=np.float32), 20, 5, -1, 1))
    assert picture.shape == (20, 40)
    heights = [np.flatnonzero(column).mean() for column in picture.T]
    assert (np.diff(heights) <= 0).all()
    assert heights[0] - heights[-1] > 18
    assert picture[-1, 0]
    assert picture[0, -1]


def test_braille_never_loses_a_spike_of_one_sample():
    trace = np.zeros(3600, np.float32)
    trace[1234] = 1
    picture = dots(braille(trace, 40, 4, -1, 1))
    assert picture[0].sum() == 1
    assert np.flatnonzero(picture[0])[0] == 1234 * 80 // 3600


def test_braille_leaves_missing_samples_blank_and_keeps_the_rest_inside():
    trace = np.full(100, 5, np.float32)
    trace[:50] = np.nan
    picture = dots(braille(trace, 10, 2, -1, 1))
    assert not picture[:, :10].any()
    assert picture[0, 10:].all()


def test_history_keeps_time():
    history = History(INFO, seconds=1.0)
    history.push(message(0, np.arange(1, 11)))
    history.push(Gap("made", 10, 15))
    history.push(message(15, np.arange(16, 21)))
    np.testing.assert_array_equal(history.raw[-20:-10], np.arange(1, 11))
    assert np.isnan(history.raw[-10:-5]).all()
    np.testing.assert_array_equal(history.raw[-5:], np.arange(16, 21))
    np.testing.assert_array_equal(history.cleaned[-5:], 2 * np.arange(16, 21))
    # Frames that the screen never got leave a hole as well.
    history.push(message(23, [24, 25]))
    np.testing.assert_array_equal(history.raw[-5:], [np.nan, np.nan, np.nan, 24, 25])
    history.push(message(25, np.arange(1000)))
    np.testing.assert_array_equal(history.raw, np.arange(640, 1000))


def test_history_finds_the_heart_rate():
    session = Session(job_of(heart_rate=84.0, seconds=15.0, speed=0))
    history = History(session.streams[0].info)
    session.run(show=history.push)
    raw, cleaned, words = history.heart_rates()
    assert raw == pytest.approx(84, abs=3)
    assert cleaned == pytest.approx(84, abs=3)
    assert words == ""


def test_history_counts_no_heart_rate_over_a_gap():
    session = Session(job_of(heart_rate=70.0, seconds=15.0, speed=0))
    history = History(session.streams[0].info)

    def with_a_hole(message):
        if not 3600 <= message.start < 4320:
            history.push(message)

    session.run(show=with_a_hole)
    raw, cleaned, _ = history.heart_rates()
    assert raw == pytest.approx(70, abs=4)
    assert cleaned == pytest.approx(70, abs=4)


def status(**changes):
    figures = {
        "seconds": 9.0,
        "samples_in": 3240,
        "gaps": 2,
        "gap_samples": 77,
        "snr_in_db": -0.4,
        "snr_out_db": 11.2,
        "delay_p50_ms": 330.0,
        "delay_p99_ms": 351.0,
        "deadline_misses": 3,
    }
    return Status(**{**figures, **changes})


def test_the_terminal_view_shows_every_figure():
    console = Console(width=110, record=True, file=io.StringIO())
    view = TerminalView(Started((FIRST,)), "unet", console)
    view.history.push(message(0, np.sin(np.arange(3600) / 20)))
    view.take(status(stream="made"))
    console.print(view.render())
    text = console.export_text()
    labels = ("II raw", "II cleaned", "360 Hz", "look-ahead 300 ms", "not for diagnosis")
    figures = ("-0.4", "+11.2 dB", "p50 330", "p99 351", "late 3", "gaps 2 (77 samples)")
    for words in labels + figures:
        assert words in text


def test_the_terminal_view_says_what_heart_rates_hide():
    """As the window does: bigeminy is irregular, a rate that only raw has disagrees, or is all there is."""
    beats = np.arange(20) // 2 + np.arange(20) % 2 * 0.4 + 0.5
    came = message(0, ecg(beats, 10.0)[:: FINE_HZ // 360])
    flat = replace(came, cleaned=0 * came.cleaned)
    one_missed = replace(came, cleaned=message(0, ecg(np.delete(beats, 9), 10.0)[:: FINE_HZ // 360]).raw)
    passed_on = replace(flat, marks=np.full_like(came.marks, Mark.BYPASSED))
    for shown, words in (
        (came, "cleaned 120 bpm · irregular, 100 to 150 bpm"),
        (flat, "cleaned -- bpm · raw and cleaned disagree"),
        (one_missed, "cleaned -- bpm · raw and cleaned disagree"),
        (passed_on, "cleaned -- bpm · irregular, 100 to 150 bpm"),
    ):
        console = Console(width=200, record=True, file=io.StringIO())
        view = TerminalView(Started((FIRST,)), "unet", console)
        view.take(status(stream="made"))
        view.history.push(shown)
        view.rate()
        console.print(view.render())
        assert words in console.export_text()


def test_the_terminal_view_says_that_every_stream_is_taken_and_how_many_there_are():
    console = Console(width=150, record=True, file=io.StringIO())
    started = Started((FIRST,), (EVERY,))
    view = TerminalView(started, "unet", console)
    joins = replace(FIRST, info=replace(INFO, name="other", source_id="other"))
    view.join(started.with_one_more(joins), "other has joined")
    console.print(view.render())
    assert "every ECG stream: 2 so far" in console.export_text()


def test_the_terminal_view_draws_the_first_stream_and_has_a_line_for_each():
    console = Console(width=150, record=True, file=io.StringIO())
    second = replace(FIRST, info=replace(INFO, name="other", source_id="other"))
    view = TerminalView(Started((FIRST, second)), "unet", console)
    view.take(message(0, np.ones(360)))
    other = message(0, np.zeros(360))
    other.stream = "other"
    view.take(other)
    np.testing.assert_array_equal(view.history.raw[-360:], 1)
    view.take(status(stream="made"))
    view.take(status(stream="other", state="LOST", sample_age_s=7.0, gaps=0, gap_samples=0))
    console.print(view.render())
    text = console.export_text()
    assert "made: SNR in -0.4" in text
    assert "other: LOST, newest sample 7.0 s ago" in text


def test_without_a_reference_no_snr_is_invented():
    assert "no reference" in describe(status(snr_in_db=float("nan"), snr_out_db=float("nan")))


def test_the_picture_of_a_run_has_traces_and_delays(tmp_path):
    session = Session(job_of(noise="em", seconds=4.0, speed=0))
    save_picture(session.run(), tmp_path / "run.png")
    from matplotlib.image import imread

    picture = imread(tmp_path / "run.png")[..., :3]
    assert picture.shape[1] > 1000
    coloured = (picture.max(axis=-1) - picture.min(axis=-1) > 0.2).mean()
    assert coloured > 0.005


def test_a_run_that_ended_at_once_still_has_a_picture(tmp_path):
    session = Session(job_of(seconds=1.0, speed=0))
    outcome = session.run(stopped=lambda: True)
    save_picture(outcome, tmp_path / "run.png")
    assert (tmp_path / "run.png").stat().st_size > 10_000
