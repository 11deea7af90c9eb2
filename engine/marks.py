"""What became of a sample, and why: the marks and reasons that the guard gives."""

from enum import IntEnum


class Mark(IntEnum):
    """What became of one sample of one lead."""

    CLEANED = 0
    WARMUP = 1
    """Cleaned, but the network had seen less than one window since the start or the last gap."""
    BYPASSED = 2
    """Raw passed on, because the network's output was unusable."""
    MISSING = 3
    """The source had no value; nothing is shown in its place."""
    FILTERED = 4
    """Cleaned by the classical filter, because the machine could not keep up with the network."""


class Reason(IntEnum):
    """Why a sample of one lead is not, or not only, what the network made of it."""

    NONE = 0
    NO_INPUT = 1
    """The source had no value (`Mark.MISSING`)."""
    FLAT = 2
    """The input does not move: a lead is off."""
    RAILED = 3
    """The input stands at a limit of its amplifier."""
    NOT_FINITE = 4
    """The network's output is NaN or infinite."""
    CONSTANT = 5
    """The network's output does not move while the input does."""
    OUT_OF_RANGE = 6
    """The network's output is larger than its input can explain."""
    BEAT_INVENTED = 7
    """Cleaned has a QRS where raw has none."""
    BEAT_ERASED = 8
    """Raw has a QRS where cleaned has none."""
    RATE = 9
    """Cleaned beats at another rate than raw."""
    NO_ECG = 10
    """The network removes nearly all of its input as noise; nothing like an ECG is left."""
    UNCERTAIN = 11
    """The network revises its own predictions too much, or states too large an error itself."""
    LATE = 12
    """The network's answer came late; it is passed on as it is."""
    OVERLOAD = 13
    """The machine does not keep up; something cheaper took the network's place."""
    BACKEND = 14
    """The runtime failed."""

    @property
    def text(self) -> str:
        """What a person reads."""
        return _TEXTS[self]


_TEXTS = {
    Reason.NONE: "",
    Reason.NO_INPUT: "no input",
    Reason.FLAT: "lead off",
    Reason.RAILED: "saturated",
    Reason.NOT_FINITE: "output not finite",
    Reason.CONSTANT: "output constant",
    Reason.OUT_OF_RANGE: "output out of range",
    Reason.BEAT_INVENTED: "beats not in raw",
    Reason.BEAT_ERASED: "beats missing",
    Reason.RATE: "heart rate differs",
    Reason.NO_ECG: "no ECG found",
    Reason.UNCERTAIN: "network unsure",
    Reason.LATE: "output late",
    Reason.OVERLOAD: "machine too slow",
    Reason.BACKEND: "runtime failed",
}


Verdict = tuple[Mark, tuple[Reason, ...]]
"""The mark that is furthest from `Mark.CLEANED`, and the reason for each lead; () without any."""


def explain(verdict: Verdict, leads: tuple[str, ...]) -> dict[str, str]:
    """Reason by lead, as a person reads it, for the leads that have one."""
    _, reasons = verdict
    return {lead: reason.text for lead, reason in zip(leads, reasons, strict=False) if reason}
