"""Whether a live stream is alive, by the age of its newest sample; liblsl itself does not report it."""

from collections.abc import Callable
from enum import StrEnum

STALE_S = 1.0
"""Age at which the newest sample is stale; a Polar H10 sends a packet every 0.56 s."""
LOST_S = 5.0
"""Age of the newest sample at which the stream is lost."""
RECOVERED_S = 5.0
"""How long a stream that was lost is called recovered after its return."""


class StreamState(StrEnum):
    """State of a stream, as shown on screen, recorded and published."""

    LIVE = "LIVE"
    STALE = "STALE"
    """Its newest sample, or the first one, is late."""
    LOST = "LOST"
    """Its outlet has gone, or nothing has come for `LOST_S`."""
    RECOVERED = "RECOVERED"
    """Samples come again; those of the time while it was lost are a gap."""


class Watchdog:
    """Keeps the state of one stream, which is `StreamState.STALE` until the first sample.

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
        """Seconds since a sample last came, or since the start where none has."""
        return self._clock() - self._newest

    def fed(self) -> StreamState:
        """Note that samples came; the state now."""
        self._newest = self._clock()
        if self.state is StreamState.LOST:
            self._back = self._newest
            return self._enter(StreamState.RECOVERED)
        if self.state is StreamState.RECOVERED and self._newest - self._back < RECOVERED_S:
            return self.state
        return self._enter(StreamState.LIVE)

    def looked(self) -> StreamState:
        """Note that nothing came; the state now."""
        age = self.sample_age_s
        if age >= LOST_S:
            return self._enter(StreamState.LOST)
        if age >= STALE_S and self.state is not StreamState.LOST:
            return self._enter(StreamState.STALE)
        return self.state

    def disconnected(self) -> StreamState:
        """Note that the outlet has gone, which makes the stream lost at once; the state now."""
        return self._enter(StreamState.LOST)

    def _enter(self, state: StreamState) -> StreamState:
        if state is not self.state:
            self.state = state
            self.counts[state] += 1
        return state
