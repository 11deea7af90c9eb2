"""A whole run, in this process and in one of its own."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path

import numpy as np
import pytest
import wfdb
from job_tools import job_of

from engine.ledger.stages import STAGES
from engine.messages import Cleaned, Gap
from engine.run.ctrl_c import ctrl_c_waits
from engine.run.failure import EngineFailure
from engine.run.process import EngineProcess
from engine.run.protocol import Outcome, Status
from engine.run.session import Session
from streamer.errors import InputError
from streamer.noise import NoiseSettings


def job(**changes):
    return job_of(**{"noise": "em", "snr": 0.0, "seconds": 5.0, "speed": 0.0} | changes)


def run(**changes):
    messages = []
    outcome = Session(job(**changes)).run(show=messages.append)
    return outcome, messages


def output(messages, name="cleaned"):
    return np.concatenate([getattr(m, name) for m in messages if isinstance(m, Cleaned)], axis=1)


def test_every_sample_is_accounted_for_and_the_summary_says_so():
    outcome, messages = run(seconds=25.0)
    summary = outcome.summary
    assert summary.samples_in == summary.samples_out == summary.source_samples == 9000
    assert output(messages).shape == (1, 9000)
    assert summary.samples_lost == summary.gaps == summary.gap_samples == 0
    assert sum(summary.streams[0].marks.values()) == 9000
    assert summary.streams[0].marks["bypassed"] == summary.streams[0].marks["missing"] == 0
    assert set(summary.streams[0].ledger_ms) == set(STAGES)
    assert summary.streams[0].delay_ms.algorithmic == pytest.approx(1000 * (36 + 16) / 360)
    delay = summary.streams[0].delay_ms
    assert 0 < delay.p50 <= delay.p95 <= delay.p99 <= delay.max
    assert (summary.model, summary.backend) == ("lowdelay", "onnx")
    assert summary.streams[0].realtime_factor > 0
    assert summary.streams[0].cold_start_s > 0


def test_the_snr_of_the_summary_is_that_of_the_samples_less_the_warm_up():
    outcome, messages = run(seconds=25.0)
    raw, cleaned, reference = (output(messages, name)[:, 3600:] for name in ("raw", "cleaned", "reference"))
    assert outcome.summary.streams[0].snr_in_db == pytest.approx(
        10 * np.log10(reference.var() / (raw - reference).var()), abs=1e-3
    )
    expected = 10 * np.log10(reference.var() / (cleaned - reference).var())
    assert outcome.summary.streams[0].snr_out_db == pytest.approx(expected, abs=1e-3)
    assert outcome.summary.streams[0].rmse_mv == pytest.approx((cleaned - reference).std(), abs=1e-5)


def test_a_short_run_is_scored_whole():
    outcome, messages = run(seconds=8.0)
    assert outcome.summary.streams[0].snr_in_db == pytest.approx(0.0, abs=0.01)
    raw, reference = output(messages, "raw"), output(messages, "reference")
    assert 10 * np.log10(reference.var() / (raw - reference).var()) == pytest.approx(0.0, abs=0.01)


def test_the_default_network_cleans():
    outcome, _ = run(seconds=30.0)
    assert outcome.summary.streams[0].snr_out_db > outcome.summary.streams[0].snr_in_db + 5


@pytest.mark.parametrize("model", ["unet", "lowdelay"])
def test_as_fast_as_possible_gives_the_samples_of_real_time(model):
    # On a busy machine the ladder would take the network's place.
    _, fast = run(seconds=2.0, speed=0.0, model=model, ladder=False)
    _, real = run(seconds=2.0, speed=1.0, model=model, ladder=False)
    np.testing.assert_array_equal(output(fast), output(real))
    np.testing.assert_array_equal(output(fast, "spread"), output(real, "spread"))


def test_real_time_takes_real_time_and_its_delay_is_the_promised_one():
    started = time.perf_counter()
    outcome, _ = run(seconds=3.0, speed=1.0, lookahead_ms=100.0)
    assert time.perf_counter() - started >= 3.0
    delay = outcome.summary.streams[0].delay_ms
    # No sample leaves before its look-ahead has passed, but for the last ones, which are flushed.
    assert delay.p50 > 100.0


def test_noise_can_change_while_it_plays():
    session = Session(job(seconds=20.0))
    count = 0
    raw, reference = [], []

    def show(message):
        nonlocal count
        raw.append(message.raw)
        reference.append(message.reference)
        count += message.raw.shape[1]
        if 3600 <= count < 3614:
            session.set_noise(NoiseSettings({"em": 1.0}, snr_db=40.0))

    summary = session.run(show=show).summary
    noise = np.concatenate(raw, axis=1) - np.concatenate(reference, axis=1)
    # Chunks that were read before the change still carry the old level.
    assert noise[:, 4000:].std() < 0.05 * noise[:, :3600].std()
    assert summary.streams[0].noise_snr_db == 40.0
    assert summary.samples_lost == 0


def test_another_rate_leaves_as_it_came_and_its_delay_is_counted(tmp_path):
    data = np.sin(np.arange(5000) / 250 * 2 * np.pi * 3)[:, None]
    wfdb.wrsamp(
        "r250", 250, ["mV"], ["II"], data, fmt=["16"], adc_gain=[1000], baseline=[0], write_dir=str(tmp_path)
    )
    outcome, messages = run(kind="replay", record="r250", data_dir=tmp_path, noise="none", seconds=None)
    summary = outcome.summary
    assert summary.samples_in == summary.samples_out == summary.source_samples == 5000
    # To the network's rate and back.
    assert summary.streams[0].delay_ms.algorithmic > 1000 * (36 + 16) / 360 + 2 * 10
    np.testing.assert_allclose(output(messages, "raw"), data.T, atol=0.0006)
    assert summary.streams[0].fs_hz == 250


def test_stopping_cleans_what_was_read():
    read = 0

    def stopped():
        nonlocal read
        read += 1
        return read >= 50

    session = Session(job(seconds=100.0))
    summary = session.run(stopped).summary
    assert summary.samples_in == summary.samples_out == 200


def test_a_recording_holds_the_run(tmp_path):
    messages = []
    session = Session(job(save=tmp_path))
    summary = session.run(show=messages.append).summary
    record = wfdb.rdrecord(summary.streams[0].recording)
    np.testing.assert_allclose(record.p_signal[:, 1], output(messages)[0], atol=0.00051)
    np.testing.assert_allclose(record.p_signal[:, 2], output(messages, "reference")[0], atol=0.00051)


def test_missing_samples_of_a_record_are_neither_shown_nor_scored(tmp_path):
    data = np.sin(np.arange(7200) / 50)[:, None]
    data[3000:3100] = np.nan
    # A database of clean ECGs: of other records no reference is known.
    folder = tmp_path / "mitdb"
    folder.mkdir()
    wfdb.wrsamp(
        "holes", 360, ["mV"], ["II"], data, fmt=["16"], adc_gain=[1000], baseline=[0], write_dir=str(folder)
    )
    outcome, messages = run(kind="replay", record="holes", data_dir=tmp_path, noise="none", seconds=None)
    assert outcome.summary.streams[0].marks["missing"] == 100
    assert outcome.summary.samples_out == 7200
    np.testing.assert_array_equal(np.isnan(output(messages)[0]), np.isnan(data[:, 0]))
    assert math.isfinite(outcome.summary.streams[0].snr_out_db)


def finish(engine, timeout=60.0):
    ends = time.monotonic() + timeout
    frames = []
    while time.monotonic() < ends:
        outcome = engine.finished(0.05)
        frames += engine.frames()
        if outcome:
            return outcome, frames
    raise TimeoutError("the engine did not finish")


def test_the_engine_process_gives_the_samples_of_the_session():
    with EngineProcess(job()) as engine:
        started = engine.wait_started()
        assert [each.info.leads for each in started.streams] == [("II",)]
        assert started.streams[0].setup.algorithmic_delay_ms == pytest.approx(1000 * 52 / 360)
        outcome, _ = finish(engine)
    assert isinstance(outcome, Outcome)
    _, messages = run()
    kept = np.concatenate([trace.cleaned for trace in outcome.streams[0].traces], axis=1)
    np.testing.assert_array_equal(kept, output(messages)[:, -kept.shape[1] :])


def test_the_screen_gets_frames_and_figures_while_it_plays():
    with EngineProcess(job(seconds=3.0, speed=1.0)) as engine:
        engine.wait_started()
        outcome, frames = finish(engine)
    shown = output(frames, "raw")
    assert shown.shape[1] > 0.8 * 3 * 360
    assert not any(isinstance(frame, Gap) for frame in frames)
    figures = [frame for frame in frames if isinstance(frame, Status)]
    assert len(figures) >= 4
    assert figures[-1].delay_p50_ms > 100
    assert outcome.summary.samples_out == 1080


def test_nobody_watching_slows_nothing():
    with EngineProcess(job(seconds=40.0)) as engine:
        engine.wait_started()
        ends = time.monotonic() + 60
        while not (outcome := engine.finished(0.1)):
            assert time.monotonic() < ends
    assert outcome.summary.samples_out == 40 * 360


def test_stop_ends_an_endless_run():
    with EngineProcess(job(seconds=None, speed=1.0)) as engine:
        engine.wait_started()
        time.sleep(0.5)
        engine.stop()
        outcome, _ = finish(engine)
    assert outcome.summary.samples_in == outcome.summary.samples_out > 0


def test_leaving_ends_the_process():
    with EngineProcess(job(seconds=None, speed=1.0)) as engine:
        engine.wait_started()
        pid = engine.pid
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_cannot_be_played_is_raised_here():
    with (
        EngineProcess(job(kind="replay", record="none", data_dir=Path("/"))) as engine,
        pytest.raises(InputError, match="'none'"),
    ):
        engine.wait_started()


@pytest.fixture
def hears_ctrl_c():
    """Also where these tests run in the background, where a shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=["alone", "beside a thread"])
