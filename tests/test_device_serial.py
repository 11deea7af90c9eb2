"""Numbers on a serial port: lines and frames, garbage, losses, a port that is unplugged."""

import os
import struct
import threading
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from device_tools import playing, samples
from hypothesis import given, settings
from hypothesis import strategies as st
from serial_tools import FS, Arduino, sending

from streamer.devices.serial_format import FrameFormat, TextFormat, as_rows
from streamer.errors import InputError
from streamer.lsl.settings import LslSettings
from streamer.open_source import open_source
from streamer.settings import SourceSettings
from streamer.watchdog import StreamState

pytest.importorskip("serial", reason="pyserial is not installed (pip install -e '.[devices]')")

# Formats


def cut(data, places):
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:stop] for start, stop in pairwise(edges)]


@given(st.lists(st.integers(0, 10_000), max_size=30))
@settings(max_examples=50, deadline=None)
def test_lines_and_frames_do_not_depend_on_the_pieces_they_come_in(places):
    text = b"9\n" + b"".join(f"{n},{-n / 8}\r\n".encode() for n in range(100))
    frames = b"\x5a" + b"".join(b"\xa5\x5a" + struct.pack("<Ih", n, -n) for n in range(100)) + b"\xa5\x5a"
    for format, data, scale in (
        (TextFormat(2), text, 8),
        (FrameFormat("A55A <Ih", 0), frames, 1),
    ):
        read = [values for piece in cut(data, places) for values in format.feed(piece)]
        assert read == [[n, -n / scale] for n in range(100)]


@pytest.mark.parametrize("between", [",", ";", "\t", " ", ", "])
def test_what_stands_between_numbers_does_not_matter(between):
    format = TextFormat(3)
    assert format.feed(f"\n1{between}-2.5{between}3e2\n".encode()) == [[1, -2.5, 300]]


@pytest.mark.parametrize(
    "line",
    [b"1,2", b"1,2,3,4", b"1,2,x", b"\xff\xfe1,2,3", b"1,,3", b"1,2,3 V", b"\xff\xff\xff"],
)
def test_a_line_that_cannot_be_read_is_a_lost_sample(line):
    format = TextFormat(3)
    assert format.feed(b"\n1,2,3\n4,5,6\n" + line + b"\n7,8,9\n") == [[1, 2, 3], [4, 5, 6], None, [7, 8, 9]]


@pytest.mark.parametrize("line", [b"", b"# 1,2,3", b"Ready!", b"\r"])
def test_a_line_that_is_no_sample_is_left_out(line):
    assert TextFormat(3).feed(b"\n1,2,3\n" + line + b"\n7,8,9\n") == [[1, 2, 3], [7, 8, 9]]


def test_bytes_without_end_do_not_fill_the_memory():
    format = TextFormat(1)
    for _ in range(100):
        format.feed(b"x" * 1000)
    assert len(format._rest) <= 5096
    assert format.feed(b"\n5\n") == [[5]]


@pytest.mark.parametrize("check", ["", " sum8", " xor8"])
@pytest.mark.parametrize("damage", [b"", b"\xa5", b"\xa5\x5a", b"\xa5\x5a\x01"])
def test_frames_are_found_again_behind_damage(check, damage):
    def frame(n):
        body = struct.pack("<Hh", n, -n)
        tail = {"": b"", " sum8": bytes([sum(body) & 255])}.get(check)
        if tail is None:
            tail = bytes([body[0] ^ body[1] ^ body[2] ^ body[3]])
        return b"\xa5\x5a" + body + tail

    format = FrameFormat(f"A55A <Hh{check}", 0)
    data = b"".join(map(frame, range(10))) + frame(10)[:4] + damage + b"".join(map(frame, range(11, 20)))
    read = [values for values in format.feed(data + frame(20)) if values is not None]
    numbers = [values[0] for values in read]
    assert numbers[:10] == list(range(10))
    # Without a check nothing tells that a frame was cut short, until the next one does not begin.
    assert numbers[-8:] == list(range(21 - 8, 21))
    if check:
        assert [values[1] for values in read] == [-number for number in numbers]


def test_frames_that_are_lost_leave_their_places():
    format = FrameFormat("A5 <h xor8", None)
    frames = [b"\xa5" + struct.pack("<h", n) + bytes([n & 255 ^ n >> 8]) for n in range(9)]
    frames[3] = b"\0" * 4
    frames[4] = b"\0" * 4
    assert format.feed(b"".join(frames)) == [[0], [1], [2], None, None, [5], [6], [7], [8]]


