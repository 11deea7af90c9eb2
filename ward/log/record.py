"""Records one bed of a ward from the log, as a run of its own would have recorded it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.run.ctrl_c import ctrl_c_noted
from engine.sinks.recording import Recording
from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.partition import partition_of
from ward.log.beds import bed_key, unpacked
from ward.log.broker import Log, cleaned_subject, open_log
from ward.log.frames import Flag, Piece
from ward.log.reader import BedReader, message_of


@dataclass
class BedSummary:
    """What was read of a bed.

    Parameters
    ----------
    samples, missing, settling
        Of each lead: cleaned ones, those that never came, and of the cleaned ones those that are marked.
    first, next
        Number of the first sample, and of the one that follows the last; None before there is one.
    recording, recording_problem
        Record without extension, and why it has ended before the bed.
    """

    bed: str
    samples: int = 0
    missing: int = 0
    settling: int = 0
    first: int | None = None
    next: int | None = None
    recording: str | None = None
    recording_problem: str = ""

    def take(self, piece: Piece) -> None:
        """Count a piece."""
        if piece.flag & Flag.GAP:
            self.missing += piece.count
        else:
            self.samples += piece.count
        if piece.flag & Flag.SETTLING:
            self.settling += piece.count
        self.first = piece.start if self.first is None else self.first
        self.next = piece.stop


def record(
    url: str, bed: str, folder: Path | None, *, from_start: bool, tell: Callable[[str], None]
) -> BedSummary:
    """Read a bed until it ends, or Ctrl-C.

    Parameters
    ----------
    folder
        Where to record; None only counts.
    from_start
        Read what the log still has of it first.

    Raises
    ------
    InputError
        If the broker cannot be used, or knows no such bed.
    """
    with ctrl_c_noted() as pressed:
        return asyncio.run(_record(url, bed, folder, from_start, pressed, tell))


async def _record(
    url: str,
    bed: str,
    folder: Path | None,
    from_start: bool,
    pressed: Callable[[], bool],
    tell: Callable[[str], None],
) -> BedSummary:
    log = await open_log(url)
    try:
        info = await _info_of(log, bed)
        newest = None if from_start else await log.newest(cleaned_subject(partition_of(bed)))
        reader = BedReader(log, bed, newest[1] if newest else 0)
        summary = BedSummary(bed)
        recording = Recording(folder, info, None, ["cleaned by a ward"]) if folder else None
        since_1970 = time.time() - time.perf_counter()
        tell(f"{bed}: {', '.join(info.leads)} at {info.fs:g} Hz; Ctrl-C ends")
        try:
            while not (reader.ended or pressed()):
                for piece in await reader.read():
                    summary.take(piece)
                    if recording:
                        recording.push(message_of(piece, since_1970))
        finally:
            await reader.close()
            if recording:
                recording.close()
                summary.recording, summary.recording_problem = str(recording.path), recording.problem
        return summary
    finally:
        await log.close()


async def _info_of(log: Log, bed: str) -> StreamInfo:
    found = await log.value(log.beds, bed_key(bed))
    if found is None:
        known = [await log.value(log.beds, key) for key in await log.keys(log.beds)]
        names = sorted(unpacked(each[0]).bed for each in known if each)
        raise InputError(f"the ward knows no bed {bed!r}; it knows: {', '.join(names) or 'none'}")
    claim = unpacked(found[0])
    return StreamInfo(claim.fs, tuple(claim.leads), bed, bed)
