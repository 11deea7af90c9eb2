"""Records on disk that several test files share: real ones where there are any, and made ones."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, settings

from streamer.records.find import DATA_VARIABLE
from streamer.synthetic import SyntheticPatient

# The same tests on every machine: what needs a GPU is in test_gpu.py, which `make gpu-check` runs.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
# How long an example takes says how busy the machine is.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
# Before a test file imports ONNX Runtime itself: `models` says the same.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def pytest_collection_modifyitems(items):
    """Test processes share tests by their ids: one that holds an address is another in each of them."""
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: give its parameters ids that stay")


@pytest.fixture(autouse=True)
def no_signal_lasts():
    """`main` takes over the signals that end a run, and so the tests' own: give them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def physionet():
    """The folder of real PhysioNet records; tests that take it carry the mark `data`."""
    folder = os.environ.get(DATA_VARIABLE)
    missing = None
    if not folder:
        missing = f"{DATA_VARIABLE} names no folder of PhysioNet records"
    else:
        for database in ("mitdb", "nstdb"):
            if not Path(folder, database).is_dir():
                missing = f"{DATA_VARIABLE}={folder} holds no {database}/"
    if folder is None or missing:
        # CI sets it where the data is there: then a skip would hide a gap.
        if os.environ.get("ECG_STREAM_REQUIRE_DATA"):
            pytest.fail(f"ECG_STREAM_REQUIRE_DATA is set, but {missing}")
        pytest.skip(missing or "no data")
    return Path(folder)


def _write_record(
    folder,
    name,
    data,
    fs=360,
    leads=("MLII", "V5"),
    *,
    units="mV",
    fmt="16",
    gain=200.0,
    baseline=0,
    beats=(),
):
    folder.mkdir(parents=True, exist_ok=True)
    rows = len(data)
    wfdb.wrsamp(
        name,
        fs=fs,
        units=[units] * rows,
        sig_name=list(leads[:rows]),
        p_signal=np.asarray(data, dtype=np.float64).T,
        fmt=[fmt] * rows,
        adc_gain=[gain] * rows,
        baseline=[baseline] * rows,
        write_dir=str(folder),
    )
    if len(beats):
        marks = np.asarray(beats, dtype=np.int64)
        wfdb.wrann(name, "atr", marks, symbol=["N"] * len(marks), write_dir=str(folder))
    return folder / name


@pytest.fixture(scope="session")
def write_record():
    """Write (leads, samples) as a WFDB record; returns its path without extension."""
    return _write_record


@pytest.fixture(scope="session")
def made_physionet(tmp_path_factory):
    """A folder like PhysioNet's: mitdb/ of a minute each (synthetic patients with drift), nstdb/."""
    folder = tmp_path_factory.mktemp("made")
    drift = 0.3 * np.sin(2 * np.pi * 0.15 * np.arange(60 * 360) / 360)
    for seed, name in enumerate(("100", "101", "114")):
        block = SyntheticPatient(leads=("II", "V5"), seed=seed).read(0, 60 * 360)
        beats = [mark.sample for mark in block.annotations]
        _write_record(folder / "mitdb", name, block.data + drift, baseline=1024, fmt="212", beats=beats)
    rng = np.random.default_rng(0)
    for kind, smooth in {"bw": 400, "em": 30, "ma": 2}.items():
        # 30 min of noise that never repeats, as coarse as its kind.
        coarse = rng.standard_normal((2, 648_000 // smooth + 1))
        noise = 0.3 * np.repeat(coarse, smooth, axis=1)[:, :648_000]
        _write_record(folder / "nstdb", kind, noise, leads=("noise1", "noise2"))
    return folder
