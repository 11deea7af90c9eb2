"""Which LSL stream is meant, and what its values mean."""

from dataclasses import dataclass

import numpy as np

from streamer.errors import InputError
from streamer.lsl.metadata import check_scale


@dataclass(frozen=True)
class LslSettings:
    """Which stream, and what its values mean. Fields carry the names of the command's options.

    Parameters
    ----------
    wait
        Wait for the stream without end, at the beginning and whenever it is lost; otherwise for
        `timeout` seconds.
    every
        Every ECG stream of that type, now or later, each as a stream of the run for itself.
    share
        Of every stream only those that `streamer.partition` gives to the first number, of so many workers.
    unit
        ``V``, ``mV``, ``uV`` or ``counts``; None believes the metadata.
    scale
        mV of one count.
    """

    stream_name: str | None = None
    stream_type: str | None = None
    source_id: str | None = None
    wait: bool = False
    timeout: float = 10.0
    unit: str | None = None
    scale: float | None = None
    every: bool = False
    share: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.timeout) and self.timeout > 0):
            raise InputError(f"timeout must be a positive number of seconds, got {self.timeout}")
        check_scale(self.unit, self.scale)
