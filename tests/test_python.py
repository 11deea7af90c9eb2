"""`import ecg_stream`: one line for an array, a table or a recording, and a `Denoiser` for a stream."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import edfio
import mne
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from job_tools import job_of

import ecg_stream
from ecg_stream import Cleaned, Denoiser, InputError, Mark, Reason, Verdict, clean, ecg_clean
from engine.messages import Cleaned as Message
from engine.run.session import Session
from streamer.records.record import read_record
from streamer.synthetic import SyntheticPatient

ROOT = Path(__file__).parents[1]
RATES = (360.0, 250.0, 500.0, 1000.012, 124.945)


def ecg(seconds=12.0, leads=2, seed=3):
    names = ("I", "II", "V5")[:leads]
    return SyntheticPatient(leads=names, seed=seed).read(0, round(360 * seconds)).data.astype(np.float64)


def wave(fs, samples):
    """Something smooth that every rate can hold, (2, samples)."""
    time = np.arange(samples) / fs
    return np.stack([np.sin(2 * np.pi * 1.3 * time), np.cos(2 * np.pi * 7 * time)])


def pushed(denoiser, data, seed=0):
    """All that comes of a signal in ragged pieces, and the most samples that ever waited."""
    rng = np.random.default_rng(seed)
    parts, at, waited = [], 0, 0
    while at < data.shape[-1]:
        count = int(rng.integers(0, 60))
        parts.append(denoiser.push(data[..., at : at + count]))
        at = min(at + count, data.shape[-1])
        waited = max(waited, at - parts[-1].stop)
    parts.append(denoiser.flush())
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    return [
        np.concatenate([getattr(p, n) for p in parts], axis=1) for n in ("data", "marks", "reasons")
    ], waited


# What comes in, comes out


@pytest.mark.parametrize("fs", RATES)
def test_a_system_that_changes_nothing_gives_back_what_came_at_every_rate(fs):
    """So no sample is moved: delays of both resamplers and of the look-ahead are made good."""
    data = wave(fs, round(9.3 * fs) + 1)
    cleaned = clean(data, fs, axis=1, model="identity")
    assert cleaned.shape == data.shape
    settled = slice(round(0.2 * fs), -round(0.2 * fs))
    assert np.abs(cleaned - data)[:, settled].max() < 2e-3


@pytest.mark.parametrize("fs", RATES)
def test_a_stream_in_ragged_pieces_is_the_causal_signal_and_waits_no_longer_than_it_says(fs):
    data = wave(fs, round(7 * fs))
    denoiser = Denoiser(fs, 2)
    (cleaned, marks, reasons), waited = pushed(denoiser, data)
    expected, verdict = clean(data, fs, axis=1, causal=True, verdict=True)
    assert np.allclose(cleaned, expected, atol=1e-5)
    assert np.array_equal(marks, verdict.marks)
    assert np.array_equal(reasons, verdict.reasons)
    assert 0.9 * denoiser.delay_s - 0.05 < waited / fs <= denoiser.delay_s


def test_causal_is_what_a_live_run_gives(made_physionet):
    settings = {"record": "101", "data_dir": made_physionet, "noise": "none", "speed": 0.0}
    messages = []
    Session(job_of(kind="replay", own_drift="keep", **settings)).run(show=messages.append)
    live = [message for message in messages if isinstance(message, Message)]
    record = read_record(made_physionet / "mitdb" / "101")
    cleaned, verdict = clean(record.data, record.fs, axis=1, causal=True, verdict=True)
    assert np.abs(cleaned - np.concatenate([m.cleaned for m in live], axis=1)).max() < 1e-5
    assert np.array_equal(verdict.marks, np.concatenate([m.marks for m in live], axis=1))


def test_the_best_look_ahead_is_taken_where_nobody_waits():
    data = ecg()
    assert np.array_equal(clean(data, 360, axis=1), clean(data, 360, axis=1, lookahead_ms=300))
    assert not np.allclose(clean(data, 360, axis=1), clean(data, 360, axis=1, causal=True), atol=1e-3)


def test_windows_serve_as_well_as_states():
    data = ecg()
    cleaned = clean(data, 360, axis=1, model="unet")
    assert cleaned.shape == data.shape
    assert not np.array_equal(cleaned, data)


def test_a_hole_stays_a_hole_and_nothing_else_is_lost():
    for fs in (360.0, 500.0):
        data = wave(fs, round(8 * fs))
        at = round(4 * fs)
        data[0, at : at + 3] = np.nan
        data[1, at : at + 2] = np.inf, -1e300
        cleaned, verdict = clean(data, fs, axis=1, verdict=True)
        missing = np.isnan(cleaned)
        assert missing[0, at : at + 3].all()
        assert missing[1, at : at + 2].all()
        # Two filters reach to either side.
        reach = 0 if fs == 360 else round(0.05 * fs)
        assert not missing[:, : at - reach].any()
        assert not missing[:, at + 3 + reach :].any()
        assert np.array_equal(verdict.marks == Mark.MISSING, missing)
        assert np.array_equal(verdict.reasons == Reason.NO_INPUT, missing)


def test_the_guard_says_what_it_did():
    data = ecg(20)
    data[1, 3000:] = data[1, 3000]
    cleaned, verdict = clean(data, 360, axis=1, verdict=True)
    assert isinstance(verdict, Verdict)
    off = verdict.reasons[1, 4000:]
    assert (off == Reason.FLAT).all()
    assert (verdict.marks[1, 4000:] == Mark.BYPASSED).all()
    assert np.allclose(cleaned[1, 4000:], data[1, 4000:], atol=1e-6)
    assert verdict.shares["bypassed"] == pytest.approx((verdict.marks == Mark.BYPASSED).mean())
    assert sum(verdict.shares.values()) == pytest.approx(1)


# Kinds


def test_arrays_come_back_as_they_are_laid_out():
    data = ecg()
    cleaned = clean(data, 360, axis=1)
    before = data.copy()
    assert np.array_equal(clean(data.T, 360, axis=0), cleaned.T)
    assert np.array_equal(clean(data.T, 360, axis=-2), cleaned.T)
    assert np.allclose(clean(data[0], 360), cleaned[0], atol=1e-6)
    assert np.allclose(clean(list(data[0]), 360), cleaned[0], atol=1e-6)
    assert np.array_equal(data, before)
    assert clean(data.astype(np.float32), 360, axis=1).dtype == np.float32
    assert cleaned.dtype == np.float64
    cleaned, verdict = clean(data.T, 360, axis=0, verdict=True)
    assert verdict.marks.shape == verdict.reasons.shape == data.T.shape


def test_units_are_taken_and_given_back():
    data = ecg()
    cleaned = clean(data, 360, axis=1)
    assert np.allclose(clean(1000 * data, 360, axis=1, unit="uV"), 1000 * cleaned, rtol=1e-5, atol=1e-2)
    assert np.allclose(clean(data / 1000, 360, axis=1, unit="volts"), cleaned / 1000, atol=1e-8)
    counts = np.round(1000 * data).astype(np.int16)
    assert np.abs(clean(counts, 360, axis=1, unit="µV") - 1000 * cleaned).max() < 20
    microvolts, _ = pushed(Denoiser(360, 2, unit="uV", lookahead_ms=300), 1000 * data)
    assert np.allclose(microvolts[0], 1000 * cleaned, atol=1e-2)


def test_pandas_comes_back_as_pandas():
    data = ecg()
    index = pd.date_range("2026-01-01", periods=data.shape[1], freq="2ms")
    frame = pd.DataFrame(data.T, index=index, columns=["II", "V5"])
    cleaned = clean(frame, 360)
    assert isinstance(cleaned, pd.DataFrame)
    assert cleaned.index.equals(index)
    assert list(cleaned.columns) == ["II", "V5"]
    assert np.array_equal(cleaned.to_numpy(), clean(data, 360, axis=1).T)
    series = clean(frame["II"], 360)
    assert isinstance(series, pd.Series)
    assert series.name == "II"
    assert series.index.equals(index)
    assert np.allclose(series, cleaned["II"], atol=1e-6)
    _, verdict = clean(frame, 360, verdict=True)
    assert verdict.marks.shape == frame.shape


def test_xarray_comes_back_as_xarray():
    data = 1000 * ecg()
    array = xr.DataArray(
        data.T, dims=("time", "lead"), coords={"lead": ["II", "V5"]}, attrs={"units": "uV"}, name="ecg"
    )
    cleaned = clean(array, 360)
    assert isinstance(cleaned, xr.DataArray)
    assert cleaned.dims == array.dims
    assert cleaned.attrs == array.attrs
    assert list(cleaned["lead"].values) == ["II", "V5"]
    assert np.allclose(cleaned.values.T, 1000 * clean(data / 1000, 360, axis=1), atol=1e-2)
    turned = clean(array.rename(time="t").transpose(), 360, axis="t")
    assert np.allclose(turned.values, cleaned.values.T)


def test_mne_comes_back_as_mne():
    data = ecg()
    info = mne.create_info(["EEG 1", "ECG 1", "ECG 2"], 360.0, ["eeg", "ecg", "ecg"], verbose=False)
    volts = np.vstack([data[:1], data]) / 1000
    raw = mne.io.RawArray(volts, info, verbose=False)
    raw.set_annotations(mne.Annotations([1.0], [0.5], ["note"]))
    cleaned, verdict = clean(raw, verdict=True)
    assert isinstance(cleaned, mne.io.RawArray)
    assert cleaned.annotations == raw.annotations
    assert np.array_equal(raw.get_data(), volts)
    assert np.array_equal(cleaned.get_data()[0], volts[0])
    assert np.allclose(cleaned.get_data()[1:], clean(data, 360, axis=1) / 1000, atol=1e-9)
    assert verdict.marks.shape == data.shape


@pytest.mark.parametrize("unit", ["mv", "uv", "UV", "nV"])
def test_units_that_mne_takes_for_volts_are_refused(tmp_path, unit):
    per_mv = {"mv": 1, "uv": 1e3, "UV": 1e3, "nV": 1e6}[unit]
    lead = edfio.EdfSignal(per_mv * ecg(leads=1)[0, :3600], 360, label="ECG II", physical_dimension=unit)
    edfio.Edf([lead]).write(tmp_path / "ecg.edf")
    raw = mne.io.read_raw_edf(tmp_path / "ecg.edf", infer_types=True, verbose=False)
    with pytest.raises(InputError, match="its unit is another"):
        clean(raw)


@pytest.mark.parametrize("fs", [250.0, 500.0, 1000.0])
def test_where_raw_is_passed_on_it_is_what_came(fs):
    """Resampled twice, a spike of a pacemaker is spread into what looks like a beat."""
    data = np.zeros(round(20 * fs))
    data[round(fs / 2) :: round(fs)] = 300
    cleaned, verdict = clean(data, fs, verdict=True)
    bypassed = verdict.marks == Mark.BYPASSED
    # Not where cleaned fades to raw and back.
    whole = np.convolve(bypassed, np.ones(2 * round(0.3 * fs) + 1), "same") > 2 * round(0.3 * fs)
    assert whole[data > 0].mean() > 0.8
    np.testing.assert_allclose(cleaned[whole], data[whole], atol=1e-3)


def test_an_electrode_that_is_touched_is_no_wrong_unit():
    data = ecg(leads=1)
    data[0, 1000:1500] += np.random.default_rng(1).normal(0, 200, 500)
    assert clean(data, 360, axis=1).shape == data.shape


def test_neurokits_signature():
    data = ecg(leads=1)[0]
    assert np.array_equal(ecg_clean(data, sampling_rate=360), clean(data, 360))
    assert np.array_equal(ecg_clean(data, 360, method="dwt"), clean(data, 360, model="dwt"))
    assert np.array_equal(ecg_clean(list(data), 360), clean(data, 360))


# Streams


def test_a_flush_ends_a_segment_and_a_reset_begins_anew():
    data = ecg()
    for fs in (360, 500):
        denoiser = Denoiser(fs, 2)
        (first, *_), _ = pushed(denoiser, data)
        (second, *_), _ = pushed(denoiser, data)
        assert np.array_equal(second, first)
        assert first.shape == data.shape
        denoiser.push(data[:, :1000])
        denoiser.reset()
        assert denoiser.push(data[:, :300]).start == 0
        assert denoiser.flush().stop == 300
        assert isinstance(denoiser.flush(), Cleaned)


def test_what_is_pushed_may_be_used_again_and_what_comes_is_the_callers():
    data = ecg().astype(np.float32)
    whole, _ = pushed(Denoiser(360, 2), data)
    denoiser, buffer, parts = Denoiser(360, 2), np.empty((2, 36), np.float32), []
    for at in range(0, data.shape[1], 36):
        buffer[:] = data[:, at : at + 36]
        parts.append(denoiser.push(buffer).data)
        kept = parts[-1].copy()
        parts[-1][:] = 1e6
        parts[-1] = kept
        buffer[:] = np.nan
    parts.append(denoiser.flush().data)
    assert np.array_equal(np.concatenate(parts, axis=1), whole[0])


def test_one_lead_may_be_pushed_as_one_axis():
    data = ecg(leads=1)
    one, _ = pushed(Denoiser(360), data[0])
    two, _ = pushed(Denoiser(360), data)
    assert np.array_equal(one[0], two[0])


def test_a_denoiser_says_so_when_two_threads_are_in_it():
    denoiser = Denoiser(360)
    inside, leave = threading.Event(), threading.Event()
    stages = denoiser._stages

    class Slow:
        def push(self, data):
            inside.set()
            leave.wait()
            return stages.push(data)

    denoiser._stages = Slow()
    with ThreadPoolExecutor(1) as other:
        first = other.submit(denoiser.push, np.zeros(100))
        inside.wait()
        try:
            for call in (lambda: denoiser.push(np.zeros(1)), denoiser.flush, denoiser.reset):
                with pytest.raises(RuntimeError, match="one thread at a time"):
                    call()
        finally:
            leave.set()
        assert first.result().stop < 100


def test_several_threads_may_clean_at_once():
    signals = [ecg(20, seed=seed) for seed in range(6)]
    alone = [clean(signal, 250, axis=1) for signal in signals]
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(lambda signal: clean(signal, 250, axis=1), signals))
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, other)


def test_a_runtime_that_fails_is_an_error_each_time_until_a_reset(monkeypatch):
    denoiser = Denoiser(360)
    runtime = denoiser._system.backend.runtime

    def fails(inputs):
        raise OSError("the runtime is gone")

    with monkeypatch.context() as patched:
        patched.setattr(runtime, "run", fails)
        with pytest.raises(OSError, match="gone"):
            denoiser.push(np.zeros(100))
    with pytest.raises(RuntimeError, match="begin anew"):
        denoiser.push(np.zeros(100))
    denoiser.reset()
    assert denoiser.push(np.zeros(500)).stop > 0


# What cannot be used


UNUSABLE = {
    "no rate": (lambda: clean(np.zeros(1000)), "fs is not stated"),
    "low rate": (lambda: clean(np.zeros(1000), 50), "fs is 50 Hz; allowed: 100 Hz"),
    "rate is no number": (lambda: clean(np.zeros(1000), "fast"), "fs is 'fast'"),
    "NaN rate": (lambda: clean(np.zeros(1000), float("nan")), "fs is nan Hz"),
    "two axes": (lambda: clean(np.zeros((2, 1000)), 360), "along which"),
    "no such axis": (lambda: clean(np.zeros((2, 1000)), 360, axis=2), "axis is 2"),
    "three axes": (lambda: clean(np.zeros((2, 2, 9)), 360, axis=1), r"shape \(2, 2, 9\)"),
    "no sample": (lambda: clean(np.zeros(0), 360), "nothing to clean"),
    "no lead": (lambda: clean(np.zeros((0, 5)), 360, axis=1), "nothing to clean"),
    "unit": (lambda: clean(np.zeros(1000), 360, unit="mmHg"), "'mmHg' is no voltage"),
    "model": (lambda: clean(np.zeros(1000), 360, model="vnet"), "'vnet' is unknown"),
    "look-ahead": (lambda: clean(np.zeros(1000), 360, lookahead_ms=900), "look-ahead of 900 ms"),
    "text": (lambda: clean(np.array(["1", "2"]), 360), "samples are <U1"),
    "complex": (lambda: clean(np.zeros(9, complex), 360), "samples are complex128"),
    "column of text": (lambda: clean(pd.DataFrame({"II": [0.0], "note": ["x"]}), 360), "column 'note'"),
    "no such dimension": (
        lambda: clean(xr.DataArray(np.zeros(9), dims="t"), 360, axis="x"),
        "allowed: t",
    ),
    "no ECG channel": (
        lambda: clean(mne.io.RawArray(np.zeros((1, 9)), mne.create_info(1, 360.0), verbose=False)),
        "no channel of type ecg",
    ),
    "microvolts as millivolts": (
        lambda: clean(1000 * ecg(), 360, axis=1),
        "lead 1 moves by .*its unit",
    ),
    "millivolts as volts": (lambda: clean(ecg(), 360, axis=1, unit="V"), "lead 1 moves by"),
    "method": (lambda: ecg_clean(np.zeros(1000), 360, method="pantompkins1985"), "is unknown"),
    "leads": (lambda: Denoiser(360, 0), "leads is 0"),
    "chunk": (lambda: Denoiser(360, 2).push(np.zeros((3, 9))), r"allowed: \(2, samples\)"),
    "rate of a stream": (lambda: Denoiser(0), "fs is 0 Hz"),
}


@pytest.mark.parametrize(("call", "words"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_used_is_said_in_one_line(call, words):
    with pytest.raises(InputError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


# Being imported


def run(code, folder=ROOT, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=False,
    )


def test_importing_is_light_and_changes_nothing():
    slow = (
        "torch",
        "PyQt6",
        "pylsl",
        "scipy",
        "pandas",
        "wfdb",
        "matplotlib",
        "typer",
        "rich",
        "onnxruntime",
        "importlib.metadata",
        "platformdirs",
        "tempfile",
    )
    ran = run(f"""
