"""Window, hop and look-ahead: seconds become samples here, once."""

from dataclasses import dataclass

from models.spec import ClassicalSpec, NetworkSpec
from streamer.errors import InputError


@dataclass(frozen=True)
class EngineConfig:
    """The three numbers of the engine, in samples at rate `fs` (Hz).

    Parameters
    ----------
    window
        Samples that the network sees at once.
    hop
        New samples between two windows.
    lookahead
        Samples after a sample that are waited for before it leaves.

    Raises
    ------
    InputError
        Unless 1 ≤ hop and 0 ≤ lookahead ≤ window − hop.
    """

    fs: float
    window: int
    hop: int
    lookahead: int

    def __post_init__(self) -> None:
        if not 1 <= self.hop <= self.window:
            raise InputError(
                f"hop of {self._ms(self.hop)} is not possible; allowed: {self._ms(1)} to "
                f"{self._ms(self.window)}, the window of this model"
            )
        longest = self.window - self.hop
        if not 0 <= self.lookahead <= longest:
            raise InputError(
                f"look-ahead of {self._ms(self.lookahead)} is not possible; allowed: 0 to "
                f"{self._ms(longest)}, the window of this model ({self._ms(self.window)}) less a "
                f"hop ({self._ms(self.hop)})"
            )

    @classmethod
    def from_ms(cls, fs: float, window: int, lookahead_ms: float, hop_ms: float) -> "EngineConfig":
        """Round milliseconds to whole samples."""
        return cls(fs, window, _samples(hop_ms, fs), _samples(lookahead_ms, fs))

    @classmethod
    def of(cls, spec: NetworkSpec | ClassicalSpec, lookahead_ms: float, hop_ms: float) -> "EngineConfig":
        """Round milliseconds to whole samples, as a system can have them.

        A network that keeps state takes hops of whole steps, and has a longest look-ahead.
        """
        steps = spec.steps if isinstance(spec, NetworkSpec) else None
        if not steps:
            return cls.from_ms(spec.fs, spec.window, lookahead_ms, hop_ms)
        ms = 1000 / spec.fs
        hop = steps.multiple * _samples(hop_ms / steps.multiple, spec.fs)
        if not 0 < hop <= steps.longest:
            raise InputError(
                f"hop of {hop_ms:g} ms is not possible; {spec.name} takes multiples of "
                f"{steps.multiple * ms:.1f} ms up to {steps.longest * ms:.0f} ms"
            )
        lookahead = _samples(lookahead_ms, spec.fs)
        if not 0 <= lookahead <= steps.lookahead:
            raise InputError(
                f"look-ahead of {lookahead_ms:g} ms is not possible; {spec.name} takes 0 to "
                f"{steps.lookahead * ms:.0f} ms"
            )
        return cls(spec.fs, spec.window, hop, lookahead)

    @property
    def tail(self) -> int:
        """Newest samples of a window that are cross-faded; everything older already left."""
        return self.lookahead + self.hop

    @property
    def delay_s(self) -> float:
        """Longest time that window and overlap-add make a sample wait: look-ahead + hop."""
        return self.tail / self.fs

    def _ms(self, samples: int) -> str:
        return f"{1000 * samples / self.fs:.1f} ms"


def _samples(ms: float, fs: float) -> int:
    if not abs(ms) < 1e9:
        raise InputError(f"{ms} is no length of time in milliseconds")
    return round(ms / 1000 * fs)
