"""Settings, pause and recording change while a stream plays, and not one sample is lost."""

import threading
import time

import numpy as np
import pytest
import wfdb
from job_tools import job_of

from engine.ledger.stages import STAGES
from engine.marks import Mark
from engine.messages import Cleaned, Emitted, Gap
from engine.run.process import EngineProcess
from engine.run.protocol import CleanSettings, Refused, Status
from engine.run.session import Session
from streamer.errors import InputError
from streamer.noise import NoiseSettings


def session(model="unet", lookahead_ms=300.0, **source):
    source = {"noise": "em", "seconds": 12.0, "speed": 0.0, **source}
    return Session(job_of(model=model, lookahead_ms=lookahead_ms, **source))


def play(running, at):
    """Run; `at` maps the number of samples out to what is done then."""
    messages, out = [], 0
    waiting = dict(sorted(at.items()))

    def show(message):
        nonlocal out
        messages.append(message)
        out += message.raw.shape[1] if isinstance(message, Emitted) else 0
        for when in [when for when in waiting if when <= out]:
            waiting.pop(when)()

    return running.run(show=show), messages


def assert_each_once(messages, count):
    assert not [m for m in messages if isinstance(m, Gap)]
    index = np.concatenate([np.arange(m.start, m.stop) for m in messages])
    np.testing.assert_array_equal(index, np.arange(count))


@pytest.mark.parametrize("lookahead", [0.0, 100.0, 1000.0])
def test_a_retuned_stream_has_every_sample_once_and_in_order(lookahead):
    running = session()
    outcome, messages = play(
        running,
        {
            1000: lambda: running.retune(CleanSettings("unet", "onnx", lookahead, 40.0)),
            2500: lambda: running.retune(CleanSettings("unet", "onnx", 300.0, 25.0)),
        },
    )
    assert_each_once(messages, 12 * 360)
    assert outcome.summary.samples_lost == outcome.summary.gaps == 0
    assert outcome.summary.lookahead_ms == 300.0
    assert outcome.summary.hop_ms == 25.0
    # Raw is the source's own signal, whatever pipeline carried it.
    whole = np.concatenate([m.raw for m in messages], axis=1)
    _, untouched = play(session(), {})
    np.testing.assert_array_equal(whole, np.concatenate([m.raw for m in untouched], axis=1))


def test_look_aheads_and_networks_change_without_a_lost_sample():
    """Between the look-aheads of a network that keeps state, and to one that keeps none and back."""
    running = session("lowdelay", 100.0, seconds=20.0)
    changes = {
        900: ("lowdelay", 0.0, 40.0),
        1800: ("lowdelay", 300.0, 11.1),
        2700: ("unet", 300.0, 40.0),
        3600: ("lowdelay", 25.0, 100.0),
        4500: ("lowdelay", 100.0, 500.0),
        5400: ("lowdelay", 100.0, 40.0),
    }
    seen = []

    def change(model, lookahead, hop):
        setup = running.status().setup
        seen.append((setup.clean.model, setup.clean.lookahead_ms))
        running.retune(CleanSettings(model, "onnx", lookahead, hop))

    outcome, messages = play(
        running, {at: (lambda wanted=wanted: change(*wanted)) for at, wanted in changes.items()}
    )
    assert_each_once(messages, 20 * 360)
    assert outcome.summary.samples_in == outcome.summary.samples_out == 20 * 360
    assert outcome.summary.samples_lost == outcome.summary.gaps == 0
    assert [model for model, _ in seen] == ["lowdelay"] * 3 + ["unet"] + ["lowdelay"] * 2
    assert [ms for _, ms in seen] == pytest.approx([100.0, 0.0, 300.0, 300.0, 25.0, 100.0])
    # The cleaned signal goes on as well: where it changes hands there is no sample that is no number.
    assert np.isfinite(np.concatenate([m.cleaned for m in messages], axis=1)).all()
    whole = np.concatenate([m.raw for m in messages], axis=1)
    _, untouched = play(session("lowdelay", 100.0, seconds=20.0), {})
    np.testing.assert_array_equal(whole, np.concatenate([m.raw for m in untouched], axis=1))


