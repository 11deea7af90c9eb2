"""Whether a live stream is alive, by the age of its newest sample: liblsl itself waits in silence."""

from collections.abc import Callable
from enum import StrEnum

STALE_S = 1.0
"""Age of the newest sample from which it is no longer now; a Polar H10 sends every 0.56 s."""
LOST_S = 5.0
RECOVERED_S = 5.0
"""How long a stream that was lost says so after its return."""


class StreamState(StrEnum):
    """State of a stream, as shown on screen, recorded and published."""

    LIVE = "LIVE"
    STALE = "STALE"
    """Its newest sample, or the first one, is late."""
    LOST = "LOST"
    """Its outlet has gone, or nothing has come for long."""
    RECOVERED = "RECOVERED"
    """Samples come again; what came while it was lost is a gap."""


class Watchdog:
    """Keeps the state of one stream; begins `StreamState.STALE`, until the first sample.

    Parameters
    ----------
    clock
        Monotonic seconds, `time.perf_counter` or a test's own.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._newest = self._back = clock()
        self.state = StreamState.STALE
        self.counts = dict.fromkeys(StreamState, 0)
        """How often each state was entered."""
        self.counts[self.state] = 1

    @property
    def sample_age_s(self) -> float:
        """Seconds since a sample last came (or since the watch began)."""
        return self._clock() - self._newest

    def fed(self) -> StreamState:
        """Samples came."""
        self._newest = self._clock()
        if self.state is StreamState.LOST:
            self._back = self._newest
            return self._enter(StreamState.RECOVERED)
        if self.state is StreamState.RECOVERED and self._newest - self._back < RECOVERED_S:
            return self.state
        return self._enter(StreamState.LIVE)

    def looked(self) -> StreamState:
        """Nothing came."""
        age = self.sample_age_s
        if age >= LOST_S:
            return self._enter(StreamState.LOST)
        if age >= STALE_S and self.state is not StreamState.LOST:
            return self._enter(StreamState.STALE)
        return self.state

    def disconnected(self) -> StreamState:
        """The outlet has gone: no need to wait for the age to say so."""
        return self._enter(StreamState.LOST)

    def _enter(self, state: StreamState) -> StreamState:
        if state is not self.state:
            self.state = state
            self.counts[state] += 1
        return state
