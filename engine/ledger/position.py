"""Where a stream stands, whatever pipeline cleans it: a second count, which knows nothing of the first."""

from engine.messages import Cleaned, Gap


class Position:
    """Follows what reaches one sink, message by message, by their indices alone.

    Attributes
    ----------
    next
        Index of the sample that must come next; None before the first.
    samples, gap_samples
        Samples that came, and those that lie in reported gaps.
    """

    def __init__(self) -> None:
        self._first: int | None = None
        self.next: int | None = None
        self.samples = self.gap_samples = 0

    @classmethod
    def after(cls, stop: int, samples: int = 0, gap_samples: int = 0) -> "Position":
        """Go on behind sample ``stop - 1``, where so much has come before."""
        position = cls()
        position._first = stop - samples - gap_samples
        position.next, position.samples, position.gap_samples = stop, samples, gap_samples
        return position

    @property
    def first(self) -> int | None:
        """Index of the first sample; None before it."""
        return self._first

    def gap_before(self, message: Cleaned | Gap) -> Gap | None:
        """What nobody has reported yet between the last message and this one; None where nothing is."""
        if self.next is None or message.start <= self.next:
            return None
        return Gap(message.stream, self.next, message.start)

    def note(self, message: Cleaned | Gap) -> None:
        """Take note of a message."""
        if self._first is None:
            self._first = message.start
        self.next = message.stop
        if isinstance(message, Gap):
            self.gap_samples += message.stop - message.start
        else:
            self.samples += message.stop - message.start

    def unaccounted(self, held: int | None = None) -> int:
        """Samples by which the account does not close; 0 where it does.

        Parameters
        ----------
        held
            What the sink itself has counted, gaps included; None takes what was noted here.
        """
        if self._first is None or self.next is None:
            return 0
        return self.next - self._first - (self.samples + self.gap_samples if held is None else held)
