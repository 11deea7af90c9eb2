"""The one error that means: what the user gave cannot be used."""


class InputError(ValueError):
    """What was given cannot be used; the message says what was given, what is allowed, what to do.

    The front door prints it as one line and exits with status 2. Everything else that is
    raised is a defect of the program or a failure of the machine.
    """


def one_line(error: Exception) -> str:
    """What another program's error says, fit for an `InputError`: its first line, and not long."""
    said = str(error).strip().splitlines()
    return said[0][:160] if said else type(error).__name__
