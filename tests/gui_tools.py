"""Frames as an engine would send them, for tests of the screen."""

import time

import numpy as np

from engine.ledger.delays import Delays
from engine.ledger.stages import STAGES
from engine.messages import Cleaned, Preview
from engine.run.protocol import CleanSettings, Setup, StartedStream, Status
from streamer.chunk import Annotation, StreamInfo

FS = 360.0
SETUP = Setup(CleanSettings("unet", "onnx", 300.0, 40.0), 340.0)


def info(leads=("II",), fs=FS, reference=True):
    return StreamInfo(fs, tuple(leads), "test/1", "test", has_reference=reference)


def started(**how):
    return StartedStream(info(**how), SETUP)


def message(start, raw, *, cleaned=None, spread=None, marks=None, annotations=(), fs=FS):
    """Released samples; everything not given follows from `raw` (leads, samples)."""
    raw = np.atleast_2d(np.asarray(raw, np.float32))
    cleaned = raw if cleaned is None else np.atleast_2d(np.asarray(cleaned, np.float32))
    count = raw.shape[1]
    return Cleaned(
        "test",
        start,
        raw,
        cleaned,
        np.full_like(raw, 0.0) if spread is None else np.atleast_2d(np.asarray(spread, np.float32)),
        cleaned,
        np.zeros(raw.shape, np.uint8) if marks is None else np.atleast_2d(np.asarray(marks, np.uint8)),
        time.perf_counter() - 0.34 + np.arange(-count, 0) / fs,
        tuple(Annotation(*mark) for mark in annotations),
        released_ns=time.perf_counter_ns(),
    )


def preview(start, raw, cleaned=None):
    raw = np.atleast_2d(np.asarray(raw, np.float32))
    return Preview("test", start, raw, raw if cleaned is None else np.atleast_2d(cleaned))


def status(**changes):
    stages_ms = dict(zip(STAGES, (5.0, 15.0, 305.0, 0.1, 0.0, 2.0, 0.0, 0.2, 0.3), strict=True))
    delays = Delays(330.0, 350.0, 360.0, 370.0, 330.0, 360.0, stages_ms, (300.0, 340.0, 380.0), (5, 3), 0.07)
    values = {
        "seconds": 10.0,
        "samples_in": 3600,
        "gaps": 0,
        "gap_samples": 0,
        "snr_in_db": 0.0,
        "snr_out_db": 12.0,
        "delay_p50_ms": 330.0,
        "delay_p99_ms": 360.0,
        "deadline_misses": 0,
        "setup": SETUP,
        "delays": delays,
    }
    return Status(**(values | changes))
