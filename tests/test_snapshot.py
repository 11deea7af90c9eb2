"""What the stages carry, taken at any round and gone on from by others: the same samples to the bit."""

import numpy as np
import pytest
from engine_tools import FS, Moving

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.guard.limits import UNMEASURED, limits_of
from engine.messages import Gap
from engine.pipeline import Memory, clean
from engine.snapshot import pack, unpack
from engine.source_rate import SourceRate
from models.registry import load_card
from streamer.chunk import Annotation, Chunk
from streamer.resample import StreamResampler
from streamer.synthetic import SyntheticPatient

ABOUT = {"weights": "those"}
ARRAYS = ("raw", "cleaned", "mean_square", "marks", "source_time")


class Cut(Exception):
    """The rounds go on elsewhere."""


def patient(fs, seconds, seed):
    return SyntheticPatient(fs=fs, leads=("I", "II"), seed=seed).read(0, round(fs * seconds)).data.copy()


def chunks_of(name, data, fs, size, lost=()):
    """Chunks of a stream, without those that lie in a gap."""
    for start in range(0, data.shape[1], size):
        part = data[:, start : start + size]
        marks = (Annotation(start, "N"),) if start % 7 == 0 else ()
        times = (start + np.arange(part.shape[1])) / fs
        if not any(first <= start < stop for first, stop in lost):
            yield Chunk(name, start, part, times, 0, annotations=marks)


def system(name):
    if name == "windows":
        return Moving(8), EngineConfig(FS, 256, 16, 36), UNMEASURED
    card = load_card(name)
    return open_backend("onnx", card), EngineConfig.of(card.spec, 100, 44.5), limits_of(card)


def no_time():
    return 0


def run(rounds, network, memory=None):
    """What leaves of some rounds, to the end."""
    backend, config, limits = network
    return [*clean(rounds, config, backend, no_time, limits=limits, memory=memory)]


def cut_and_gone_on(rounds, network, cut):
    backend, config, limits = network
    left = []
    memory = Memory(config, limits)

    def given():
        yield from rounds[:cut]
        raise Cut

    with pytest.raises(Cut):
        left += clean(given(), config, backend, no_time, limits=limits, memory=memory)
    packed = pack(memory.snapshot(), ABOUT)
    after = Memory(config, limits)
    after.restore(unpack(packed, ABOUT), no_time)
    return left + run(rounds[cut:], network, after)


def trace(messages, stream):
    """All that is said of each sample of a stream."""
    mine = [message for message in messages if message.stream == stream]
    gaps = [(message.start, message.stop) for message in mine if isinstance(message, Gap)]
    mine = [message for message in mine if not isinstance(message, Gap)]
    said = [b"".join(getattr(message, name).tobytes("F") for message in mine) for name in ARRAYS]
    reasons = [
        np.zeros_like(message.marks) if message.reasons is None else message.reasons for message in mine
    ]
    return gaps, said, np.concatenate(reasons, axis=1).tolist(), [m.annotations for m in mine]


@pytest.fixture(scope="module")
def rounds():
    first, second = patient(FS, 10, 1), patient(FS, 10, 2)
    first[0, 2000:2400] = 0  # a lead comes off, and raw is shown
    second[1, 2800:2810] = np.nan
    one = list(chunks_of("one", first, FS, 16))
    other = list(chunks_of("other", second, FS, 16, lost=[(1600, 1920), (3200, 3360)]))
    other = [None] * (len(one) - len(other)) + other
    return [[chunk for chunk in pair if chunk] for pair in zip(one, other, strict=True)]


@pytest.mark.parametrize("model", ["lowdelay", "windows"])
def test_gone_on_from_a_snapshot_the_same_leaves_to_the_bit(rounds, model):
    network = system(model)
    whole = run(rounds, network)
    rng = np.random.default_rng(0)
    for cut in [1, *rng.integers(2, len(rounds), 3).tolist()]:
        again = cut_and_gone_on(rounds, network, cut)
        for stream in ("one", "other"):
            assert trace(again, stream) == trace(whole, stream), cut


def at_source_rate(chunks, network, cut):
    """A stream of 250 Hz through both resamplers; cut, packed and gone on from after some chunks."""
    backend, config, limits = network

    def packed_and_back(part, fresh):
        fresh.restore(unpack(pack(part.snapshot(), ABOUT), ABOUT))
        return fresh

    way_in, way_out, memory = (
        StreamResampler(250.0, FS, without_spikes=True),
        SourceRate(250.0, FS),
        Memory(config, limits),
    )
    left = []
    for part in filter(None, (chunks[:cut], chunks[cut:])):

        def given(part=part, way_in=way_in, way_out=way_out):
            for chunk in part:
                way_out.note(chunk)
                yield list(way_in.take(chunk))
            if part[-1] is not chunks[-1]:
                raise Cut
            yield list(way_in.flush())

        try:
            for message in clean(given(), config, backend, no_time, limits=limits, memory=memory):
                left += way_out.take(message)
        except Cut:
            way_in = packed_and_back(way_in, StreamResampler(250.0, FS, without_spikes=True))
            way_out = packed_and_back(way_out, SourceRate(250.0, FS))
            memory = packed_and_back(memory, Memory(config, limits))
    return left + list(way_out.rest())


def test_both_resamplers_go_on_too():
    network = system("lowdelay")
    data = patient(250.0, 6, 3)
    data[0, 1000:1200] = 0
    chunks = list(chunks_of("slow", data, 250.0, 10, lost=[(700, 760)]))
    whole = at_source_rate(chunks, network, len(chunks))
    for cut in (1, 70, 71, 130):
        assert trace(at_source_rate(chunks, network, cut), "slow") == trace(whole, "slow"), cut


def test_a_snapshot_of_something_else_is_refused():
    packed = pack({"numbers": np.arange(3), "text": ("a", None, 1.5, True)}, ABOUT)
    tree = unpack(packed, ABOUT)
    assert tree["text"] == ("a", None, 1.5, True)
    assert tree["numbers"].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="belongs to another weights"):
        unpack(packed, {"weights": "others"})
    with pytest.raises(ValueError, match="no snapshot"):
        unpack(packed[:-5], ABOUT)
    with pytest.raises(ValueError, match="no snapshot"):
        unpack(b"", ABOUT)
    with pytest.raises(TypeError, match="a set cannot be"):
        pack({1, 2}, ABOUT)