import signal, sys
handlers = [signal.getsignal(number) for number in signal.valid_signals()]
import ecg_stream
assert "numpy" not in sys.modules
from ecg_stream import *
assert handlers == [signal.getsignal(number) for number in signal.valid_signals()]
print(*(name for name in {slow!r} if name in sys.modules))
""")
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "", "")


def test_cleaning_prints_nothing_and_starts_nothing():
    ran = run("""
import sys, threading, multiprocessing
import numpy as np
import ecg_stream
ecg_stream.clean(np.zeros((2, 3000)), 250, axis=1)
denoiser = ecg_stream.Denoiser(250)
denoiser.push(np.zeros(500)); denoiser.flush()
assert not multiprocessing.active_children()
assert threading.active_count() == 1
assert not {"torch", "PyQt6", "pylsl", "pandas", "wfdb"} & {*sys.modules}
""")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_every_name_is_there_and_no_other():
    for name in ecg_stream.__all__:
        assert getattr(ecg_stream, name).__name__ == name
        assert name in dir(ecg_stream)
    with pytest.raises(AttributeError, match="clear"):
        ecg_stream.clear  # noqa: B018


def test_a_strangers_package_of_our_name_is_named_and_a_mere_folder_does_no_harm(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.txt").touch()
    code = "import ecg_stream; ecg_stream.clean"
    ran = run(code, tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    (tmp_path / "models" / "__init__.py").touch()
    ran = run(code, tmp_path)
    assert ran.stderr.splitlines()[-1].startswith("ImportError: ecg-stream needs its own package 'models' in")
    assert str(tmp_path / "models" / "__init__.py") in ran.stderr
    # Theirs still works beside the mere import.
    assert run("import ecg_stream, models; print(models.__file__)", tmp_path).stdout.startswith(str(tmp_path))