def test_rows_hold_the_columns_asked_for():
    rows = as_rows([[1.0, 2.0, 3.0], None, [4.0, float("inf"), 6.0]], (2, 1))
    np.testing.assert_array_equal(rows, [[3, 2], [np.nan, np.nan], [6, np.nan]])


@pytest.mark.parametrize(
    ("text", "modulo"), [("A5 Bh", 256), ("A5 <Hh", 65536), (">", None), ("A5 >Ih", 2**32), ("A5 Qh", 2**53)]
)
def test_a_count_begins_anew_where_its_type_does(text, modulo):
    if modulo is None:
        with pytest.raises(InputError, match="is not understood"):
            FrameFormat(text, 0)
    else:
        assert FrameFormat(text, 0).modulo == modulo


# Ports


def text(start, stop):
    """Lines: the count modulo 1000, and a value that tells it, µV."""
    return b"".join(f"{n % 1000},{n}\n".encode() for n in range(start, stop))


def port(device, **options):
    given = {"port": device.port, "rate": str(FS), "columns": "2", "counter": "1:1000"} | options
    return SourceSettings(
        "serial",
        given=tuple((name, value) for name, value in given.items() if value),
        lsl=LslSettings(unit="uV", timeout=1.0),
        seconds=2.0,
    )


def test_every_line_is_a_sample_in_its_place():
    with sending(text) as device:
        source = open_source(port(device))
        chunks = list(source.chunks())
    places, data = samples(chunks)
    np.testing.assert_array_equal(places, np.arange(2 * FS))
    np.testing.assert_allclose(np.diff(data[0]), 0.001, rtol=1e-3)
    assert source.info.leads == ("ECG",)
    assert source.health.counts.gap_samples == 0
    assert np.isnan(np.concatenate([chunk.source_time for chunk in chunks])).all()
    assert "does not say when" in source.health.untimed


@pytest.mark.parametrize("counter", ["1:1000", None])
def test_lines_that_cannot_be_read_are_accounted_for(counter):
    """With a counter as a gap, without one as samples that are lost."""

    def garbled(start, stop):
        lines = text(start, stop)
        return lines if start % 50 else lines.replace(b"\n", b"\xff\n", 1)

    with sending(garbled) as device:
        source = open_source(port(device, counter=counter))
        chunks = list(source.chunks())
    places, data = samples(chunks)
    good = np.isfinite(data[0])
    offset = data[0][good] - 0.001 * places[good]
    np.testing.assert_allclose(offset, offset[0], atol=1e-5)
    lost = 2 * FS - good.sum()
    assert 9 <= lost <= 11
    assert source.health.counts.gap_samples == (lost if counter else 0)


def test_a_loss_is_proved_by_the_counter():
    def losing(start, stop):
        return b"" if 200 <= start < 240 else text(start, stop)

    with sending(losing) as device:
        source = open_source(port(device))
        chunks = list(source.chunks())
    places, data = samples(chunks)
    offset = data[0] - 0.001 * places
    np.testing.assert_allclose(offset, offset[0], atol=1e-5)
    assert (source.health.counts.gaps, source.health.counts.gap_samples) == (1, 40)


def test_binary_frames_play():
    def frames(start, stop):
        return b"".join(b"\xa5\x5a" + struct.pack("<Hh", n % 65536, n) for n in range(start, stop))

    with sending(frames) as device:
        source = open_source(port(device, format="A55A <Hh", counter="1"))
        places, data = samples(list(source.chunks()))
    np.testing.assert_array_equal(places, np.arange(2 * FS))
    np.testing.assert_allclose(np.diff(data[0]), 0.001, rtol=1e-3)


def test_without_a_counter_samples_are_counted_and_the_source_says_so():
    with sending(text) as device:
        source = open_source(port(device, counter=None))
        places, data = samples(list(source.chunks()))
    np.testing.assert_array_equal(places, np.arange(2 * FS))
    np.testing.assert_allclose(np.diff(data[0]), 0.001, rtol=1e-3)
    assert "samples are counted" in source.health.counted
    assert "--counter" in source.info.notes[0]


