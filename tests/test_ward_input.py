"""Bad input of a ward on several machines is one clear line each, and costs the others nothing."""

import asyncio

import numpy as np
import pytest
from log_tools import account, asked, brokers, chunks, cleaned, info, messages_of, own, send

from engine.in_process.stages import open_system
from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.partition import partition_of
from ward.log import ingest
from ward.log.broker import STREAM, open_log, raw_subject
from ward.log.frames import Message, Piece, encode
from ward.log.ingest import Sender


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with brokers(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def filter_():
    """A cheap system; the network's own state is for `test_ward_log`."""
    return open_system("butterworth", 100.0, 40.0, waits=True)


def test_a_bed_has_one_sender_and_one_rate(broker):
    sender = send(broker, "taken", 0, 72, end=False)
    try:
        second = Sender(broker.url)
        with pytest.raises(InputError, match="is sent by another ingest already"):
            second.begin(info("taken"))
        second.close()
        with pytest.raises(InputError, match="two of these beds are called taken"):
            sender.begin(StreamInfo(360.0, ("II",), "taken", "other"))
    finally:
        sender.end()
    third = Sender(broker.url)
    with pytest.raises(InputError, match=r"was II at 360 Hz on this ward and is II at 250 Hz now"):
        third.begin(info("taken", 250.0))
    third.close()


def test_a_clock_that_is_set_meanwhile_moves_no_sample(broker, monkeypatch):
    sender = send(broker, "set", 0, 360, end=False)
    now = ingest.time.time
    monkeypatch.setattr(ingest.time, "time", lambda: now() - 3600)
    sender.put(chunks("set", 360, 720))
    sender.end()
    found = asked(broker.url, lambda log: messages_of(log, raw_subject(partition_of("set"))))
    stamps = [piece.stamps for _, message in found for piece in message.pieces if piece.bed == "set"]
    np.testing.assert_allclose(np.diff(np.concatenate(stamps)), 1 / 360, atol=1e-6)


@pytest.mark.parametrize(("set_s", "samples"), [(50 * 365 * 86400, 3600 * 360), (-10 * 365 * 86400, 1)])
def test_a_clock_that_is_set_between_two_runs_leaves_a_gap_of_an_hour_at_most(
    broker, monkeypatch, set_s, samples
):
    name = f"set by {set_s} s"
    send(broker, name, 0, 72)
    now = ingest.time.time
    monkeypatch.setattr(ingest.time, "time", lambda: now() + set_s)
    assert send(broker, name, 0, 72).first == 72 + samples


def test_a_bed_that_changes_its_rate_in_midstream_is_told_of_and_its_neighbour_is_whole(broker, filter_):
    beds = (
        "bed 7",
        next(
            name
            for name in map("bed {}".format, range(8, 5000))
            if partition_of(name) == partition_of("bed 7")
        ),
    )

    async def work(log):
        data = np.zeros((1, 36), np.float32)
        for number in range(20):
            fs = 360.0 if number < 10 else 250.0
            pieces = [
                Piece(
                    bed,
                    ("II",),
                    rate,
                    36 * number,
                    36,
                    np.arange(36) / rate,
                    data[None],
                    np.empty((0, 1, 36), np.uint8),
                )
                for bed, rate in zip(beds, (fs, 360.0), strict=True)
            ]
            await log.js.publish(raw_subject(partition_of("bed 7")), encode(Message(pieces)), stream=STREAM)
        return (await own(log, "bed 7", 5, filter_))[1]

    told = asked(broker.url, work)
    assert told == [
        "bed 7 is not cleaned: it sends II at 250 Hz and began with II at 360 Hz; give it another name"
    ]
    for bed, least in zip(beds, (300, 660), strict=True):
        numbers, gaps, _ = account(cleaned(broker, bed)[0])
        assert (numbers, gaps) == (list(range(len(numbers))), [])
        assert least <= len(numbers) <= 720


def test_a_message_that_nobody_understands_stops_nothing(broker, filter_):
    async def hostile(log):
        await log.js.publish(raw_subject(partition_of("calm")), b"ECGW\x01 and nonsense", stream=STREAM)

    asked(broker.url, hostile)
    send(broker, "calm", 0, 720)
    _, told = asked(broker.url, lambda log: own(log, "calm", 5, filter_))
    assert [line for line in told if "is not understood" in line]
    assert account(cleaned(broker, "calm")[0])[0] == list(range(720))


def test_no_broker_and_another_ward_are_one_clear_line(broker):
    with pytest.raises(InputError, match=r"no broker answers at nats://127.0.0.1:1"):
        Sender("nats://127.0.0.1:1")

    async def of_another_kind(log):
        await log.owners.put("partitions", b"64")

    asked(broker.url, of_another_kind)
    try:
        with pytest.raises(InputError, match=r"has 64 partitions and this program 256"):
            asyncio.run(open_log(broker.url))
    finally:

        async def mended():
            import nats

            client = await nats.connect(broker.url)
            await (await client.jetstream().key_value("ward-owners")).put("partitions", b"256")
            await client.close()

        asyncio.run(mended())
