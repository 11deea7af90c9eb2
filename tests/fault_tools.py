"""A device whose every sample says which one it is, for tests of what happens on the way."""

import os

import numpy as np

from streamer.chunk import Annotation, StreamInfo
from streamer.faults.schedule import KINDS, FaultSettings
from streamer.noise import NoiseMixer, NoiseSettings, power_ac
from streamer.source import Block, Player

ON_THE_WAY = ("gaps", "bursts", "duplicates", "reordered", "drift", "rate", "disconnect", "leads")
FUZZ = int(os.environ.get("ECG_STREAM_FUZZ") or 0)
"""How many examples the long fuzzers take (`make soak`); 0 in everyday tests."""


class Counting:
    """Lead 0 counts samples, lead 1 counts down; the reference is twice that. Every 100th is marked."""

    def __init__(self, fs=360.0, length=None, leads=2, step_mv=1.0):
        names = ("up", "down", "V1", "V2")[:leads]
        self.info = StreamInfo(fs, names, "counting", "a", has_reference=True)
        self.length = length
        self._step_mv = np.float32(step_mv)

    def read(self, start, count):
        if self.length is not None:
            count = min(count, self.length - start)
        n = self._step_mv * np.arange(start, start + count, dtype=np.float32)
        data = np.stack([n, -n, n, -n][: len(self.info.leads)])
        marks = tuple(Annotation(k, "N") for k in range(start, start + count) if k % 100 == 0)
        return Block(data, 2 * data, marks)


def played(signal, *, chunk_s=0.01, speed=0.0):
    leads = len(signal.info.leads)
    silent = NoiseMixer(NoiseSettings({}), np.ones(leads), power_ac, lambda kind: np.zeros((2, 9)), 1)
    return Player(signal, silent, speed, None, chunk_s)


def settings(*kinds, seed=0, first_s=20.0, often=1.0):
    return FaultSettings(tuple(kind for kind in KINDS if kind in kinds), seed, first_s, often)
