"""What an engine is told while it plays."""

from dataclasses import dataclass
from pathlib import Path

from engine.run.protocol import CleanSettings
from streamer.noise import NoiseSettings


@dataclass(frozen=True)
class Pause:
    """Hold a played signal, or let it go on."""

    paused: bool


@dataclass(frozen=True)
class Record:
    """Record into a folder; None ends the recording."""

    folder: Path | None


@dataclass(frozen=True)
class UserMark:
    """A person's mark on a sample.

    Parameters
    ----------
    stream
        Which one: its `StreamInfo.source_id`.
    sample
        Absolute index at the rate of the network.
    note
        What the person wrote; may be empty.
    """

    stream: str
    sample: int
    note: str = ""


@dataclass(frozen=True)
class Stop:
    """End the run; what was read by then is still cleaned, and the outcome comes."""


Command = NoiseSettings | CleanSettings | Pause | Record | UserMark | Stop
"""What an engine is told while it plays."""
