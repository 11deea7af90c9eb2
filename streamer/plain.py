"""Make text from outside safe for a screen or a file."""

LONGEST = 80


def plain(text: str, longest: int = LONGEST) -> str:
    """Text without control characters and cut to a fair length, so that it cannot command a terminal."""
    return "".join(letter for letter in text if letter.isprintable()).strip()[:longest]
