"""How lengths of time are written."""


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any: ``12:05``, ``1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
