"""Frames of a Polar H10, and the connection to one, by a belt that a test plays."""

import numpy as np
import pytest
from device_tools import playing, samples
from polar_belt import SIZE, Belt, frame

from streamer.devices.polar import SOURCE, belt_source
from streamer.devices.polar_frames import FS, Frame, decode, stamps_of
from streamer.errors import InputError
from streamer.lsl.settings import LslSettings
from streamer.open_source import never
from streamer.settings import SourceSettings
from streamer.watchdog import StreamState


def test_a_frame_written_out_by_hand():
    data = bytes.fromhex("00 00ca9a3b00000000 00 010000 ffffff e80300 18fcff")
    millivolts, stamp = decode(data)
    np.testing.assert_allclose(millivolts, [0.001, -0.001, 1.0, -1.0])
    assert stamp == 1.0


def test_extremes_keep_their_sign():
    values = [-(1 << 23), -1, 0, 1, (1 << 23) - 1]
    np.testing.assert_array_equal(decode(frame(values, 0)).millivolts, np.array(values) / 1000)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 10, frame([1, 2], 5)[:-1], frame([1, 2], 5, kind=2), frame([1, 2], 5, layout=1)],
    ids=["nothing", "no sample", "cut short", "acceleration", "another layout"],
)
def test_what_is_no_frame_of_ecg_is_none(data):
    assert decode(data) is None


def test_the_stamp_is_that_of_the_last_sample():
    stamps = stamps_of(Frame(np.zeros(3), 10.0))
    np.testing.assert_allclose(stamps, [10 - 2 / FS, 10 - 1 / FS, 10.0])


def in_place(chunks):
    """Samples stand where the belt took them."""
    places, data = samples(chunks)
    offset = data[0] - 0.001 * places
    np.testing.assert_allclose(offset, offset[0], atol=1e-5)
    return places


def test_every_sample_has_its_place_and_a_lost_frame_is_a_gap():
    belt = Belt(lost=(3,))
    source = belt_source(SourceSettings("polar", seconds=4.0), never, belt)
    chunks = list(source.chunks())
    assert len(in_place(chunks)) == 4 * FS - SIZE
    assert (source.health.counts.gaps, source.health.counts.gap_samples) == (1, SIZE)
    assert source.info.fs == FS
    assert "never run" in source.info.notes[0]
    assert "clock" in source.health.untimed
    assert belt.closed == 1


def test_a_belt_that_went_away_is_connected_again_behind_a_gap():
    belt = Belt(leaves=3)
    source = belt_source(SourceSettings("polar"), never, belt)
    chunks, chunks_of = [], playing(source)
    for chunk in chunks_of:
        chunks.append(chunk)
        if source.health.state is StreamState.RECOVERED and len(chunk.source_time):
            chunks_of.close()
    in_place(chunks)
    assert source.health.counts.gaps == 1
    assert source.health.counts.gap_samples >= SIZE
    assert belt.connections == 2
    assert any(chunk.ends_segment for chunk in chunks)


def test_no_belt_is_told_at_once_and_waited_for_if_wanted():
    def none(address, look_s):
        raise InputError("no Polar H10 was heard")

    with pytest.raises(InputError, match="no Polar H10 was heard"):
        belt_source(SourceSettings("polar"), never, none)
    asked = iter([False, False, True])
    with pytest.raises(KeyboardInterrupt):
        belt_source(SourceSettings("polar", lsl=LslSettings(wait=True)), lambda: next(asked), none)


def test_a_machine_without_bluetooth_says_so():
    pytest.importorskip("bleak", reason="bleak is not installed (pip install -e '.[devices]')")
    with pytest.raises(InputError, match=r"Bluetooth cannot reach the belt|no Polar H10 was heard"):
        SOURCE.open(SourceSettings("polar", lsl=LslSettings(timeout=0.1)), never)
