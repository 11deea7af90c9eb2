"""Cleans the beds of one partition: what leaves depends on the raw messages alone, and on their order.

So whoever reads the same messages, from the beginning or from a snapshot, makes the same to the bit. No
clock is asked: no answer is late, and no cheaper system stands in for the network.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from engine.in_process.pushed import Pushed
from engine.in_process.stages import System
from engine.messages import Emitted, Gap, Hop
from engine.pipeline import Memory, clean
from engine.snapshot import Tree, pack, unpack
from engine.source_rate import SourceRate
from streamer.chunk import Chunk
from streamer.errors import InputError
from streamer.resample import StreamResampler, ratio
from ward.log.frames import MOST_SAMPLES, Flag, Piece, plain_piece

SETTLES_S = 20.0
"""So long after it began anew in mid-stream, a network differs by up to 0.2 mV from one that has not."""
_ROUND_ENDS = Gap("", 0, 0)


class _Bed:
    """One bed: its rate, and what is at the network's."""

    def __init__(self, name: str, leads: tuple[str, ...], fs: float, there: float, first: int) -> None:
        self.name, self.leads, self.fs, self.first = name, leads, fs, first
        self.next = first
        self.settles = first
        self.there: tuple[StreamResampler, SourceRate] | None = None
        up, down = ratio(fs, there)
        if up != down:
            self.there = StreamResampler(fs, there, without_spikes=True), SourceRate(fs, there)

    def note(self, chunk: Chunk) -> list[Chunk]:
        """A chunk as the network gets it."""
        if self.there is None:
            return [chunk]
        way_in, way_out = self.there
        way_out.note(chunk)
        return list(way_in.take(chunk))

    def snapshot(self) -> Tree:
        own = (self.leads, self.fs, self.first, self.next, self.settles)
        return {"own": own, "there": [part.snapshot() for part in self.there or ()]}


class Cleaner:
    """The engine of a partition.

    Parameters
    ----------
    system
        Cleans; `engine.in_process.stages.open_system` opens it.

    Attributes
    ----------
    refused
        Why what came last of a bed was not cleaned, by its name.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._beds: dict[str, _Bed] = {}
        self.refused: dict[str, str] = {}
        self._begin()

    def _begin(self) -> None:
        system = self._system
        self._memory = Memory(system.config, system.limits)

        def stage(rounds: Iterator[list[Chunk]]) -> Iterator[Emitted | Gap]:
            return clean(
                rounds,
                system.config,
                system.backend,
                _no_time,
                _RoundEnds(),
                limits=system.limits,
                memory=self._memory,
            )

        self._engine = Pushed(stage, lambda message: message is _ROUND_ENDS)

    @property
    def next(self) -> dict[str, int]:
        """Number of the sample that is awaited, of each bed."""
        return {name: bed.next for name, bed in self._beds.items()}

    def push(self, pieces: Sequence[Piece], *, settling: bool = False) -> list[Piece]:
        """Take a raw message; give what can leave by now.

        What came before is left out. A bed that changes its rate or leads, or jumps further than a gap can
        be, is refused from there on.

        Parameters
        ----------
        settling
            Beds that begin now do so in mid-stream: what leaves is marked for `SETTLES_S`.
        """
        chunks: list[Chunk] = []
        ending: list[_Bed] = []
        for piece in pieces:
            bed = self._bed_of(piece, settling)
            if bed is None:
                continue
            if piece.flag & Flag.ENDS:
                chunks += bed.note(_chunk(bed, bed.next, plain_piece(bed.name, bed.leads, bed.fs, 0), True))
                ending.append(bed)
            elif (new := piece.after(bed.next)) is not None and new.count:
                chunks += bed.note(_chunk(bed, new.start, new, False))
                bed.next = new.stop
        left: list[Piece] = []
        for message in self._engine.push([chunks]):
            bed = self._beds[message.stream]
            if bed.there is None:
                left.append(_piece(bed, message))
            else:
                left += [_piece(bed, each) for each in bed.there[1].take(message)]
        for bed in ending:
            if bed.there is not None:
                left += [_piece(bed, each) for each in bed.there[1].rest()]
            left.append(plain_piece(bed.name, bed.leads, bed.fs, bed.next, flag=Flag.ENDS))
        return left

    def _bed_of(self, piece: Piece, settling: bool) -> _Bed | None:
        bed = self._beds.get(piece.bed)
        if bed is None:
            if not piece.count or piece.flag & (Flag.GAP | Flag.ENDS):
                return None
            try:
                bed = _Bed(piece.bed, piece.leads, piece.fs, self._system.config.fs, piece.start)
            except InputError as error:
                self.refused[piece.bed] = str(error)
                return None
            if settling:
                bed.settles += round(SETTLES_S * bed.fs)
            self._beds[piece.bed] = bed
        if (piece.leads, piece.fs) != (bed.leads, bed.fs):
            self.refused[piece.bed] = (
                f"it sends {', '.join(piece.leads)} at {piece.fs:g} Hz and began with "
                f"{', '.join(bed.leads)} at {bed.fs:g} Hz; give it another name"
            )
            return None
        if piece.start - bed.next > MOST_SAMPLES:
            self.refused[piece.bed] = (
                f"its samples go on with number {piece.start} where {bed.next} should come, and no gap is so "
                f"long ({MOST_SAMPLES} at most): its clock was set; give it another name"
            )
            return None
        return bed

    def snapshot(self, position: Tree) -> bytes:
        """All that is needed to go on, with a position on the log."""
        tree = {
            "memory": self._memory.snapshot(),
            "beds": {name: bed.snapshot() for name, bed in self._beds.items()},
            "position": position,
        }
        return pack(tree, self._system.about)

    def restore(self, packed: bytes) -> Tree:
        """Go on from what `snapshot` took; returns the position on the log.

        Raises
        ------
        ValueError
            If it belongs to another network or other settings.
        """
        tree = unpack(packed, self._system.about)
        self._beds.clear()
        self._begin()
        self._memory.restore(tree["memory"], _no_time)
        for name, kept in tree["beds"].items():
            leads, fs, first, after, settles = kept["own"]
            bed = self._beds[name] = _Bed(name, leads, fs, self._system.config.fs, first)
            bed.next, bed.settles = after, settles
            if bed.there is not None:
                bed.there[0].restore(kept["there"][0])
                bed.there[1].restore(kept["there"][1])
        return tree["position"]


class _RoundEnds:
    """Says after each round that it is over."""

    def gather(self, rounds: Iterable[list[Hop | Gap]]) -> Iterator[list[Hop | Gap]]:
        for ready in rounds:
            yield [*ready, _ROUND_ENDS]


def _no_time() -> int:
    return 0


def _chunk(bed: _Bed, start: int, piece: Piece, ends: bool) -> Chunk:
    data = piece.signals[0] if len(piece.signals) else np.empty((len(bed.leads), 0), np.float32)
    return Chunk(bed.name, start, data, piece.stamps, 0, ends_segment=ends)


def _piece(bed: _Bed, message: Emitted | Gap) -> Piece:
    if isinstance(message, Gap):
        return plain_piece(bed.name, bed.leads, bed.fs, message.start, message.stop - message.start, Flag.GAP)
    reasons = np.zeros_like(message.marks) if message.reasons is None else message.reasons
    return Piece(
        bed.name,
        bed.leads,
        bed.fs,
        message.start,
        message.raw.shape[1],
        message.source_time,
        np.stack([message.raw, message.cleaned, message.mean_square]),
        np.stack([message.marks, reasons]),
        Flag.SETTLING if message.start < bed.settles else Flag.NONE,
    )
