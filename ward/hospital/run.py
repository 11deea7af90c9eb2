"""Reads beds from the log and hands them to a hospital, from the start to Ctrl-C."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from engine.run.ctrl_c import ctrl_c_noted
from streamer.partition import partition_of
from ward.hospital.places import Place, Places, open_places
from ward.hospital.stretches import CLEANED, Stretch, Stretches
from ward.log.broker import Log, cleaned_subject, open_log
from ward.log.follower import Follower
from ward.log.frames import decode
from ward.log.reader import BedReader

_LOOK_S = 0.1

Hand = Callable[[Stretch, asyncio.Event], Awaitable[bool]]
"""Gives a stretch to the hospital; False where it was told to stop before that has it."""


@dataclass
class Told:
    """What a hospital was told of a bed.

    Parameters
    ----------
    messages, samples
        Accepted by it; samples of each lead.
    lost
        Samples of each lead that the log had no more when they were read.
    """

    bed: str
    messages: int = 0
    samples: int = 0
    lost: int = 0


@dataclass(frozen=True)
class Plan:
    """What is to be told.

    Parameters
    ----------
    beds
        Their names in the ward.
    destination
        To where, in a word that stays the same.
    seconds
        Length of a stretch.
    signal
        `stretches.RAW` or `CLEANED`.
    from_start
        Begin a bed that was never told with what the log still has of it.
    """

    beds: tuple[str, ...]
    destination: str
    seconds: float
    signal: int = CLEANED
    from_start: bool = False


@dataclass
class _Bed:
    reader: BedReader
    stretches: Stretches
    place: Place
    told: Told
    ready: list[Stretch] = field(default_factory=list)


def tell_hospital(url: str, plan: Plan, hand: Hand, close: Callable[[], Awaitable[None]]) -> list[Told]:
    """Tell a hospital of beds until Ctrl-C.

    Parameters
    ----------
    close
        Called at the end, whatever ends it.

    Raises
    ------
    InputError
        If the broker cannot be used, or another process tells there of the same beds.
    OSError
        If what `hand` writes cannot be written.
    """
    with ctrl_c_noted() as pressed:
        return asyncio.run(_until_pressed(url, plan, hand, close, pressed))


async def _until_pressed(
    url: str, plan: Plan, hand: Hand, close: Callable[[], Awaitable[None]], pressed: Callable[[], bool]
) -> list[Told]:
    log = await open_log(url)
    stop = asyncio.Event()

    async def look() -> None:
        while not pressed():
            await asyncio.sleep(_LOOK_S)
        stop.set()

    looking = asyncio.create_task(look())
    try:
        return await tell(log, plan, hand, stop)
    finally:
        looking.cancel()
        await close()
        await log.close()


async def tell(log: Log, plan: Plan, hand: Hand, stop: asyncio.Event) -> list[Told]:
    """Tell of beds until told to stop; `tell_hospital` says what may be raised.

    Every partition is read by one reader, however many of its beds are told.
    """
    places = await open_places(log, plan.destination)
    partitions: dict[int, list[str]] = {}
    for bed in plan.beds:
        partitions.setdefault(partition_of(bed), []).append(bed)
    told: Mapping[str, Told] = {bed: Told(bed) for bed in plan.beds}
    try:
        async with asyncio.TaskGroup() as group:
            for number, beds in partitions.items():
                group.create_task(_tell(log, places, plan, number, [told[bed] for bed in beds], hand, stop))
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return list(told.values())


async def _tell(
    log: Log, places: Places, plan: Plan, number: int, told: list[Told], hand: Hand, stop: asyncio.Event
) -> None:
    subject = cleaned_subject(number)
    newest = None if plan.from_start else await log.newest(subject)
    beds = []
    for each in told:
        place = await places.begin(each.bed, newest[1] if newest else 0)
        stretches = Stretches(plan.seconds, place.next, plan.signal)
        beds.append(_Bed(BedReader(log, each.bed), stretches, place, each))
    follower = Follower(log, subject, min(bed.place.after for bed in beds))
    try:
        while not stop.is_set():
            for message in await follower.read():
                at, content = message.metadata.sequence.stream, decode(message.data)
                for bed in beds:
                    if at <= bed.place.after:
                        continue
                    for piece in bed.reader.pieces_of(content):
                        bed.ready += bed.stretches.push(piece)
                    if bed.reader.ended:
                        bed.ready += bed.stretches.end()
                    for stretch in bed.ready:
                        if not await hand(stretch, stop):
                            return
                        bed.told.messages += 1
                        bed.told.samples += len(stretch.stamps)
                        # What follows it may stand in the same message.
                        bed.place = Place(stretch.stop, at - 1)
                        await places.keep(bed.told.bed, bed.place)
                    bed.ready = []
                    bed.told.lost = bed.stretches.lost
    finally:
        await follower.close()
