"""What the log says of all beds of a ward, as the station shows it."""

from collections.abc import Collection
from dataclasses import replace
from statistics import median

from engine.ledger.delays import NO_DELAYS
from engine.marks import Reason
from engine.run.protocol import Setup, StartedStream, Status
from streamer.chunk import StreamInfo
from streamer.partition import partition_of
from ward.bed import Bed
from ward.beds import Beds
from ward.log.frames import Flag, Message, Piece
from ward.log.reader import Once, message_of

SILENT_S = 2.0
"""A bed of which nothing has come for so long is lost."""
ORPHANED_S = 0.5
"""One whose worker has gone says so already after this."""
_ONE = 0
"""All beds come from one log, where a name is taken once."""


class _Shown:
    """One bed, and what has been counted of it."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.samples = self.gaps = self.gap_samples = 0
        self.next = 0
        self.heard_s = 0.0
        self.reasons: dict[str, str] = {}
        self.ended = False
        self.delays_ms: list[float] = []

    def note(self, piece: Piece, came_s: float, now_s: float) -> None:
        """Count a piece; `came_s` is when the broker had it, seconds since 1970."""
        self.heard_s, self.ended = now_s, bool(piece.flag & Flag.ENDS)
        if self.ended:
            return
        self.next = piece.stop
        if piece.flag & Flag.GAP:
            self.gaps += 1
            self.gap_samples += piece.count
            return
        self.samples += piece.count
        self.delays_ms.append(1000 * (came_s - float(piece.stamps[-1])))
        newest = piece.words[1, :, -1]
        self.reasons = {
            lead: Reason(int(why)).text for lead, why in zip(piece.leads, newest, strict=True) if why
        }
        if piece.flag & Flag.SETTLING:
            self.reasons = dict.fromkeys(piece.leads, "settling") | self.reasons

    def status(self, problem: str) -> Status:
        """How it is doing; `problem` says why nothing comes, and is empty while something does."""
        nan = float("nan")
        delay_ms = median(self.delays_ms) if self.delays_ms else nan
        self.delays_ms.clear()
        return Status(
            seconds=self.next / self.bed.fs,
            samples_in=self.samples,
            samples_out=self.samples,
            gaps=self.gaps,
            gap_samples=self.gap_samples,
            snr_in_db=nan,
            snr_out_db=nan,
            delay_p50_ms=delay_ms,
            delay_p99_ms=nan,
            deadline_misses=0,
            delays=replace(NO_DELAYS, p50_ms=delay_ms),
            state="LOST" if problem else "LIVE",
            problem=problem,
            stream=self.bed.info.source_id,
            ended=self.ended,
            reasons=self.reasons,
            next=self.next,
        )


class Wall:
    """Keeps the beds of a station as the log tells of them; one thread feeds it.

    Parameters
    ----------
    beds
        What the station shows.
    """

    def __init__(self, beds: Beds) -> None:
        self.beds = beds
        self._shown: dict[str, _Shown] = {}
        self._once: dict[int, Once] = {}
        self._owners: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._alive: set[str] = set()

    def take(self, partition: int, message: Message, came_s: float, now_s: float) -> bool:
        """Take a cleaned message.

        Parameters
        ----------
        came_s
            When the broker had it, seconds since 1970.
        now_s
            Of a clock that nobody sets.

        Returns
        -------
        bool
            Whether its writer is new: `owned` should be told who owns the partition now.
        """
        once = self._once.setdefault(partition, Once())
        before = once.epoch
        for piece in once.take(message):
            shown = self._shown.get(piece.bed)
            if shown is None:
                if piece.flag & Flag.ENDS:
                    continue
                shown = self._joins(piece)
            elif (piece.leads, piece.fs) != (shown.bed.info.leads, shown.bed.fs):
                continue
            shown.note(piece, came_s, now_s)
            if not piece.flag & Flag.ENDS:
                self.beds.take(_ONE, message_of(piece))
        return once.epoch != before

    def _joins(self, piece: Piece) -> _Shown:
        info = StreamInfo(piece.fs, piece.leads, piece.bed, piece.bed)
        self.beds.plays(_ONE, StartedStream(info, Setup()))
        shown = self._shown[piece.bed] = _Shown(self.beds.all[-1])
        self._place(shown)
        return shown

    def owned(self, partition: int, worker: str) -> None:
        """Note who owns a partition."""
        before, self._owners[partition] = self._owners.get(partition), worker
        if not worker or worker == before:
            return
        number = self._number_of(worker)
        for shown in self._shown.values():
            if partition_of(shown.bed.info.name) == partition:
                self._place(shown)
                if before:
                    self.beds.tell(f"is cleaned by worker {number} now", shown.bed)

    def _place(self, shown: _Shown) -> None:
        owner = self._owners.get(partition_of(shown.bed.info.name))
        if owner:
            shown.bed.worker = self._number_of(owner) - 1

    def _number_of(self, worker: str) -> int:
        return self._numbers.setdefault(worker, len(self._numbers) + 1)

    def look(self, alive: Collection[str] | None, now_s: float) -> None:
        """Say how every bed is doing.

        Parameters
        ----------
        alive
            Names of the workers that are; None where the broker does not answer.
        """
        if alive is not None:
            self._note_workers(set(alive))
        for shown in self._shown.values():
            silent_s = 0.0 if shown.ended else now_s - shown.heard_s
            problem = ""
            if alive is None:
                problem = "the broker does not answer"
            elif silent_s > SILENT_S:
                problem = "nothing comes from its sender"
            owner = self._owners.get(partition_of(shown.bed.info.name))
            orphaned = alive is not None and owner not in alive and silent_s > ORPHANED_S
            shown.bed.dead = "waits for another worker" if orphaned else ""
            self.beds.take(_ONE, shown.status(problem))

    def _note_workers(self, alive: set[str]) -> None:
        for worker in sorted(alive - self._alive):
            self.beds.tell(f"worker {self._number_of(worker)} takes part ({worker})")
        for worker in sorted(self._alive - alive):
            self.beds.tell(f"worker {self._number_of(worker)} has gone; others take its beds over")
        self._alive = alive
