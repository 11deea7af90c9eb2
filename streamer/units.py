"""Units of voltage, as headers and devices spell them."""

_MILLIVOLTS = {"v": 1e3, "mv": 1.0, "uv": 1e-3, "nv": 1e-6}
_PREFIXES = {"micro": "u", "milli": "m", "nano": "n", "μ": "u"}


def millivolts_of(unit: str) -> float | None:
    """How many mV one of a unit is; None where it is no voltage.

    Any spelling is taken: ``uV``, ``µV`` (both signs), ``µVolt``, ``microvolts``.
    """
    # Folding turns the micro sign (U+00B5) into the Greek letter (U+03BC).
    text = unit.strip().casefold()
    for written, short in _PREFIXES.items():
        if text.startswith(written):
            text = short + text.removeprefix(written)
    return _MILLIVOLTS.get(text.removesuffix("s").removesuffix("olt"))
