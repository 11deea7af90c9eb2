"""The pieces of a ward of several machines by themselves: bytes, the engine of a partition, who owns what."""

import numpy as np
import pytest
from log_tools import account

from engine.in_process.stages import open_system
from engine.marks import Mark
from models.registry import load_card
from streamer.partition import PARTITIONS, owner_of
from streamer.synthetic import SyntheticPatient
from ward.log.cleaner import SETTLES_S, Cleaner
from ward.log.frames import Flag, Message, Piece, decode, encode, in_messages, merged, plain_piece
from ward.log.reader import BedReader

LEADS = ("I", "II")


@pytest.fixture(scope="module")
def system():
    return open_system("lowdelay", 100.0, 40.0, waits=True)


def piece(bed, start, data, fs=360.0, leads=LEADS, flag=Flag.NONE):
    stamps = 1.8e9 + (start + np.arange(data.shape[1])) / fs
    words = np.empty((0, *data.shape), np.uint8)
    return Piece(bed, leads, fs, start, data.shape[1], stamps, data[None], words, flag)


def sent(bed, fs, seconds, seed, lost=()):
    """A bed's pieces of 40 ms, without those in a gap, and its end."""
    data = SyntheticPatient(fs=fs, leads=LEADS, seed=seed).read(0, round(seconds * fs)).data
    size = round(0.04 * fs)
    for start in range(0, data.shape[1], size):
        if not any(first <= start < stop for first, stop in lost):
            yield piece(bed, start, data[:, start : start + size], fs)
    yield plain_piece(bed, LEADS, fs, 0, flag=Flag.ENDS)


@pytest.fixture(scope="module")
def messages():
    """Two beds of one partition, one of another rate, each with a gap."""
    one, other = sent("one", 360.0, 5, 1, [(1008, 1400)]), sent("other", 250.0, 5, 2, [(500, 620)])
    return [list(pair) for pair in zip(one, other, strict=False)] + [[each] for each in (*one, *other)]


def cleaned(cleaner, messages, bed, **how):
    left = [out for pieces in messages for out in cleaner.push(pieces, **how)]
    return [out for out in left if out.bed == bed] if bed else left


