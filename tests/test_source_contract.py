"""What the engine relies on, held by every source of the table, with and without faults on it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from lsl_outlets import Device, running
from polar_belt import Belt
from serial_tools import Arduino, sending

from engine.messages import Cleaned
from engine.run.protocol import Job
from engine.run.session import Session
from streamer.chunk import Chunk
from streamer.devices import polar
from streamer.errors import InputError
from streamer.faults.schedule import FaultSettings
from streamer.faults.source import FaultySource
from streamer.lsl.settings import LslSettings
from streamer.noise import NoiseSettings
from streamer.open_source import check_source, is_played, kind_of, open_source
from streamer.settings import SourceSettings
from streamer.source import Source
from streamer.sources import SOURCES
from streamer.watchdog import StreamState

SECONDS = 4.0
FAULTS = FaultSettings(("gaps", "duplicates", "reordered", "nan"), seed=3, first_s=0.5, often=30)
LIVE = ("lsl", "brainflow", "serial", "polar")
TOY = {"text": "toys.toy_source"}


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """The line that a new source adds to the table."""
    for name, module in TOY.items():
        monkeypatch.setitem(SOURCES, name, module)


def text_file(folder):
    """Five seconds at 250 Hz of two leads in µV."""
    path = folder / "ecg.txt"
    time = np.arange(1250) / 250
    np.savetxt(path, np.stack([1000 * np.sin(7 * time), 500 * np.cos(5 * time)], axis=1))
    return path


def array_file(folder):
    """Five seconds at 250 Hz of two leads in mV."""
    path = folder / "ecg.npy"
    time = np.arange(1250) / 250
    np.save(path, np.stack([np.sin(7 * time), 0.5 * np.cos(5 * time)], axis=1))
    return path


@dataclass
class Case:
    """Settings that play a kind of source, and what has to run meanwhile."""

    settings: SourceSettings
    meanwhile: Callable[[], AbstractContextManager] = nullcontext


def serial_case():
    """A device on a port that is open before its settings are made; two leads, and a count."""
    device = Arduino()

    def lines(start, stop):
        return b"".join(f"{n % 256},{n % 100},{-n % 500}\n".encode() for n in range(start, stop))

    settings = SourceSettings(
        f"serial:port={device.port},rate=250,columns=2+3,counter=1:256", lsl=LslSettings(unit="uV")
    )
    return Case(settings, lambda: sending(lines, device=device))


CASES = {
    "synthetic": lambda folder, physionet: Case(SourceSettings(leads=("II", "V1"), speed=0)),
    "replay": lambda folder, physionet: Case(SourceSettings("replay", data_dir=physionet, speed=0)),
    "file": lambda folder, physionet: Case(
        SourceSettings("file:rate=250,unit=mV,axis=0", record=str(array_file(folder)), speed=0)
    ),
    "lsl": lambda folder, physionet: Case(
        SourceSettings("lsl", lsl=LslSettings("contract")),
        lambda: running(
            Device("contract", channels=[("I", "uV", "ECG"), ("V1", "mV", "ECG")], frame=(900, 1))
        ),
    ),
    "brainflow": lambda folder, physionet: Case(SourceSettings("brainflow:board=synthetic,channels=10+12")),
    "serial": lambda folder, physionet: serial_case(),
    "polar": lambda folder, physionet: Case(
        SourceSettings("polar"), lambda: mock.patch.object(polar, "BleakRadio", Belt())
    ),
    "text": lambda folder, physionet: Case(
        SourceSettings(f"text:file={text_file(folder)},fs=250,unit=uV", speed=0)
    ),
}


@dataclass
class Played:
    """A source that was played to its end."""

    settings: SourceSettings
    source: Source
    chunks: list[Chunk]

    @property
    def faulty(self):
        return isinstance(self.source, FaultySource)


def opened(settings, faulty):
    source = open_source(settings)
    return FaultySource(source, FAULTS) if faulty else source


@pytest.fixture(scope="module", params=[(name, faulty) for name in CASES for faulty in (False, True)])
def played(request, tmp_path_factory, made_physionet):
    name, faulty = request.param
    case = CASES[name](tmp_path_factory.mktemp(name), made_physionet)
    settings = replace(case.settings, seconds=SECONDS)
    with pytest.MonkeyPatch.context() as patch, case.meanwhile():
        for toy_name, module in TOY.items():
            patch.setitem(SOURCES, toy_name, module)
        source = opened(settings, faulty)
        return Played(settings, source, list(source.chunks()))


def held(played):
    return [chunk for chunk in played.chunks if chunk.data.shape[1]]


def test_every_source_of_the_table_is_here():
    assert set(CASES) == set(SOURCES)


def test_its_description_is_complete(played):
    info = played.source.info
    assert info.unit == "mV"
    assert info.fs > 0
    assert len(info.leads) == (1 if played.settings.name == "polar" else 2)
    assert info.name
    assert info.source_id
    assert any("faults made on purpose" in note for note in info.notes) == played.faulty


def test_chunks_are_float32_of_leads_and_samples(played):
    assert held(played)
    for chunk in played.chunks:
        samples = chunk.data.shape[1]
        assert chunk.stream == played.source.info.source_id
        assert chunk.data.dtype == np.float32
        assert chunk.data.shape == (len(played.source.info.leads), samples)
        assert chunk.source_time.shape == (samples,)
        assert chunk.source_time.dtype == np.float64
        assert isinstance(chunk.arrived_ns, int)
        assert all(chunk.start <= mark.sample < chunk.stop for mark in chunk.annotations)
        assert not (chunk.ends_segment and samples)


def test_data_are_millivolts(played):
    data = np.concatenate([chunk.data for chunk in held(played)], axis=1)
    assert 0.05 < np.nanmax(np.abs(data)) < 6


def test_indices_never_run_back_and_a_gap_is_a_jump(played):
    for before, after in pairwise(held(played)):
        assert after.start >= before.stop
    missing = sum(after.start - before.stop for before, after in pairwise(held(played)))
    assert played.source.health.counts.gap_samples == missing
    assert (missing > 0) == played.faulty


def test_it_ends_where_it_was_told(played):
    expected = round(SECONDS * played.source.info.fs)
    assert held(played)[0].start == 0
    assert played.chunks[-1].stop <= expected
    # A gap at the very end leaves no sample behind it that could prove it.
    assert played.chunks[-1].stop == expected or played.faulty


def test_a_reference_lies_under_its_samples_where_it_is_promised(played):
    for chunk in held(played):
        assert (chunk.reference is not None) == played.source.info.has_reference
        if chunk.reference is not None:
            assert chunk.reference.dtype == np.float32
            assert chunk.reference.shape == chunk.data.shape


def test_pace_and_state(played):
    assert played.source.speed == (0 if is_played(played.settings) else 1)
    assert played.source.health.state in tuple(StreamState)
    assert not played.source.health.problem


def test_noise_is_taken_by_what_is_played_and_refused_by_what_is_live(played):
    wanted = NoiseSettings({"em": 1.0}, 3.0)
    if is_played(played.settings):
        with pytest.raises(InputError, match="only kind and level of the noise can change"):
            played.source.set_noise(replace(wanted, seed=5))
    else:
        with pytest.raises(InputError, match="a live stream takes no noise"):
            played.source.set_noise(wanted)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("faulty", [False, True])
def test_whoever_has_heard_enough_closes_it_and_can_open_it_anew(name, faulty, tmp_path, made_physionet):
    case = CASES[name](tmp_path, made_physionet)
    with case.meanwhile():
        for _ in range(2):
            chunks = opened(case.settings, faulty).chunks()
            assert next(chunk.start for chunk in chunks if chunk.data.shape[1]) == 0
            chunks.close()
            assert next(chunks, None) is None


@pytest.mark.parametrize("name", [name for name in CASES if name not in LIVE])
def test_what_is_played_takes_noise_and_keeps_its_reference(name, tmp_path, made_physionet):
    settings = replace(
        CASES[name](tmp_path, made_physionet).settings, seconds=SECONDS, data_dir=made_physionet
    )
    assert is_played(settings)
    still, noisy = (list(open_source(replace(settings, noise=noise)).chunks()) for noise in ("none", "em"))
    for quiet, loud in zip(still, noisy, strict=True):
        assert (quiet.data != loud.data).any()
        if quiet.reference is not None:
            np.testing.assert_array_equal(quiet.reference, loud.reference)


@pytest.mark.parametrize("kind", LIVE)
@pytest.mark.parametrize("change", [{"noise": "em"}, {"speed": 2.0}, {"loop": True}, {"start": 1.0}])
def test_what_only_a_played_signal_can_do_is_refused_by_a_live_one(kind, change):
    with pytest.raises(InputError, match="a live stream takes no --noise, --speed, --loop or --start"):
        check_source(replace(SourceSettings(kind), **change))


# The table


def test_a_new_source_is_cleaned_from_end_to_end(tmp_path):
    """One file, tests/toys/toy_source.py, and one line of the table: the rest of the engine knows."""
    settings = SourceSettings(f"text:file={text_file(tmp_path)},fs=250,unit=uV", seconds=None, speed=0)
    messages = []
    Session(Job((settings,))).run(show=messages.append)
    cleaned = np.concatenate([each.cleaned for each in messages if isinstance(each, Cleaned)], axis=1)
    # Five seconds, at the rate of the source.
    assert cleaned.shape == (2, 5 * 250)
    assert np.isfinite(cleaned).all()


def test_the_values_of_a_new_source_arrive_in_millivolts(tmp_path):
    path = text_file(tmp_path)
    chunks = list(open_source(SourceSettings(f"text:file={path},fs=250,unit=uV", speed=0)).chunks())
    data = np.concatenate([chunk.data for chunk in chunks], axis=1)
    np.testing.assert_allclose(data, 0.001 * np.loadtxt(path).T, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("radio", r"source 'radio' is unknown; allowed: synthetic \(a made .* text \(a text file\)"),
        ("text", "source 'text' needs the option 'file': --source text:file=…"),
        ("text:ecg.txt", "source 'text:ecg.txt' is not understood; options look like text:name=value"),
        ("text:name=ecg.txt", "source 'text' has no option 'name'; allowed: file, fs, unit"),
        ("synthetic:fs=3", "source 'synthetic' has no option 'fs'; allowed: none"),
        ("text:file=/none/there.txt,fs=250", "/none/there.txt cannot be read"),
        ("text:file={file}", "source 'text' needs the option 'fs'"),
        ("text:file={file},fs=fast", "option 'fs' of source 'text' must be a number, got 'fast'"),
        ("text:file={file},fs=250,unit=A", "unit 'A' is unknown; allowed: V, mV, uV"),
    ],
)
def test_what_cannot_be_opened_is_refused(kind, message, tmp_path):
    with pytest.raises(InputError, match=message):
        open_source(SourceSettings(kind.format(file=text_file(tmp_path))))


def test_a_source_that_cannot_be_had_here_says_why(monkeypatch):
    from toys import toy_source

    missing = replace(toy_source.SOURCE, why_not=lambda: "the amplifier's driver is not installed")
    monkeypatch.setattr(toy_source, "SOURCE", missing)
    with pytest.raises(InputError, match="source 'text' cannot be used: the amplifier's driver is not"):
        open_source(SourceSettings("text:file=x,fs=250"))


@pytest.mark.parametrize("name", CASES)
def test_a_list_can_say_what_it_is(name):
    assert kind_of(name).what
