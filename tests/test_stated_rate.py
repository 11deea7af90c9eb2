"""Stated rates that are true, wrong, or hidden by loss and stalls."""

import numpy as np
import pytest

from streamer.broadcast.device_profiles import PROFILES, packets
from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.stamped import StampedStream
from streamer.stated_rate import other_rate, plain_rate


def stamps_of(fs, seconds, packet=1, inside=None):
    """Packets that come at their true rate, stamped inside by another."""
    first = np.arange(0, round(seconds * fs), packet)
    return np.concatenate([at / fs + np.arange(packet) / (inside or fs) for at in first])


@pytest.mark.parametrize(("stated", "true"), [(256, 200), (250, 125), (125, 250), (250, 500), (360, 180)])
@pytest.mark.parametrize("packet", [1, 8])
def test_a_wrong_rate_is_found(stated, true, packet):
    assert other_rate(stamps_of(true, 1.0, packet), stated) == pytest.approx(true, rel=0.01)


def test_packets_stamped_inside_by_a_wrong_rate_are_found_by_their_pace():
    assert other_rate(stamps_of(125, 1.0, 3, inside=250), 250) == pytest.approx(125, rel=0.05)


@pytest.mark.parametrize("name", sorted(PROFILES))
@pytest.mark.parametrize("seed", range(20))
def test_no_device_with_loss_jitter_and_stalls_is_called_wrong(name, seed):
    fs = PROFILES[name].fs or 250.0
    heard = np.empty(0)
    for packet in packets(name, fs, seed):
        heard = np.concatenate([heard, packet.stamps])
        if heard[-1] - heard[0] >= 2:
            assert other_rate(heard, fs) is None
            heard = np.empty(0)
        if packet.first > 60 * fs:
            break


@pytest.mark.parametrize("stamps", [np.zeros(100), np.full(100, np.nan), np.arange(5) / 100, np.empty(0)])
def test_stamps_that_tell_nothing_decide_nothing(stamps):
    assert other_rate(stamps, 250) is None


@pytest.mark.parametrize(("measured", "plain"), [(199.2, 200), (124.9, 125), (129.8, 130), (173.3, 173.5)])
def test_a_measured_rate_is_said_as_devices_state_theirs(measured, plain):
    assert plain_rate(measured) == plain


@pytest.mark.parametrize("true", [500, 125])
def test_a_device_that_is_switched_over_in_the_middle_is_refused(true):
    stream = StampedStream(StreamInfo(250.0, ("II",), "bed", "bed"), 250.0, lambda piece: piece)

    def send(stamps):
        for packet in np.array_split(stamps, len(stamps) // 5):
            stream.push(packet, np.zeros((len(packet), 1)), int(packet[-1] * 1e9))

    send(stamps_of(250, 10.0))
    with pytest.raises(InputError, match=f"now sends {true} Hz, and no longer the 250 Hz"):
        send(10.0 + stamps_of(true, 10.0))
