"""Files to clean, and what must come of them."""

import json

import numpy as np

from ecg_stream import clean
from engine.files.clean_file import Request
from engine.files.inputs import wanted_files
from engine.files.many import clean_many
from engine.files.opened import Stated
from engine.in_process.arrays import Settings
from streamer.synthetic import SyntheticPatient

MODEL = "butterworth"
"""Fast, and it changes every sample."""


def ecg(seconds=12.0, leads=2, fs=360.0, seed=3):
    """A patient with drift, (leads, samples) in mV; the samples are read at 360 Hz, whatever `fs` is."""
    samples = round(fs * seconds)
    rows = SyntheticPatient(leads=("I", "II", "V5")[:leads], seed=seed).read(0, samples).data
    return rows.astype(np.float64) + 0.3 * np.sin(np.arange(samples) / 300)


def clean_files(given, out, *, leads=(), jobs=1, model=MODEL, **stated):
    """What became of each file."""
    request = Request(Settings(model, None, False), Stated(**stated), leads)
    wanted = wanted_files([str(each) for each in given], out)
    return list(clean_many(wanted, request, jobs, lambda number, share: None))


def cleaned_of(file, out, **options):
    """Where a file was cleaned to; it must have been."""
    (done,) = clean_files([file], out, **options)
    assert done.status == "cleaned", done.said
    return out / done.file.name


def refused_of(file, out, **options):
    """The line for a file that must be refused; nothing of it may stay."""
    (done,) = clean_files([file], out, **options)
    assert done.status == "refused"
    assert "\n" not in done.said
    assert str(file.with_suffix("")) in done.said
    assert not (out.exists() and any(out.iterdir()))
    return done.said


def right(rows, fs, **options):
    """What `ecg_stream.clean` makes of the same signal."""
    return clean(np.asarray(rows), fs, axis=1, model=MODEL, **options)


def sidecar_of(target):
    """What stands beside a cleaned file."""
    name = target.stem if target.suffix == ".hea" else target.name
    return json.loads(target.with_name(f"{name}.clean.json").read_text(encoding="utf-8"))