def test_a_message_is_the_same_after_the_wire():
    words = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    signals = np.arange(18, dtype=np.float32).reshape(3, 2, 3)
    full = Piece("Bett „7“", LEADS, 250.5, 2**40, 3, np.arange(3.0), signals, words, Flag.SETTLING)
    gap = plain_piece("other", ("V1",), 360.0, 17, 1000, Flag.GAP)
    data = encode(Message([full, gap], epoch=5, through=2**50))
    again = decode(data)
    assert (again.epoch, again.through) == (5, 2**50)
    for before, after in zip([full, gap], again.pieces, strict=True):
        assert (before.bed, before.leads, before.fs, before.start, before.count, before.flag) == (
            after.bed,
            after.leads,
            after.fs,
            after.start,
            after.count,
            after.flag,
        )
        for name in ("stamps", "signals", "words"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_bytes_that_are_no_message_are_refused_or_read_as_one():
    """Never anything but a ValueError, and no array that is not in the bytes."""
    data = encode(Message([piece("bed", 0, np.zeros((2, 5), np.float32))]))
    for length in range(len(data)):
        with pytest.raises(ValueError, match=r"."):
            decode(data[:length])
    read = []
    for place in range(len(data)):
        wrong = bytearray(data)
        wrong[place] ^= 0xFF
        try:
            read.append((place, decode(bytes(wrong))))
        except ValueError:
            continue
    assert not [place for place, _ in read if place < 5]
    assert all(each.signals.size <= 2 * 5 for _, message in read for each in message.pieces)


def test_pieces_that_follow_each_other_become_one():
    data = np.arange(24, dtype=np.float32).reshape(2, 12)
    parts = [
        piece("a", 0, data[:, :4]),
        piece("b", 0, data),
        piece("a", 4, data[:, 4:]),
        piece("a", 13, data),
    ]
    joined = merged(parts)
    assert [(each.bed, each.start, each.stop) for each in joined] == [
        ("a", 0, 12),
        ("a", 13, 25),
        ("b", 0, 12),
    ]
    np.testing.assert_array_equal(joined[0].signals[0], data)
    assert [len(each) for each in in_messages(joined, 1)] == [1, 1, 1]
    assert [len(each) for each in in_messages(joined, 10**6)] == [3]


def test_every_sample_leaves_once_and_a_gap_has_its_length(system, messages):
    cleaner = Cleaner(system)
    left = cleaned(cleaner, messages, None)
    for bed, samples, gap in (("one", 1800, (1008, 1400)), ("other", 1250, (500, 620))):
        numbers, gaps, _ = account([each for each in left if each.bed == bed])
        assert gaps == [gap]
        assert sorted(numbers + list(range(*gap))) == list(range(samples))
        assert [each for each in left if each.bed == bed][-1].flag is Flag.ENDS
    marks = {mark for each in left for mark in np.unique(each.words[:1])}
    assert Mark.CLEANED in marks


@pytest.mark.parametrize("cut", [3, 72, 100])
def test_another_engine_goes_on_to_the_bit(system, messages, cut):
    whole = cleaned(Cleaner(system), messages, None)
    first, second = Cleaner(system), Cleaner(system)
    left = cleaned(first, messages[:cut], None)
    assert second.restore(first.snapshot((cut, "here"))) == (cut, "here")
    # What was sent already is sent again, as after a lost acknowledgement.
    left += cleaned(second, messages[max(0, cut - 2) :], None)
    for bed in ("one", "other"):
        again, once = ([each for each in all_ if each.bed == bed] for all_ in (left, whole))
        assert account(again) == account(once)


def test_a_snapshot_of_another_network_is_refused(system, messages):
    cleaner = Cleaner(system)
    cleaned(cleaner, messages[:5], None)
    other = open_system("butterworth", 100.0, 40.0, waits=True)
    with pytest.raises(ValueError, match=r"belongs to another .*network, weights"):
        Cleaner(other).restore(cleaner.snapshot(0))


def test_a_snapshot_belongs_to_the_weights_and_to_the_graph(system):
    """Another graph of the same weights may keep another state."""
    trained = load_card("lowdelay").trained
    assert (system.about["weights"], system.about["graph"]) == (trained.weights_sha256, trained.onnx_sha256)


def test_a_bed_begun_in_midstream_is_marked_until_it_has_settled(system):
    data = np.zeros((2, round(360 * (SETTLES_S + 2))), np.float32)
    data += SyntheticPatient(leads=LEADS, seed=4).read(0, data.shape[1]).data
    left = cleaned(Cleaner(system), [[piece("bed", 720, data)]], "bed", settling=True)
    flags = {each.start: each.flag for each in left}
    assert min(flags) == 720
    assert all((flag is Flag.SETTLING) == (start < 720 + SETTLES_S * 360) for start, flag in flags.items())
    assert set(flags.values()) == {Flag.NONE, Flag.SETTLING}


def test_a_bed_that_changes_its_rate_is_refused_and_its_neighbour_is_not(system):
    data = np.zeros((2, 90), np.float32)
    cleaner = Cleaner(system)
    cleaner.push([piece("bed", 0, data), piece("next", 0, data)])
    left = cleaner.push([piece("bed", 90, data, fs=250.0), piece("next", 90, data)])
    assert {each.bed for each in left} == {"next"}
    assert "360 Hz; give it another name" in cleaner.refused["bed"]


def test_a_bed_that_jumps_further_than_a_gap_can_be_is_refused_and_its_neighbour_is_not(system):
    data = np.zeros((2, 90), np.float32)
    for fs in (360.0, 250.0):
        cleaner = Cleaner(system)
        cleaner.push([piece("bed", 0, data, fs), piece("next", 0, data)])
        left = cleaner.push([piece("bed", 90 + 2**32, data, fs), piece("next", 90, data)])
        decode(encode(Message(left)))
        assert {each.bed for each in left} == {"next"}
        assert "its clock was set; give it another name" in cleaner.refused["bed"]


def test_a_reader_takes_no_sample_twice_and_none_of_an_old_owner():
    def left(start, stop, bed="bed"):
        data = np.zeros((3, 2, stop - start), np.float32)
        words = np.zeros((2, 2, stop - start), np.uint8)
        return Piece(bed, LEADS, 360.0, start, stop - start, np.zeros(stop - start), data, words)

    reader = BedReader(None, "bed")
    written = [(5, left(0, 10)), (5, left(10, 20)), (6, left(15, 30)), (5, left(30, 40)), (6, left(30, 33))]
    ranges = []
    for epoch, each in written:
        new = reader.pieces_of(Message([each, left(0, 99, "other")], epoch))
        ranges += [(piece.start, piece.stop) for piece in new]
    assert ranges == [(0, 10), (10, 20), (20, 30), (30, 33)]
    assert not reader.ended
    assert not list(reader.pieces_of(Message([plain_piece("bed", LEADS, 360.0, 33, flag=Flag.ENDS)], 6)))
    assert reader.ended


def test_few_partitions_move_where_a_worker_goes():
    workers = ["a", "b", "c", "d"]
    before = [owner_of(each, workers) for each in range(PARTITIONS)]
    after = [owner_of(each, workers[:-1]) for each in range(PARTITIONS)]
    assert all(now == then for now, then in zip(after, before, strict=True) if then != "d")
    assert all(40 < before.count(name) < 90 for name in workers)
    assert owner_of(7, reversed(workers)) == owner_of(7, workers)
