"""What to listen to: the settings of a source, as the user gives them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from streamer.errors import InputError
from streamer.faults.schedule import parse_faults
from streamer.lsl.settings import LslSettings
from streamer.noise import NoisePart, NoiseSettings, SnrDefinition, parse_noise


@dataclass(frozen=True)
class SourceSettings:
    """What to listen to. Fields carry the names of the command's options.

    Parameters
    ----------
    kind
        A name of `streamer.sources.SOURCES`, and the options of that kind alone after a colon:
        ``text:file=ecg.txt,fs=250``.
    start, seconds
        Where in the record to begin, and how long to play; None plays to the end.
    own_drift
        ``keep`` plays the record as it is, ``remove`` plays its reference.
    lsl
        Which stream, for kind ``lsl``; how long to wait and what values mean, for every live kind.
    given
        Options of the kind that have a place of their own: ``--board synthetic``, name and value.
    faults
        What goes wrong with it, as `streamer.faults.schedule.parse_faults` understands it.
    """

    kind: str = "synthetic"
    record: str = "100"
    database: str = "mitdb"
    data_dir: Path | None = None
    leads: tuple[str, ...] | None = None
    start: float = 0.0
    seconds: float | None = None
    speed: float = 1.0
    loop: bool = False
    own_drift: Literal["keep", "remove"] = "keep"
    rhythm: str = "sinus"
    heart_rate: float = 70.0
    noise: str = "none"
    snr: float = 0.0
    snr_definition: SnrDefinition = "ac"
    noise_part: NoisePart = "test"
    seed: int = 0
    lsl: LslSettings = field(default_factory=LslSettings)
    faults: str = "none"
    given: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.seconds is not None and not (np.isfinite(self.seconds) and self.seconds > 0):
            raise InputError(f"seconds must be a positive number, got {self.seconds}")
        if not (np.isfinite(self.start) and self.start >= 0):
            raise InputError(f"start must be a number of seconds ≥ 0, got {self.start}")
        if self.own_drift not in ("keep", "remove"):
            raise InputError(f"own drift {self.own_drift!r} is unknown; allowed: keep, remove")
        parse_faults(self.faults)

    @property
    def name(self) -> str:
        """The name of the kind, without its options."""
        return self.kind.partition(":")[0]

    @property
    def options(self) -> dict[str, str]:
        """The options that follow the kind, and those given: ``{"file": "ecg.txt", "fs": "250"}``."""
        text = self.kind.partition(":")[2]
        pairs = [part.partition("=") for part in text.split(",")] if text else []
        if any(not equals for _, equals, _ in pairs):
            raise InputError(
                f"source {self.kind!r} is not understood; options look like {self.name}:name=value"
            )
        return {name.strip(): value for name, _, value in pairs} | dict(self.given)

    def option(self, name: str, default: str | None = None) -> str:
        """Value of an option of the kind.

        Raises
        ------
        InputError
            If it is not given and has no default.
        """
        value = self.options.get(name, default)
        if value is None:
            raise InputError(f"source {self.name!r} needs the option {name!r}: --source {self.name}:{name}=…")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """Value of an option of the kind that is a number.

        Raises
        ------
        InputError
            As `option`, or if it is no finite number.
        """
        text = self.option(name, None if default is None else str(default))
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise InputError(f"option {name!r} of source {self.name!r} must be a number, got {text!r}")
        return value

    @property
    def noise_settings(self) -> NoiseSettings:
        """The noise part of these settings."""
        return NoiseSettings(
            parse_noise(self.noise), self.snr, self.snr_definition, self.noise_part, self.seed
        )
