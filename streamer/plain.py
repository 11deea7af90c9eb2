"""Text that others wrote, fit for a screen or a file."""

LONGEST = 80


def plain(text: str, longest: int = LONGEST) -> str:
    """Text that is printable, commands no terminal, and is not long."""
    return "".join(letter for letter in text if letter.isprintable()).strip()[:longest]
