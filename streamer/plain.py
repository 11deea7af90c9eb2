"""Text that others wrote, fit for a screen or a file."""

LONGEST = 80


def plain(text: str) -> str:
    """Text that is printable, obeys no terminal, and is not long."""
    return "".join(letter for letter in text if letter.isprintable()).strip()[:LONGEST]
