"""Only where the ECG without noise is known is there an SNR."""

from dataclasses import replace

import numpy as np
import pytest
from gui_tools import message

from engine.sinks.recorder import Recorder
from streamer.chunk import StreamInfo
from streamer.open_source import open_source
from streamer.settings import SourceSettings

FS = 360.0
ECG = np.sin(np.arange(3600) / 9).astype(np.float32)
NOISE = 0.3 * np.sin(np.arange(3600) / 2).astype(np.float32)


def recorded(folder, *, has_reference):
    """A recording as `--save` makes it; returns the settings that play it."""
    info = StreamInfo(FS, ("II",), "LSL bed-1", "bed-1", has_reference=has_reference)
    recorder = Recorder(folder, info)
    whole = message(0, ECG + NOISE, cleaned=ECG)
    if not has_reference:
        whole = replace(whole, reference=None)
    recorder.push(whole)
    recorder.close()
    return SourceSettings(kind="replay", record=recorder.path.name, data_dir=folder, speed=0.0)


def test_a_recording_of_a_live_stream_is_not_its_own_reference(tmp_path):
    source = open_source(recorded(tmp_path / "ward", has_reference=False))
    assert not source.info.has_reference
    assert source.info.name.startswith("ward/LSL-bed-1"), "not a record of mitdb"
    assert next(iter(source.chunks())).reference is None


def test_a_recording_that_holds_a_reference_plays_that(tmp_path):
    source = open_source(recorded(tmp_path, has_reference=True))
    assert source.info.has_reference
    assert source.info.leads == ("II",)
    chunk = next(iter(source.chunks()))
    count = chunk.reference.shape[1]
    # The noise is faster than drift: a high-pass of the raw would leave it in the reference.
    np.testing.assert_allclose(chunk.reference[0], ECG[:count], atol=1e-3)
    np.testing.assert_allclose((chunk.data - chunk.reference)[0], NOISE[:count], atol=2e-3)


@pytest.mark.parametrize(
    ("database", "noise", "known"),
    [
        ("mitdb", "none", True),
        ("mitdb", "bw", True),
        ("somebody", "none", False),
        ("somebody", "bw", True),
        ("nstdb", "none", False),
        ("nstdb", "bw", False),
    ],
)
def test_a_reference_is_known_of_clean_databases_and_of_added_noise(
    tmp_path, write_record, made_physionet, database, noise, known
):
    folder = made_physionet if database in ("mitdb", "nstdb") else tmp_path
    record = {"mitdb": "100", "nstdb": "em"}.get(database, "a")
    if database == "somebody":
        (tmp_path / "somebody").mkdir()
        write_record(tmp_path / "somebody", "a", np.tile(ECG, (1, 5)), leads=("II",))
        (tmp_path / "nstdb").symlink_to(made_physionet / "nstdb")
    settings = SourceSettings(
        kind="replay", record=record, database=database, data_dir=folder, noise=noise, seconds=5.0, speed=0.0
    )
    source = open_source(settings)
    assert source.info.has_reference == known
    assert (next(iter(source.chunks())).reference is not None) == known


def test_a_record_is_named_after_the_folder_that_it_is_in(tmp_path, write_record):
    folder = tmp_path / "ward-7"
    folder.mkdir()
    write_record(folder, "a", np.tile(ECG, (1, 2)), leads=("II",))
    source = open_source(SourceSettings(kind="replay", record="a", data_dir=folder, start=2.0))
    assert source.info.name == "ward-7/a"
    assert (source.info.origin, source.info.start_s, source.info.length_s) == ("record", 2.0, 20.0)
