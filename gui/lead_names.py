"""How leads are written on the screen: as a clinician writes them, whatever a file calls them."""

_LETTERS = {name.casefold(): name for name in ("I", "II", "III", "aVR", "aVL", "aVF", "MLI", "MLII", "MLIII")}
_LETTERS |= {f"v{number}": f"V{number}" for number in range(1, 10)}
_LETTERS |= {f"v{number}r": f"V{number}R" for number in range(3, 7)}


def written(lead: str) -> str:
    """A lead as it is usually written: ``AVR`` and ``avr`` are aVR; names that are none of these stay."""
    return _LETTERS.get(lead.casefold(), lead)
