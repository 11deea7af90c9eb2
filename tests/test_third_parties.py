"""Programs of other houses as our clients and as our devices: each sample that they send or read."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from file_tools import cleaned_of
from job_tools import job_of
from lsl_outlets import Device, running

from engine.lab.profile.lsl_path import Tap
from engine.messages import Emitted
from engine.run.session import Session
from streamer.lsl.settings import LslSettings
from streamer.settings import SourceSettings

HERE = Path(__file__).with_name("third_parties")
SECONDS = 6


def needs(*modules):
    missing = [module for module in modules if find_spec(module) is None]
    return pytest.mark.skipif(
        bool(missing), reason=f"{', '.join(missing)} is not installed (pip install -e '.[thirdparty]')"
    )


@contextmanager
def program(name, *arguments):
    """A program of `third_parties` that is ready; its input is closed at last, and it must end well."""
    with subprocess.Popen(
        [sys.executable, str(HERE / name), *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ,
    ) as process:  # fmt: skip
        try:
            assert b"ready\n" in iter(process.stdout.readline, b""), f"{name} ended before it was ready"
            yield
            # It ends with its input; what it says then must not fill the pipe.
            process.communicate(timeout=60)
            assert process.returncode == 0
        finally:
            process.kill()


def source(name, *leads, **options):
    return SourceSettings(kind="lsl", leads=leads, lsl=LslSettings(name, timeout=60, **options))


class Run:
    """A session of the identity on a thread, whose output is counted; it is stopped by `finish`."""

    def __init__(self, *sources, **settings):
        self.session = Session(job_of(*sources, model="identity", **settings))
        (self.stream,) = self.session.streams
        self._tapped = self.stream.source = Tap(self.stream.source)
        self.messages, self._more, self._stopped = [], threading.Condition(), threading.Event()
        self._thread = threading.Thread(target=self._play)

    def _play(self):
        self.outcome = self.session.run(self._stopped.is_set, self._show)

    def _show(self, message):
        with self._more:
            self.messages.append(message.released() if isinstance(message, Emitted) else message)
            self._more.notify_all()

    def start(self):
        self._thread.start()

    def wait_for(self, seconds):
        with self._more:
            assert self._more.wait_for(lambda: self.messages and self.messages[-1].stop >= 360 * seconds, 120)

    def finish(self, *, punctual=True):
        self._stopped.set()
        self._thread.join()
        (stream,) = self.outcome.summary.streams
        assert stream.unaccounted == {}
        if punctual:
            assert stream.gap_samples == 0
        assert self._tapped.misplaced == 0
        assert stream.samples_lost == 0
        return self._tapped, np.concatenate([message.cleaned for message in self.messages], axis=1)


@needs("mne_lsl", "labrecorder", "pyxdf")
def test_mne_and_labrecorder_hold_every_cleaned_sample(tmp_path):
    import pyxdf
    from mne_lsl.stream import StreamLSL

    file = tmp_path / "ward.xdf"
    leads = [("II", "millivolts", "ECG"), ("counter", "millivolts", "ECG")]
    with running(Device("bed", fs=360.0, channels=leads, frame=(0.5, 0.0))):
        run = Run(source("bed", "II", "counter"), lsl_out="for others")
        with program("lab_recorder.py", "for others", file):
            client = StreamLSL(bufsize=60, name="for others").connect(timeout=60)
            try:
                run.start()
                run.wait_for(SECONDS)
                _, cleaned = run.finish()
                mne_samples, mne_stamps = client.get_data()
            finally:
                client.disconnect()
    (xdf,), _ = pyxdf.load_xdf(file, synchronize_clocks=False, dejitter_timestamps=False)
    told = {"mne": (mne_samples, mne_stamps), "labrecorder": (xdf["time_series"].T, xdf["time_stamps"])}
    for samples, stamps in told.values():
        known = stamps > 0  # MNE-LSL's ring is not full yet
        # The last of them were still on their way when the run was over.
        count = int(known.sum())
        assert count >= 360 * (SECONDS - 2)
        np.testing.assert_array_equal(samples[:, known], cleaned[:, :count])
        np.testing.assert_allclose(np.diff(stamps[known]), 1 / 360, atol=1e-5)
    # The recorder's own file, with one of its channels cleaned, differs in nothing else.
    target = cleaned_of(file, tmp_path / "out", leads=("II",))
    (made,), _ = pyxdf.load_xdf(target, synchronize_clocks=False, dejitter_timestamps=False)
    np.testing.assert_array_equal(made["time_stamps"], xdf["time_stamps"])
    np.testing.assert_array_equal(made["time_series"][:, 1], xdf["time_series"][:, 1])
    assert np.abs(made["time_series"][:, 0] - xdf["time_series"][:, 0]).max() > 0.01


@needs("mne", "mne_lsl")
def test_a_file_that_mne_plays_is_cleaned_whole(tmp_path):
    import mne

    number = np.arange(360 * 120)
    # In volts; powers of two, so that numbers stay whole.
    data = 2.0**-20 * np.stack([500 * np.sin(number / 9), number])
    info = mne.create_info(["II", "counter"], 360.0, ["ecg", "ecg"])
    file = tmp_path / "ward_raw.fif"
    mne.io.RawArray(data, info, verbose="error").save(file, verbose="error")
    with program("mne_player.py", file, "played"):
        run = Run(source("played", "II", "counter", scale=2.0**20))
        run.start()
        run.wait_for(SECONDS)
        tap, _ = run.finish()
    assert tap.samples >= 360 * SECONDS


@needs("brainflow")
def test_a_board_of_brainflow_loses_nothing():
    with program("brainflow_board.py", "board"):
        run = Run(source("board", "board", "counter", scale=1.0))
        run.start()
        run.wait_for(SECONDS)
        # The board is a thread that sleeps between samples: where the machine is busy it takes fewer than it
        # states, and time without samples is a gap.
        tap, _ = run.finish(punctual=False)
    assert tap.samples >= 250 * SECONDS * 0.9
