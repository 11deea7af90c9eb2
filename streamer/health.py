"""State and counts of a source, as a screen shows them and a summary reports them."""

from dataclasses import dataclass, field

from streamer.pieces import Counts
from streamer.watchdog import StreamState


@dataclass(frozen=True)
class StreamHealth:
    """State of a source at one moment; a player is always `StreamState.LIVE`.

    Parameters
    ----------
    sample_age_s
        Seconds since a sample last came.
    effective_fs_hz, ppm
        Rate of the source by its own clock, and how far it is from nominal; None while unknown.
    states
        How often each state was entered.
    problem
        Why a stream that is there again cannot be used, in a sentence; empty without one.
    untimed
        Why the delay of its samples is unknown, in a sentence; empty where it is known.
    counted
        Why samples are counted whatever their stamps are, in a sentence; empty where stamps are believed.
    """

    state: StreamState = StreamState.LIVE
    sample_age_s: float = 0.0
    effective_fs_hz: float | None = None
    ppm: float | None = None
    states: dict[str, int] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    problem: str = ""
    untimed: str = ""
    counted: str = ""
