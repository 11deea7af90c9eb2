"""Which pipeline cleans next: that of the newest settings, or one that stands in for its network."""

import threading
from dataclasses import dataclass, replace

from engine.backends.reliable import find_reliable
from engine.marks import Reason
from engine.run.fallback import Cleaner, fallback_for, raw_to_the_end
from engine.run.ladder import Ladder
from engine.run.prepare import Prepared
from engine.run.protocol import CleanSettings


@dataclass(frozen=True)
class Takeover:
    """What cleans from now on, and why, as it is recorded and published."""

    step: str
    why: str


class Changeover:
    """Told of every hop and every request; answers which pipeline cleans next.

    `request` may be called from any thread, the rest from the one that cleans.

    Parameters
    ----------
    first
        What the run begins with.
    ladder
        Decides when something cheaper stands in for the network; None leaves it merely late.

    Attributes
    ----------
    asked
        The newest settings that the run has gone over to.
    cleaner
        What cleans now: the network that was asked for, or what stands in for it.
    """

    def __init__(self, first: Prepared, ladder: Ladder | None) -> None:
        self.asked = first
        self.cleaner = Cleaner(first.config, first.backend)
        self._ladder = ladder
        self._next: Cleaner | None = None
        self._misses = 0
        # The control thread requests, the one that cleans goes over.
        self._requesting = threading.Lock()
        self._requested: Prepared | None = None

    def request(self, wanted: Prepared) -> None:
        """Have the run go over to other settings; what was requested before and not begun is closed."""
        with self._requesting:
            overtaken, self._requested = self._requested, wanted
        if overtaken:
            overtaken.backend.close()

    def note(self, misses: int) -> Takeover | None:
        """Take note of a hop; returns what takes over, where something is to.

        Parameters
        ----------
        misses
            Deadlines missed so far, by all streams together.
        """
        asked = self.asked
        runtime = find_reliable(asked.backend)
        if runtime and runtime.broken:
            if self.cleaner.backend is not asked.backend or self._next is not None:
                return None
            self._next = raw_to_the_end(asked.config)
            return Takeover("raw", self.failure)
        missed, self._misses = misses - self._misses, misses
        step = self._ladder.note(missed) if self._ladder else None
        if step is None:
            return None
        self._next = fallback_for(step, asked.config, asked.backend)
        return Takeover(step.text, Reason.OVERLOAD.text if step else "calm again")

    @property
    def due(self) -> bool:
        """Whether another pipeline is to clean what comes next."""
        return self._requested is not None or self._next is not None

    def change(self) -> bool:
        """Go over to what is due; False where nothing is. A request goes before a step of the ladder."""
        with self._requesting:
            requested, self._requested = self._requested, None
        cleaner, self._next = self._next, None
        if requested:
            self.asked.backend.close()
            self.asked = requested
            cleaner = Cleaner(requested.config, requested.backend)
            if self._ladder:
                self._ladder.restart()
        if cleaner is None:
            return False
        self.cleaner = cleaner
        return True

    @property
    def in_force(self) -> CleanSettings:
        """The settings in force, in whole samples."""
        config = self.cleaner.config
        return replace(
            self.asked.settings,
            backend=self.cleaner.backend.name,
            lookahead_ms=1000 * config.lookahead / config.fs,
            hop_ms=1000 * config.hop / config.fs,
        )

    @property
    def step(self) -> str:
        """What stands in for the network while the machine does not keep up; empty while it does."""
        return self._ladder.step.text if self._ladder and self._ladder.step else ""

    @property
    def failure(self) -> str:
        """What runtimes failed of; empty where none did."""
        runtime = find_reliable(self.asked.backend)
        return "; ".join(runtime.failures) if runtime else ""

    def close(self) -> None:
        """Close every backend that is open."""
        self.asked.backend.close()
        if self._requested:
            self._requested.backend.close()
