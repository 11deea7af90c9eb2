"""One partition in the hands of a worker: raw from the log, cleaned onto it, a snapshot now and then."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.in_process.stages import System
from ward.log.broker import Log, cleaned_subject, raw_subject
from ward.log.cleaner import SETTLES_S, Cleaner
from ward.log.fence import Fence
from ward.log.figures import Figures
from ward.log.follower import Follower
from ward.log.frames import Flag, Message, Piece, decode, in_messages, merged

if TYPE_CHECKING:
    from nats.aio.msg import Msg

SNAPSHOT_S: Final = 4.0
"""Between two snapshots of a partition whose beds send."""
_LONGEST_PAUSE_S: Final = 0.5
MESSAGE_BYTES: Final = 500_000
"""More is written as several messages."""


@dataclass
class BedCount:
    """What became of a bed in this worker: samples written, and samples that never came."""

    cleaned: int = 0
    missing: int = 0


class Partition:
    """Cleans the beds of a partition, as its owner.

    Of its cleaned samples each leaves once: every message is written only behind the one that this worker
    knows to be the last, so a worker that was paused while another took over cannot write any.

    Parameters
    ----------
    number
        Of the partition.
    epoch
        Of this ownership; later ones are greater.
    tell
        Given a line whenever a person should know something.
    figures
        Told of what is written and saved, where anybody looks.

    Attributes
    ----------
    counts
        Of each bed, what this worker wrote.
    snapshot_bytes
        Size of the newest snapshot.
    """

    def __init__(
        self,
        log: Log,
        number: int,
        epoch: int,
        system: System,
        tell: Callable[[str], None],
        figures: Figures | None = None,
    ) -> None:
        self._figures = figures or Figures()
        self._log, self.number, self._epoch, self._tell = log, number, epoch, tell
        self._cleaner = Cleaner(system)
        self._fence = Fence(log, number, epoch)
        self._through = 0  # number of the newest raw message that was cleaned
        self._saved = -1
        self._written: dict[str, int] = {}  # bed → sample that must be written next, from those before us
        self._begins_in_midstream = False
        self._told: dict[str, str] = {}
        self.counts: dict[str, BedCount] = {}
        self.snapshot_bytes = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Own the partition until told to stop; the snapshot that is left is that of the last sample.

        Raises
        ------
        Fenced
            If another worker has taken it over.
        """
        since = await self._take_over()
        raw = Follower(self._log, raw_subject(self.number), self._through, since)
        try:
            # Those that one worker takes over at once shall not all be saved at once.
            saved_s = time.monotonic() - SNAPSHOT_S * (self.number % 16) / 16
            while not stop.is_set():
                messages = await raw.read()
                begun_s = time.monotonic()
                await self._clean(messages)
                if time.monotonic() - saved_s >= SNAPSHOT_S:
                    await self._save()
                    saved_s = time.monotonic()
                if _were_newest(messages):
                    # As long as it took: a broker or a core that is busy gets fewer and longer messages.
                    await self._pause(stop, min(time.monotonic() - begun_s, _LONGEST_PAUSE_S))
            await self._save()
        finally:
            await raw.close()

    @staticmethod
    async def _pause(stop: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)

    # taking over

    async def _take_over(self) -> float | None:
        """Shut those before us out, and go on where they were; see `Follower` for what is returned."""
        await self._fence.shut_out(self._through)
        packed = await self._fence.take_snapshot()
        if packed:
            try:
                self._through, after = self._cleaner.restore(packed)
            except ValueError as why:
                self._tell(f"partition {self.number}: its snapshot is of no use here ({why})")
            else:
                await self._read_written(Follower(self._log, cleaned_subject(self.number), after))
                return None
        return await self._begin_anew()

    async def _read_written(self, cleaned: Follower) -> int:
        """Find what those before us wrote and need not be written again; returns what it answered for."""
        through = 0
        try:
            while cleaned.after < self._fence.last:
                for message in await cleaned.read():
                    written = decode(message.data)
                    through = max(through, written.through)
                    for piece in written.pieces:
                        self._written[piece.bed] = piece.stop
        finally:
            await cleaned.close()
        return through

    async def _begin_anew(self) -> float | None:
        """Without a snapshot: hear so much of what was cleaned already that the network settles."""
        through = await self._read_written(Follower(self._log, cleaned_subject(self.number)))
        if not self._written:
            return None
        self._begins_in_midstream = True
        answered_s = await self._log.time_of(through) if through else None
        return None if answered_s is None else answered_s - SETTLES_S

    # cleaning

    async def _clean(self, messages: "list[Msg]") -> None:
        """Clean what has come, and write it as one: message by message nobody would catch up."""
        if not messages:
            return
        left: list[Piece] = []
        for message in messages:
            left += self._cleaned(message)
            await asyncio.sleep(0)
        self._figures.refuses(self.number, self._cleaner.refused)
        for bed, reason in self._cleaner.refused.items():
            self._say(bed, f"{bed} is not cleaned: {reason}")
        number = messages[-1].metadata.sequence.stream
        together = list(in_messages(merged(left), MESSAGE_BYTES))
        for count, some in enumerate(together, 1):
            through = number if count == len(together) else self._through
            await self._fence.write(Message(some, self._epoch, through))
            self._figures.wrote(some)
            for piece in some:
                self._count(piece)
        self._through = number

    def _cleaned(self, message: "Msg") -> list[Piece]:
        """What leaves with a raw message and is not written yet."""
        try:
            pieces = decode(message.data).pieces
        except ValueError as why:
            number = message.metadata.sequence.stream
            self._say("", f"partition {self.number}: message {number} is not understood: {why}")
            return []
        left = self._cleaner.push(pieces, settling=self._begins_in_midstream)
        return [piece for each in left if (piece := self._unwritten(each)) is not None]

    def _unwritten(self, piece: Piece) -> Piece | None:
        """What of a piece those before us have not written."""
        written = self._written.get(piece.bed)
        if written is None:
            return piece
        if piece.flag & Flag.ENDS:
            return piece if piece.start >= written else None
        rest = piece.after(written)
        if rest is not None:
            del self._written[piece.bed]
        return rest

    def _count(self, piece: Piece) -> None:
        count = self.counts.setdefault(piece.bed, BedCount())
        if piece.flag & Flag.GAP:
            count.missing += piece.count
        else:
            count.cleaned += piece.count

    def _say(self, about: str, line: str) -> None:
        """Tell a person, once."""
        if self._told.get(about) != line:
            self._told[about] = line
            self._tell(line)

    async def _save(self) -> None:
        """Leave a snapshot of this moment, unless another worker has left one since.

        Raises
        ------
        Fenced
            If one has.
        """
        if self._through == self._saved:
            self._figures.saved(self.number)
            return
        packed = self._cleaner.snapshot((self._through, self._fence.last))
        self.snapshot_bytes = len(packed)
        if len(packed) > self._log.most_bytes:
            self._say(
                "snapshot",
                f"partition {self.number}: its snapshot has {len(packed)} bytes and the broker takes "
                f"{self._log.most_bytes}; raise max_payload of the broker",
            )
            return
        await self._fence.leave_snapshot(packed)
        self._saved = self._through
        self._figures.saved(self.number, len(packed))


def _were_newest(messages: "list[Msg]") -> bool:
    """Whether the broker had nothing behind these: whoever has taken over is behind, and must not rest."""
    return bool(messages) and messages[-1].metadata.num_pending == 0
