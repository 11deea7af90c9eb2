"""`InputError`, raised where the user's input cannot be used, and helpers for its messages."""

from collections.abc import Sequence

from streamer.plain import plain


class InputError(ValueError):
    """The input cannot be used; the message says what was given, what is allowed, and what to do.

    The front door prints it as one line and exits with status 2. Everything else that is
    raised is a defect of the program or a failure of the machine.
    """


class NotWrittenError(RuntimeError):
    """Results could not be written when they were there; the front door exits with status 1."""


MOST_NAMED = 12


def some(names: Sequence[str]) -> str:
    """Names for an `InputError`, the first of them where there are many."""
    return ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")


def one_line(error: Exception) -> str:
    """What another program's error says, fit for an `InputError`: its first line, and not long."""
    said = str(error).strip().splitlines()
    return plain(said[0], 160) if said else type(error).__name__