def test_a_rate_that_is_not_the_devices_is_refused():
    with sending(text, fs=2 * FS) as device:
        source = open_source(replace(port(device), seconds=60))
        with pytest.raises(
            InputError, match=r"sends .* samples a second, and --rate says 250; state the rate"
        ):
            list(source.chunks())


def test_a_port_that_is_unplugged_and_comes_back_is_opened_again(tmp_path):
    """Behind a name of its own, as udev gives one; the device counts on meanwhile."""
    name = tmp_path / "ttyECG"
    begun = time.perf_counter()
    states, ended = [], threading.Event()

    def fill(device, until):
        at = round(FS * (time.perf_counter() - begun))
        while not ended.is_set() and time.perf_counter() < until:
            device.send(text(at, at + 5))
            at += 5
            time.sleep(max(0.0, begun + at / FS - time.perf_counter()))

    def device():
        first, second = Arduino(), Arduino()
        name.symlink_to(first.port)
        there.set()
        fill(first, begun + 1.5)
        first.unplug()
        time.sleep(1)
        name.unlink()
        name.symlink_to(second.port)
        fill(second, begun + 60)
        second.unplug()

    there = threading.Event()
    thread = threading.Thread(target=device)
    thread.start()
    there.wait()
    source = open_source(replace(port(Named(name)), lsl=LslSettings(unit="uV", wait=True), seconds=None))
    chunks = []
    chunks_of = playing(source)
    for chunk in chunks_of:
        chunks.append(chunk)
        states.append(source.health.state)
        if states[-1] is StreamState.RECOVERED and chunk.stop - chunk.start:
            recovered = [each for each in states if each is StreamState.RECOVERED]
            if len(recovered) > 20:
                ended.set()
                chunks_of.close()
    thread.join()
    places, data = samples(chunks)
    offset = data[0] - 0.001 * places
    np.testing.assert_allclose(offset, offset[0], atol=1e-5)
    assert source.health.counts.gaps == 1
    assert StreamState.LOST in states
    assert any(chunk.ends_segment for chunk in chunks)


class Named:
    def __init__(self, path):
        self.port = str(path)


def test_a_port_that_stays_away_ends_the_run():
    device = Arduino()
    source = open_source(port(device))
    device.unplug()
    chunks = list(source.chunks())
    assert source.health.state is StreamState.LOST
    assert not any(chunk.data.size for chunk in chunks)


def test_what_is_no_such_format_is_told():
    def noise(start, stop):
        return os.urandom(40) + b"\xff8\n" * (stop - start)

    with sending(noise) as device:
        source = open_source(port(device, counter=None))
        chunks_of = playing(source)
        for _ in chunks_of:
            if source.health.problem:
                chunks_of.close()
    assert "is not as --format and --columns say, or not at 115200 baud" in source.health.problem


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": "/dev/none"}, "port /dev/none cannot be opened: .*; there is: "),
        ({"port": None}, "needs the option 'port'"),
        ({"rate": None}, "needs the option 'rate'"),
        ({"rate": "20"}, "--rate 20 is out of range; allowed: 100 to 16384 Hz"),
        ({"baud": "fast"}, "--baud 'fast' must be a whole number from 1 on"),
        ({"columns": "0"}, "--columns '0' must be a whole number from 1 on"),
        ({"columns": "2,2"}, "--columns '2,2' names a value twice"),
        ({"columns": "1,2"}, "value 1 cannot be ECG and a counter"),
        ({"counter": "1:x"}, "--counter 'x' must be a whole number from 2 on"),
        ({"format": "A55A"}, "--format 'A55A' is not understood; it is text, or"),
        ({"format": "A5 <s"}, "--format 'A5 <s' is not understood"),
        ({"format": "A5 <fh"}, "value 1 of --format 'A5 <fh' is no whole number: it cannot count"),
        ({"format": "A5 <h"}, "has 1 values, and the 2th is asked for"),
    ],
    ids=str,
)
def test_what_cannot_be_opened_says_why(options, message):
    device = Arduino()
    with pytest.raises(InputError, match=message):
        open_source(port(device, **options))
    device.unplug()


def test_a_unit_is_never_guessed():
    device = Arduino()
    with pytest.raises(InputError, match="a serial port does not say its unit; state it with --unit"):
        open_source(replace(port(device), lsl=LslSettings()))
    device.unplug()