def test_a_look_ahead_that_a_network_has_not_is_refused_and_the_old_goes_on():
    running = session("lowdelay", 100.0, seconds=6.0)

    def refuse():
        with pytest.raises(InputError, match=r"look-ahead of 400 ms is not possible; .* 0 to 300 ms"):
            running.retune(CleanSettings("lowdelay", "onnx", 400.0, 40.0))

    outcome, messages = play(running, {1000: refuse})
    assert_each_once(messages, 6 * 360)
    assert outcome.summary.lookahead_ms == pytest.approx(100.0)


def test_the_first_window_after_a_change_is_marked():
    running = session()
    _, messages = play(running, {2000: lambda: running.retune(CleanSettings("unet", "onnx", 100.0, 40.0))})
    marks = np.concatenate([m.marks[0] for m in messages])
    warming = np.flatnonzero(marks == Mark.WARMUP)
    later = warming[warming > 1500]
    assert later.size
    # It begins with the first sample after those that the old pipeline still held.
    assert 2000 <= later[0] <= 2000 + 108 + 3 * 14
    assert later[-1] - later[0] < 720


def test_a_change_restarts_the_delays_of_the_screen_but_not_the_summary():
    running = session(speed=1.0, seconds=6.0, ladder=False)
    statuses = []
    outcome, _ = play(
        running,
        {
            700: lambda: (
                statuses.append(running.status()),
                running.retune(CleanSettings("unet", "onnx", 0.0, 40.0)),
            ),
            1500: lambda: statuses.append(running.status()),
        },
    )
    before, after = statuses
    # The look-ahead's part: the whole grows while the machine is busy.
    assert before.delays.stages_ms["hold"] > 250
    assert after.delays.stages_ms["hold"] < 50
    assert after.setup.clean.lookahead_ms == 0.0
    assert after.setup.algorithmic_delay_ms == pytest.approx(1000 * 14 / 360)
    assert sum(after.delays.counts) < 1500
    assert outcome.summary.samples_lost == 0
    assert tuple(after.delays.stages_ms) == STAGES


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (CleanSettings("unet", "onnx", 5000.0, 40.0), "look-ahead of 5000.0 ms is not possible"),
        (CleanSettings("other", "onnx", 300.0, 40.0), "model 'other' is unknown"),
        (CleanSettings("unet", "abacus", 300.0, 40.0), "backend 'abacus' cannot be used"),
    ],
)
def test_what_cannot_be_used_is_refused_and_the_old_goes_on(wanted, message):
    running = session()

    def refuse():
        with pytest.raises(InputError, match=message):
            running.retune(wanted)

    outcome, messages = play(running, {1000: refuse})
    assert_each_once(messages, 12 * 360)
    assert outcome.summary.lookahead_ms == 300.0


def test_a_pause_holds_the_signal_and_loses_nothing():
    running = session(speed=1.0, seconds=3.0, ladder=False)
    turned = []

    def turn(on):
        running.pause(on)
        turned.append(time.perf_counter())

    def pause():
        turn(True)
        threading.Timer(0.8, turn, [False]).start()

    begun = time.perf_counter()
    outcome, messages = play(running, {400: pause})
    held = turned[1] - turned[0]
    assert time.perf_counter() - begun > 3.0 + held - 0.1
    assert_each_once(messages, 3 * 360)
    stamps = np.concatenate([m.source_time for m in messages])
    steps = np.diff(stamps)
    # One step as long as the pause; everywhere else the rate is the source's.
    assert steps.max() == pytest.approx(held, abs=0.1)
    assert np.sort(steps)[-2] == pytest.approx(1 / 360, rel=1e-3)
    # The user's pause is no delay of the engine's; what a busy machine adds is.
    delays = outcome.summary.streams[0].delay_ms
    assert delays.max < delays.algorithmic + 1000 * held


