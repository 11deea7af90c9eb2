"""The edge: puts the samples of its beds on the log, stamped and numbered."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterable
from typing import Any, Final, TypeVar

import numpy as np

from streamer.chunk import Chunk, StreamInfo
from streamer.errors import InputError
from streamer.partition import partition_of
from ward.log.beds import Claim, SentBed, bed_key, unpacked
from ward.log.broker import KEPT_S, LEASE_S, STREAM, Log, open_log, raw_subject
from ward.log.follower import Follower
from ward.log.frames import Flag, Message, Piece, decode, encode, in_messages, merged, plain_piece
from ward.log.worker import RENEW_S, SENDER, own_name, stay_alive

HOP_S: Final = 0.04
"""Samples of so long make a message, and of longer where the broker takes longer for a round of them."""
MESSAGE_BYTES: Final = 500_000
_NOTE_S: Final = 15.0
"""So often it is noted where on the log each bed is; one that comes back reads so much of it."""
WAITING_BYTES: Final = 4_000_000
"""So much may wait for the broker; then the sources wait."""


T = TypeVar("T")


class _Bed:
    """A bed that is sent."""

    def __init__(self, info: StreamInfo, first: int, claim: Claim) -> None:
        self.info, self.name, self.claim = info, info.name, claim
        self.partition = partition_of(self.name)
        self.sent = SentBed(self.name, first, first)
        self._offset: int | None = None
        self._first = first

    @property
    def key(self) -> str:
        """Its key among the beds."""
        return bed_key(self.name)

    def piece(self, chunk: Chunk, since_1970: float) -> Piece:
        """A chunk, in the numbers of the bed."""
        if self._offset is None:
            self._offset = self._first - chunk.start
        return Piece(
            self.name,
            self.info.leads,
            self.info.fs,
            chunk.start + self._offset,
            chunk.data.shape[1],
            chunk.source_time + since_1970,
            chunk.data[None],
            np.empty((0, *chunk.data.shape), np.uint8),
        )


class Sender:
    """Sends chunks of any number of beds, from any thread, over a connection of its own.

    Parameters
    ----------
    url
        Of the broker: ``nats://HOST:PORT``.

    Raises
    ------
    InputError
        If it cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sending", daemon=True)
        self._thread.start()
        self._name = own_name(SENDER)
        # One clock for the whole run: what somebody sets it to meanwhile moves no sample.
        self._since_1970 = time.time() - time.perf_counter()
        self._beds: dict[str, _Bed] = {}
        self._pending: list[tuple[_Bed, Piece]] = []
        self._bytes = 0
        self._room = threading.Condition()
        self._ended = False
        try:
            self._log: Log = self._wait(open_log(url))
            self._wait(self._log.surely(lambda: self._log.workers.put(self._name, b"")))
        except BaseException:
            self._end_thread()
            raise
        self._alive = asyncio.run_coroutine_threadsafe(stay_alive(self._log, self._name), self._loop)
        self._sending = asyncio.run_coroutine_threadsafe(self._send_all(), self._loop)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def begin(self, info: StreamInfo) -> None:
        """Claim a bed, before its first chunk.

        Raises
        ------
        InputError
            If somebody else sends it, or it had another rate or other leads before.
        """
        if any(bed.name == info.name for bed in self._beds.values()):
            raise InputError(f"two of these beds are called {info.name}; a name in the ward stands for one")
        bed = self._wait(self._claimed(info))
        self._beds[info.source_id] = bed

    def put(self, chunks: Iterable[Chunk]) -> None:
        """Have chunks sent; waits while too much waits for the broker."""
        for chunk in chunks:
            if not chunk.data.shape[1]:
                continue
            bed = self._beds[chunk.stream]
            piece = bed.piece(chunk, self._since_1970)
            with self._room:
                while self._bytes > WAITING_BYTES and not self._sending.done():
                    self._room.wait(0.2)
                self._pending.append((bed, piece))
                self._bytes += piece.signals.nbytes
            if self._sending.done():
                self._sending.result()

    def end(self) -> list[SentBed]:
        """Say that all beds have ended, and wait until the broker has everything."""
        with self._room:
            for bed in self._beds.values():
                info = bed.info
                last = plain_piece(bed.name, info.leads, info.fs, 0, flag=Flag.ENDS)
                self._pending.append((bed, last))
            self._ended = True
        try:
            self._sending.result()
        finally:
            self.close()
        return [bed.sent for bed in self._beds.values()]

    def close(self) -> None:
        """Hang up; what the broker does not have is lost."""
        self._sending.cancel()
        self._alive.cancel()
        self._wait(self._hang_up())
        self._end_thread()

    async def _hang_up(self) -> None:
        await self._log.workers.delete(self._name)
        await self._log.close()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # on the thread that sends

    async def _claimed(self, info: StreamInfo) -> _Bed:
        from nats.js.errors import KeyWrongLastSequenceError

        log, key = self._log, bed_key(info.name)
        found = await log.value(log.beds, key)
        claim = Claim(info.name, info.fs, list(info.leads), self._name)
        first, revision = 0, 0
        if found is not None:
            before, revision = unpacked(found[0]), found[1]
            if await self._is_alive(before.sender):
                raise InputError(
                    f"{info.name} is sent by another ingest already ({before.sender}); end that one"
                )
            if (before.fs, before.leads) != (claim.fs, claim.leads):
                raise InputError(
                    f"{info.name} was {', '.join(before.leads)} at {before.fs:g} Hz on this ward and is "
                    f"{', '.join(claim.leads)} at {claim.fs:g} Hz now; give it another name"
                )
            claim.log = before.log
            first = await self._first_after(before)
        try:
            await log.surely(lambda: log.beds.update(key, claim.packed(), last=revision))
        except KeyWrongLastSequenceError:
            after = await log.value(log.beds, key)
            if after is None or unpacked(after[0]).sender != self._name:
                raise InputError(f"{info.name} is sent by another ingest already; end that one") from None
        return _Bed(info, first, claim)

    async def _is_alive(self, sender: str) -> bool:
        """Whether somebody sends, or has only just died."""
        ends_s = time.monotonic() + 2 * LEASE_S
        while sender in await self._log.keys(self._log.workers):
            if time.monotonic() > ends_s:
                return True
            await asyncio.sleep(RENEW_S)
        return False

    async def _first_after(self, before: Claim) -> int:
        """Number with which a bed goes on: what passed since its last sample is a gap of true length."""
        partition = partition_of(before.bed)
        newest = await self._log.newest(raw_subject(partition))
        if newest is None:
            return 0
        stop, stamp = 0, time.time()
        raw = Follower(self._log, raw_subject(partition), max(0, before.log - 1))
        try:
            while raw.after < newest[1]:
                for message in await raw.read():
                    for piece in decode(message.data).pieces:
                        if piece.bed == before.bed and piece.count:
                            stop, stamp = piece.stop, float(piece.stamps[-1])
        finally:
            await raw.close()
        # The broker forgets a bed after so long: a clock that says more was set meanwhile.
        passed_s = min(time.time() - stamp, KEPT_S)
        return stop + max(1, round(passed_s * before.fs)) if stop else 0

    async def _send_all(self) -> None:
        renewed_s = time.monotonic()
        while True:
            begun_s = time.monotonic()
            with self._room:
                pending, self._pending, self._bytes = self._pending, [], 0
                ended = self._ended
                self._room.notify_all()
            by_partition: dict[int, list[tuple[_Bed, Piece]]] = {}
            for bed, piece in pending:
                by_partition.setdefault(bed.partition, []).append((bed, piece))
            await asyncio.gather(*(self._send(*each) for each in by_partition.items()))
            if ended and not self._pending:
                await self._renew_claims()
                return
            if time.monotonic() - renewed_s > _NOTE_S:
                await self._renew_claims()
                renewed_s = time.monotonic()
            if self._bytes < MESSAGE_BYTES and not self._ended:
                await asyncio.sleep(max(HOP_S, time.monotonic() - begun_s))

    async def _send(self, partition: int, pieces: list[tuple[_Bed, Piece]]) -> None:
        """Put the pieces of a partition on the log, in order; each once, however often it is tried."""
        beds = {bed.name: bed for bed, _ in pieces}
        for together in in_messages(merged([piece for _, piece in pieces]), MESSAGE_BYTES):
            data, first = encode(Message(together)), together[0]
            name = f"{bed_key(first.bed)}.{first.start}.{first.flag:d}.{self._name}"
            written = await self._log.surely(
                lambda data=data, name=name: self._log.js.publish(  # type: ignore[misc]
                    raw_subject(partition), data, stream=STREAM, headers={"Nats-Msg-Id": name}
                )
            )
            for piece in together:
                bed = beds[piece.bed]
                if piece.count:
                    bed.sent.samples += piece.count
                    bed.sent.next = piece.stop
                bed.claim.log = written.seq

    async def _renew_claims(self) -> None:
        """Note where on the log each bed is."""
        log = self._log
        beds = list(self._beds.values())  # another may join meanwhile
        await asyncio.gather(
            *(log.surely(lambda bed=bed: log.beds.put(bed.key, bed.claim.packed())) for bed in beds)  # type: ignore[misc]
        )
