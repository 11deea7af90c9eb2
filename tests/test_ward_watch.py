"""The station of a ward on several machines: a real broker, workers, one of which dies, and the page."""

import asyncio
import os
import threading
from contextlib import ExitStack, contextmanager

from log_tools import brokers, chunks_at_real_speed
from page_tools import chromium, needs_chromium, tiles, until
from ward_tools import station_of

from engine.in_process.stages import open_system
from streamer.chunk import StreamInfo
from streamer.partition import owner_of, partition_of
from ward.beds import Beds
from ward.log import broker
from ward.log.broker import open_log
from ward.log.ingest import Sender
from ward.log.watch import Watch
from ward.log.worker import Worker


def beds_of_each(names):
    """Two beds of each worker. Whose a bed is goes by the workers' names, which differ from run to run."""
    beds = [f"bed {number}" for number in range(1, 100)]
    return [[bed for bed in beds if owner_of(partition_of(bed), names) == name][:2] for name in names]


class Machine:
    """A worker on a thread and a connection of its own, which can die as a machine does: it says nothing."""

    def __init__(self, url, system):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run(url, system)])
        self._ends = asyncio.Event()
        self.worker = None
        self._thread.start()

    async def _run(self, url, system):
        log = await open_log(url)
        self.worker = Worker(log, system, lambda line: None)
        running = asyncio.create_task(self.worker.run(asyncio.Event()))
        await self._ends.wait()
        # Without a connection it can leave no word on its way out.
        await log.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        while not all(task.done() for task in others):
            for task in others:
                task.cancel()
            await asyncio.wait(others, timeout=0.1)
        await asyncio.gather(running, *others, return_exceptions=True)

    def die(self):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ends.set)
            self._thread.join()
            self._loop.close()


@contextmanager
def sending(url, names):
    """Beds that send at real speed."""
    sender, ends = Sender(url), threading.Event()

    def send():
        for chunks in chunks_at_real_speed(names, ends):
            sender.put(chunks)

    thread = threading.Thread(target=send)
    try:
        for name in names:
            sender.begin(StreamInfo(360.0, ("II",), name, name))
        thread.start()
        yield
    finally:
        ends.set()
        if thread.ident:
            thread.join()
        sender.end()


@contextmanager
def watching(url):
    watch, stop = Watch(Beds()), threading.Event()
    thread = threading.Thread(target=asyncio.run, args=[watch.watch(url, stop.is_set, lambda line: None)])
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join()


@needs_chromium
def test_a_worker_that_dies_is_seen_on_the_page_and_its_beds_go_on(tmp_path, monkeypatch):
    # No lease ends in this test: that its connection is gone must be enough.
    monkeypatch.setattr(broker, "LEASE_S", 3600.0)
    system = open_system("butterworth", 100.0, 40.0, waits=True)
    with ExitStack() as stack:
        url = stack.enter_context(brokers(tmp_path)).url
        machines = []
        for _ in range(2):
            machines.append(Machine(url, system))
            stack.callback(machines[-1].die)
        until(lambda: all(machine.worker for machine in machines))
        orphans, others = beds_of_each([machine.worker.name for machine in machines])
        stack.enter_context(sending(url, orphans + others))
        watch = stack.enter_context(watching(url))
        station = stack.enter_context(station_of(watch.beds, ready=lambda: watch.ready))
        page = stack.enter_context(chromium())
        page.get(station.address.url)
        until(lambda: len(tiles(page)) == len(orphans + others))
        until(lambda: watch.ready)

        until(lambda: {bed.worker for bed in watch.beds.all} == {0, 1})
        machines[0].die()

        def events():
            return page.find_element("id", "events").text

        until(lambda: "has gone; others take its beds over" in events())
        until(lambda: all(f"{bed} is cleaned by worker" in events() for bed in orphans))
        until(lambda: len({bed.worker for bed in watch.beds.all}) == 1)
        before = {bed.info.name: bed.newest for bed in watch.beds.all}
        until(lambda: all(bed.newest > before[bed.info.name] for bed in watch.beds.all))
        if picture := os.environ.get("ECG_STREAM_PICTURE"):
            page.save_screenshot(picture)
        # Nothing is lost with a worker.
        assert not any(bed.status.gaps for bed in watch.beds.all)
