"""Track F: unseen patients, unseen noise, streamed through the engine; tables that can be trusted.

Every DS2 record is one bed of a ward that the engine cleans as a batch, at the look-ahead and hop
that are named. Classical filters see the same noisy signals.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from engine.backends import open_backend
from engine.backends.base import Backend
from engine.config import EngineConfig
from engine.messages import Gap
from engine.pipeline import clean
from models.classical import CLASSICAL
from models.metrics import Moments
from models.registry import load_card, sha256
from streamer.chunk import Chunk
from streamer.open_source import SourceSettings, open_signal, play
from streamer.source import Player, Signal