def test_the_screen_sees_raw_that_the_look_ahead_holds_back():
    running = session()
    _, messages = play(running, {})
    whole = np.concatenate([m.raw for m in messages], axis=1)
    previews = [m.preview() for m in messages]
    ahead = [p for p in previews if p.raw.shape[1]]
    assert len(ahead) > 0.9 * len(previews)
    for preview in ahead:
        assert preview.raw.shape[1] == 108
        np.testing.assert_array_equal(preview.raw, whole[:, preview.start : preview.stop])
    # The guess is no better than it can be, but it is of that stretch.
    middle = ahead[len(ahead) // 2]
    released = np.concatenate([m.cleaned for m in messages], axis=1)[:, middle.start : middle.stop]
    assert np.corrcoef(middle.cleaned[0, :50], released[0, :50])[0, 1] > 0.9


def test_of_a_network_that_keeps_state_the_screen_sees_raw_and_no_first_guess():
    """It says each sample once: when it leaves."""
    _, messages = play(session("lowdelay", 100.0, seconds=5.0), {})
    whole = np.concatenate([m.raw for m in messages], axis=1)
    ahead = [preview for m in messages if (preview := m.preview()).raw.shape[1]]
    assert len(ahead) > 0.9 * len(messages)
    for preview in ahead:
        assert preview.raw.shape == preview.cleaned.shape == (1, 36)
        np.testing.assert_array_equal(preview.raw, whole[:, preview.start : preview.stop])
        assert np.isnan(preview.cleaned).all()


def test_recording_begins_and_ends_while_it_plays(tmp_path):
    running = session()
    states = []
    outcome, messages = play(
        running,
        {
            1000: lambda: running.record(tmp_path),
            1500: lambda: states.append(running.status().recording),
            3000: lambda: running.record(None),
            3500: lambda: states.append(running.status().recording),
        },
    )
    assert states[0] is not None
    assert states[1] is None
    path = outcome.summary.streams[0].recording
    record = wfdb.rdrecord(path)
    cleaned = np.concatenate([m.cleaned for m in messages], axis=1)[0]
    length = record.sig_len
    assert 1900 < length < 2100
    matches = [
        offset
        for offset in range(900, 1100)
        if np.allclose(cleaned[offset : offset + length], record.p_signal[:, 1], atol=0.00051)
    ]
    assert len(matches) == 1


def collect(engine, until, timeout=30.0):
    frames, ends = [], time.monotonic() + timeout
    while time.monotonic() < ends:
        outcome = engine.finished(0.02)
        frames += engine.frames()
        if until(frames) or outcome:
            return frames, outcome
    raise TimeoutError(f"not seen in {timeout} s")


def test_the_engine_process_follows_every_command_and_survives_bad_ones(tmp_path):
    job = job_of(noise="em", speed=1.0)
    with EngineProcess(job) as engine:
        engine.wait_started()

        def has(kind, test):
            return lambda frames: any(isinstance(f, kind) and test(f) for f in frames)

        engine.retune(CleanSettings("unet", "onnx", 9999.0, 40.0))
        collect(engine, has(Refused, lambda f: "look-ahead" in f.reason))
        engine.retune(CleanSettings("unet", "onnx", 100.0, 40.0))
        collect(engine, has(Status, lambda f: f.setup.clean.lookahead_ms == 100.0))
        engine.record(tmp_path)
        collect(engine, has(Status, lambda f: f.recording is not None))
        engine.record(None)
        collect(engine, has(Status, lambda f: f.recording is None))
        engine.set_noise(NoiseSettings({"ma": 1.0}, 20.0))
        engine.pause(True)
        # What was on its way still comes; then nothing does.
        ends = time.monotonic() + 60
        while True:
            time.sleep(0.3)
            if not [f for f in engine.frames() if isinstance(f, Cleaned)]:
                break
            assert time.monotonic() < ends
        # A held engine must still end when it is asked to.
        engine.stop()
        _, outcome = collect(engine, lambda frames: False)
    assert outcome.summary.samples_lost == outcome.summary.gaps == 0
    assert outcome.summary.streams[0].noise == {"ma": 1.0}
    assert list(tmp_path.glob("*.dat"))