def threads(request):
    """Nothing, or a thread that takes the signals that this one does not."""
    done = threading.Event()
    beside = threading.Thread(target=done.wait)
    if request.param != "alone":
        beside.start()
    yield
    done.set()
    if beside.ident:
        beside.join()


def test_ctrl_c_while_a_process_starts_is_heard_behind_that(hears_ctrl_c, threads):
    said = []

    def pressed():
        os.kill(os.getpid(), signal.SIGINT)
        child = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('still here')"
        said.append(subprocess.check_output([sys.executable, "-c", child], text=True))

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with pytest.raises(KeyboardInterrupt), ctrl_c_waits():
        pressed()
    assert said == ["still here\n"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
    with ctrl_c_waits():
        pass


def test_ctrl_c_while_the_engine_starts_is_heard_when_it_has(hears_ctrl_c, monkeypatch):
    started = []

    def pressed(process):
        os.kill(os.getpid(), signal.SIGINT)
        start(process)
        started.append(process)

    start = SpawnProcess.start
    monkeypatch.setattr(SpawnProcess, "start", pressed)
    with pytest.raises(KeyboardInterrupt):
        EngineProcess(job(seconds=None, speed=1.0))
    assert [process.exitcode for process in started] == [-signal.SIGKILL]


def test_a_killed_engine_is_reported():
    with EngineProcess(job(seconds=None, speed=1.0)) as engine:
        engine.wait_started()
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(EngineFailure, match="without a word"):
            finish(engine)


ORPHAN = """
import sys
sys.path.insert(0, sys.argv[1])
from test_session import job
from engine.run.process import EngineProcess
if __name__ == "__main__":
    engine = EngineProcess(job(seconds=None, speed=1.0))
    engine.wait_started()
    print(engine.pid, flush=True)
    import time
    time.sleep(60)
"""


def test_an_engine_does_not_outlive_its_parent(tmp_path):
    script = tmp_path / "orphan.py"
    script.write_text(ORPHAN)
    parent = subprocess.Popen(
        [sys.executable, str(script), os.path.dirname(__file__)], stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError(f"engine {pid} still runs")
