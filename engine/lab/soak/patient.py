"""One patient of a soak: a device with faults, and the account of its samples."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from engine.config import EngineConfig
from engine.ledger.account import Account
from engine.marks import Mark
from engine.messages import Emitted, Gap
from streamer.chunk import Chunk
from streamer.faults.schedule import FaultSettings, parse_faults
from streamer.faults.source import FaultySource
from streamer.noise import NoiseMixer, NoiseSettings, power_ac
from streamer.records.record import WfdbRecord
from streamer.records.replay import RecordSignal
from streamer.resample import resample, resampled_info
from streamer.source import Player
from streamer.synthetic import SyntheticPatient
from streamer.synthetic_noise import synthetic_tape

ROUND_S = 1.0
"""Signal that is handed over at once: the devices' packets, and the unit of the timing."""
RATES_HZ = (360.0, 360.0, 360.0, 250.0, 360.0, 360.0, 360.0, 500.0)
"""Of the patients, in turn; what is not at the engine's rate is resampled."""
FIRST_FAULT_S = 120.0
"""By then the true rates of the devices are known to the sample over the longest break."""

_TAPE_S = 120.0
_TOLERANCE = np.float32(2e-6)  # relative to the sample: overlap-add sums in single precision
_MISSING = int(Mark.MISSING)


class SoakPatient:
    """A source that goes wrong, and the account of what leaves the engine.

    Parameters
    ----------
    number
        Decides the rate of its device, and with `seed` its heart and its faults.
    seconds
        How much signal.
    faults
        What goes wrong, as ``--faults`` takes it.
    exact
        What leaves must be what came in: the network is the identity.
    """

    def __init__(
        self, number: int, config: EngineConfig, *, seconds: float, faults: str, seed: int, exact: bool
    ) -> None:
        fs = RATES_HZ[number % len(RATES_HZ)]
        patient = SyntheticPatient(fs=fs, seed=seed + number, leads=("II",))
        block = patient.read(0, round(_TAPE_S * fs))
        tape = WfdbRecord(f"patient-{number}", fs, ("II",), block.data, block.annotations)
        # No reference: a soak counts samples and scores no quality.
        signal = RecordSignal(tape, tape.name, loop=True, has_reference=False)
        silent = NoiseMixer(
            NoiseSettings({}), np.ones(1), power_ac, lambda kind: synthetic_tape(kind, fs, 0), 1
        )
        player = Player(signal, silent, 0.0, round(seconds * fs), ROUND_S)
        kinds = parse_faults(faults).kinds
        self.source = FaultySource(player, FaultSettings(kinds, seed + number, FIRST_FAULT_S))
        self.name = self.source.info.source_id
        self.info = resampled_info(self.source.info, config.fs)
        self.account = Account(self.info, 0.0, 0.0)
        self.next = 0
        self.problems: list[str] = []
        self._fs = config.fs
        self._exact = exact

    def chunks(self) -> Iterator[Chunk]:
        """Everything that comes through, at the rate of the engine."""

        def counted() -> Iterator[Chunk]:
            for chunk in self.source.chunks():
                self.account.source_samples += chunk.data.shape[1]
                if chunk.data.shape[1] or chunk.ends_segment:
                    yield chunk

        return resample(counted(), self.source.info, self._fs)

    def take(self, message: Emitted | Gap) -> None:
        """Count a message, and note whatever is wrong with it."""
        if message.start != self.next:
            self._note(f"sample {message.start} left where {self.next} was due")
        self.next = message.stop
        self.account.take(message)
        if isinstance(message, Gap):
            return
        cleaned, raw = message.cleaned, message.raw
        missing = message.marks == _MISSING
        if self._exact:
            right = np.abs(cleaned - raw) <= _TOLERANCE * (1 + np.abs(raw))
        else:
            right = np.isfinite(cleaned)
        if not (right | missing).all():
            self._note(f"sample {message.start}: an output that cannot be right")

    def _note(self, problem: str) -> None:
        if len(self.problems) < 20:
            self.problems.append(problem)

    def figures(self) -> dict[str, Any]:
        """The account of this patient, ready for JSON."""
        account, log = self.account, self.source.log
        marks = {mark.name.lower(): int(account.marks[mark]) for mark in Mark}
        counts = self.source.health.counts
        closed = self.next == sum(marks.values()) + account.gap_samples and account.samples_in == sum(
            marks.values()
        )
        return {
            "source_fs_hz": self.source.info.fs,
            "samples": self.next,
            **marks,
            "gap_samples": account.gap_samples,
            "gaps": account.gaps,
            "account_closes": closed,
            "samples_with_wrong_index": log.misplaced,
            "duplicates_dropped": counts.duplicates,
            "reordered": counts.reordered,
            "late": counts.late,
            "clock_jumps": counts.clock_jumps,
            "faults": dict(log.counts),
            "problems": self.problems,
        }
