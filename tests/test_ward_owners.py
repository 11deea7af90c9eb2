"""Owners and senders of a ward on several machines, in one process with a broker of its own."""

import asyncio

import numpy as np
import pytest
from log_tools import account, asked, brokers, chunks, cleaned, own, send, until

from engine.in_process.stages import open_system
from streamer.errors import InputError
from streamer.partition import partition_of
from ward.log import run
from ward.log.broker import STREAM, open_log, raw_subject
from ward.log.fence import Fenced
from ward.log.figures import Figures
from ward.log.frames import Flag, Message, Piece, encode
from ward.log.partition import Partition
from ward.log.record import record


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with brokers(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def filter_():
    """A cheap system; the network's own state is for `test_ward_log`."""
    return open_system("butterworth", 100.0, 40.0, waits=True)


def test_an_old_owner_can_write_nothing_and_leave_no_snapshot(broker, filter_):
    sent = send(broker, "fenced", 0, 1800)

    async def work(log):
        old, _ = await own(log, "fenced", 5, filter_)
        new, _ = await own(log, "fenced", 6, filter_)
        with pytest.raises(Fenced):
            await old._fence.write(Message((), 5, 1))
        old._saved = -1
        with pytest.raises(Fenced):
            await old._save()
        with pytest.raises(Fenced):
            await own(log, "fenced", 4, filter_)
        assert new.counts == {}

    asked(broker.url, work)
    pieces, found = cleaned(broker, "fenced")
    numbers, gaps, _ = account(pieces)
    assert (numbers, gaps) == (list(range(sent.samples)), [])
    assert [message.epoch for _, message in found] == sorted(message.epoch for _, message in found)


def test_with_other_weights_all_samples_are_cleaned_and_marked_as_settling(broker, filter_):
    other = open_system("butterworth", 50.0, 40.0, waits=True)
    sender = send(broker, "rolled", 0, 1800, end=False)
    try:
        until(lambda: sender._beds["id of rolled"].sent.samples == 1800)
        asked(broker.url, lambda log: own(log, "rolled", 5, filter_))
        sender.put(chunks("rolled", 1800, 3600))
        sender.end()
    except BaseException:
        sender.close()
        raise
    _, told = asked(broker.url, lambda log: own(log, "rolled", 6, other))
    assert any("its snapshot is of no use here" in line for line in told)
    pieces, _ = cleaned(broker, "rolled")
    numbers, gaps, _ = account(pieces)
    assert (numbers, gaps) == (list(range(3600)), [])
    settling = [piece.start for piece in pieces if piece.flag & Flag.SETTLING]
    assert settling
    assert min(settling) > 1700


def test_keys_can_be_listed_while_they_are_deleted(broker):
    names = [f"passing-{number}" for number in range(20)]

    async def work(log):
        await asyncio.gather(*(log.workers.put(name, b"") for name in names))
        gone = asyncio.gather(*(log.workers.delete(name) for name in names))
        lists = [await log.keys(log.workers) for _ in range(4)]
        await gone
        return lists, await log.keys(log.workers)

    lists, at_last = asked(broker.url, work)
    assert all(set(keys) <= {*names, *at_last} for keys in lists)
    assert not set(at_last) & set(names)


def test_the_broker_says_that_nobody_is_there_once_the_connection_has_gone(broker):
    async def work(log):
        other = await open_log(broker.url)
        await other.answer_as("somebody")
        # It is there as soon as the broker knows, and stays so though it does not answer.
        while not await log.is_there("somebody"):
            await asyncio.sleep(0.02)
        before = await log.is_there("somebody")
        await other.close()
        while await log.is_there("somebody"):
            await asyncio.sleep(0.02)
        return before

    assert asked(broker.url, work)


def test_a_bed_that_comes_back_goes_on_behind_a_gap(broker, filter_):
    send(broker, "back", 0, 720)
    again = send(broker, "back", 0, 720)
    assert again.first > 720
    asked(broker.url, lambda log: own(log, "back", 5, filter_))
    numbers, gaps, _ = account(cleaned(broker, "back")[0])
    assert gaps == [(720, again.first)]
    assert numbers == [*range(720), *range(again.first, again.first + 720)]


def test_who_is_behind_writes_few_messages_and_does_not_rest(broker, filter_, monkeypatch):
    rested = []

    async def rest(self, stop, seconds):
        rested.append(self._through)
        await asyncio.sleep(0)

    async def many(log):
        for each in chunks("late", 0, 3600):
            words = np.empty((0, *each.data.shape), np.uint8)
            piece = Piece("late", ("II",), 360.0, each.start, 36, each.source_time, each.data[None], words)
            subject = raw_subject(partition_of("late"))
            await log.js.publish(subject, encode(Message([piece])), stream=STREAM)
        monkeypatch.setattr(Partition, "_pause", rest)
        await own(log, "late", 5, filter_)
        return (await log.newest(raw_subject(partition_of("late"))))[1]

    newest = asked(broker.url, many)
    assert rested == [newest]
    pieces, found = cleaned(broker, "late")
    numbers, gaps, _ = account(pieces)
    assert numbers == list(range(numbers[-1] + 1))
    assert (numbers[-1] > 3500, gaps) == (True, [])
    assert len(found) < 20


def test_a_bed_is_recorded_from_the_log(broker, filter_, tmp_path):
    import wfdb

    send(broker, "kept", 0, 900)
    asked(broker.url, lambda log: own(log, "kept", 5, filter_))
    told = []
    summary = record(broker.url, "kept", tmp_path, from_start=True, tell=told.append)
    assert (summary.samples, summary.missing, summary.first, summary.next) == (900, 0, 0, 900)
    values = wfdb.rdrecord(summary.recording).p_signal
    left = np.concatenate(
        [piece.signals[:2, 0] for piece in cleaned(broker, "kept")[0] if piece.count], axis=1
    )
    np.testing.assert_allclose(values, left.T, atol=0.6e-3)
    with pytest.raises(InputError, match=r"knows no bed 'nobody'; it knows: .*kept"):
        record(broker.url, "nobody", None, from_start=False, tell=told.append)


def test_a_worker_ends_when_told_to_though_the_broker_is_gone(tmp_path, filter_, monkeypatch):
    monkeypatch.setattr(run, "_LEAVES_S", 0.5)
    told = []
    with brokers(tmp_path) as broker:

        def pressed():
            if told:
                broker.kill()
            return bool(told)

        summary = asyncio.run(run._work(broker.url, filter_, pressed, told.append, Figures()))
    assert summary.beds == {}
    assert "the broker took no last snapshot" in told[-1]
