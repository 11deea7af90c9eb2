"""BrainFlow's own boards: the synthetic one and the player of recordings."""

import gc
import time
from dataclasses import replace

import numpy as np
import pytest
from device_tools import play, playing, samples

from streamer.errors import InputError
from streamer.lsl.settings import LslSettings
from streamer.open_source import open_source
from streamer.settings import SourceSettings

pytest.importorskip("brainflow", reason="brainflow is not installed (pip install -e '.[devices]')")

from streamer.devices.brainflow_boards import load_brainflow

FS = 250


@pytest.fixture(autouse=True)
def collected():
    """What a test leaves open is closed when it is collected."""
    yield
    gc.collect()


@pytest.fixture
def recording(tmp_path):
    """A recording of the synthetic board in BrainFlow's own format; two of its channels count samples."""

    def make(taken):
        taken = np.asarray(taken)
        data = np.zeros((32, len(taken)))
        data[0], data[1], data[2] = taken % 256, taken, -taken
        data[30] = 1.7e9 + taken / FS
        path = tmp_path / "board.csv"
        text = "\n".join("\t".join(f"{value:.6f}" for value in row) for row in data.T)
        path.write_text(text + "\n")
        return SourceSettings(f"brainflow:board=playback,master=synthetic,file={path},channels=1+2")

    return make


def test_a_recording_is_played_whole_and_ends(recording):
    source, chunks = play(recording(np.arange(500)))
    places, data = samples(chunks)
    np.testing.assert_array_equal(places, np.arange(500))
    np.testing.assert_allclose(data, 0.001 * np.stack([places, -places]), rtol=1e-6)
    assert source.info.origin == "record"
    assert source.health.counts.gap_samples == 0


@pytest.mark.parametrize("lost", [1, 100])
def test_a_gap_of_a_recording_is_proved_by_the_numbers_of_its_samples(recording, lost):
    taken = np.concatenate([np.arange(300), np.arange(300 + lost, 600)])
    source, chunks = play(recording(taken))
    places, data = samples(chunks)
    np.testing.assert_array_equal(places, taken)
    np.testing.assert_allclose(data[0], 0.001 * taken, rtol=1e-6)
    assert (source.health.counts.gaps, source.health.counts.gap_samples) == (1, lost)


def test_samples_are_stamped_by_the_clock_of_this_machine():
    source, chunks = play(SourceSettings("brainflow:board=synthetic,channels=3", seconds=1.0))
    stamps = np.concatenate([chunk.source_time for chunk in chunks])
    assert len(stamps) == FS
    now = time.perf_counter()
    assert ((now - 60 < stamps) & (stamps < now)).all()
    assert source.health.untimed == ""
    assert source.info.origin == "synthetic"


def test_a_board_has_one_session_in_a_run():
    settings = SourceSettings("brainflow:board=synthetic,channels=3")
    first = open_source(settings)
    with pytest.raises(InputError, match="SYNTHETIC is in use by this run already"):
        open_source(settings)
    chunks = playing(first)
    next(chunks)
    chunks.close()
    next(open_source(settings).chunks())


def test_a_board_that_was_never_played_is_let_go():
    settings = SourceSettings("brainflow:board=synthetic,channels=3")
    source = open_source(settings)
    del source
    gc.collect()
    next(open_source(settings).chunks())


def test_a_session_that_ends_under_us_is_opened_anew_behind_a_gap():
    settings = SourceSettings("brainflow:board=synthetic,channels=3")
    source = open_source(settings)
    chunks_of = playing(source)
    heard = 0
    for chunk in chunks_of:
        heard += chunk.data.shape[1]
        if heard >= FS and source.health.states.get("LOST", 0) == 0:
            load_brainflow().Board.release_all_sessions()
        if source.health.states.get("RECOVERED"):
            chunks_of.close()
    counts = source.health.counts
    assert counts.gaps == 1
    assert 0.5 * FS < counts.gap_samples


def test_the_values_are_microvolts_or_what_the_user_says(recording):
    settings = recording(np.arange(50))
    plain, told = (
        samples(play(each)[1])[1] for each in (settings, replace(settings, lsl=LslSettings(unit="mV")))
    )
    np.testing.assert_allclose(told, 1000 * plain, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "needs the option 'board': --source brainflow:board=…"),
        ("board=cytn", "--board 'cytn' is no board of BrainFlow; near it: cyton"),
        ("board=999", "--board '999' is no board of BrainFlow"),
        ("board=22", r"no channel of MUSE_2\w* that it is ECG; .*choose with --channels|describes no board"),
        (
            "board=synthetic,channels=1+x",
            "--channels '1.x' is no list of channels of SYNTHETIC; it has: 1, 2",
        ),
        ("board=synthetic,channels=40", "--channels '40' is no list of channels"),
        ("board=synthetic,counter=no", "--counter 'no' cannot be used; give the number"),
        ("board=playback", "needs the option 'master'"),
        ("board=playback,master=synthetic,file=/none/there", "/none/there does not exist"),
        ("board=cyton,serial_port=/dev/none", "board CYTON cannot be reached: .*"),
    ],
)
def test_what_cannot_be_opened_says_why(options, message):
    with pytest.raises(InputError, match=message):
        open_source(SourceSettings(f"brainflow:{options}" if options else "brainflow"))


def test_a_board_that_numbers_in_a_way_of_its_own_is_counted_and_says_so(recording):
    settings = recording(np.arange(100))
    settings = replace(settings, kind=settings.kind.replace("master=synthetic", "master=ganglion"))
    settings = replace(settings, kind=settings.kind.replace("channels=1+2", "counter=none,channels=1+2"))
    assert play(settings)[0].info.notes == ()
    source, _ = play(replace(settings, kind=settings.kind.replace("counter=none,", "")))
    assert "--counter 256 says" in source.info.notes[0]
