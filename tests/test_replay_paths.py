"""Replay takes paths: of WFDB records, of every format that `clean` reads, and of what `--save` printed."""

from pathlib import Path

import lsl_outlets  # noqa: F401  keeps LSL to this machine
import numpy as np
import pytest
from file_tools import ecg
from job_tools import job_of
from xdf_tools import header, samples, written

from engine.commands.file_arguments import files_first
from engine.messages import Cleaned
from engine.run.session import Session
from streamer.commands.broadcast_command import broadcast
from streamer.errors import InputError
from streamer.open_source import open_signal
from streamer.records.path import path_of
from streamer.settings import SourceSettings
from streamer.several import side_by_side


def signal_of(name, **changes):
    (settings,) = side_by_side(SourceSettings(**{"kind": "replay"} | changes), str(name))
    return open_signal(settings)


@pytest.fixture
def record(tmp_path, write_record):
    folder = tmp_path / "ward"
    write_record(folder, "bed-7", ecg(), leads=("I", "II"), gain=1000.0)
    return folder / "bed-7.hea"


def edf(folder, rows, fs=250.0):
    import edfio

    path = folder / "recording.edf"
    signals = [
        edfio.EdfSignal(row, fs, label=f"ECG {lead}", physical_dimension="mV", physical_range=(-5, 5))
        for lead, row in zip(("I", "II"), rows, strict=True)
    ]
    edfio.Edf(signals).write(path)
    return path


@pytest.mark.parametrize("name", ["ward/bed-7", "./ward/bed-7.hea", "ward/bed-7.dat", "ward/../ward/bed-7"])
def test_a_path_is_its_record(record, name, monkeypatch):
    monkeypatch.chdir(record.parents[1])
    signal = signal_of(name)
    assert signal.info.name == "ward/bed-7"
    monkeypatch.chdir(record.parent)
    assert signal_of("./bed-7").length == signal_of("bed-7.hea").length == signal.length
    assert signal_of(record).info == signal.info


def test_a_name_without_a_folder_is_of_a_database(record, monkeypatch):
    monkeypatch.chdir(record.parent)
    assert path_of("bed-7") is None
    assert path_of("data/1") is None


@pytest.mark.parametrize("name", ["gone.edf", "./gone", "~/gone/100", "/gone/100", "gone/100.hea"])
def test_a_path_that_leads_nowhere_is_said(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="there is no such file"):
        side_by_side(SourceSettings("replay"), name)


def test_an_edf_file_plays_at_its_own_rate(tmp_path):
    rows = np.clip(ecg(fs=250.0), -4.9, 4.9)
    (settings,) = side_by_side(SourceSettings("replay", speed=0), str(edf(tmp_path, rows)))
    messages = []
    summary = Session(job_of(**vars(settings))).run(show=messages.append).summary
    assert (summary.streams[0].source_fs_hz, summary.streams[0].leads) == (250, ["ECG I", "ECG II"])
    raw = np.concatenate([each.raw for each in messages if isinstance(each, Cleaned)], axis=1)
    np.testing.assert_allclose(raw, rows, atol=10 / 65535)


def test_a_table_is_played_where_its_rate_and_unit_are_stated(tmp_path):
    path = tmp_path / "a, b.csv"
    rows = ecg(fs=200.0)
    np.savetxt(path, 1000 * rows.T, delimiter=",", header="I,II", comments="")
    signal = signal_of(path, kind="file:rate=200,unit=uV")
    assert (signal.info.fs, signal.info.leads) == (200, ("I", "II"))
    np.testing.assert_allclose(signal.read(0, rows.shape[1]).data, rows, atol=1e-5)
    with pytest.raises(InputError, match=r"--source file:rate=250,unit=mV"):
        signal_of(path)


def test_what_was_saved_can_be_pasted_back(record, tmp_path, monkeypatch):
    (settings,) = side_by_side(SourceSettings("replay", speed=0), str(record))
    summary = Session(job_of(**vars(settings), save=tmp_path / "saved")).run().summary
    # As the summary says it, and as the table prints it.
    for said in (summary.streams[0].recording, f"{summary.streams[0].recording}.hea"):
        assert signal_of(said).info.leads == ("I", "II")
        assert signal_of(said).length == summary.samples_out


def test_a_record_elsewhere_gets_the_noise_of_the_data_folder(record, made_physionet, monkeypatch):
    monkeypatch.setenv("ECG_STREAM_DATA", str(made_physionet))
    (settings,) = side_by_side(SourceSettings("replay", speed=0, noise="em"), str(record))
    streams = Session(job_of(**vars(settings))).run().summary.streams
    assert streams[0].noise == {"em": 1.0}
    assert streams[0].snr_in_db < 3


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["ward/bed-7.hea", "--speed", "0"], ["--record", "ward/bed-7.hea", "--speed", "0"]),
        (["ward/bed-7", "ward/bed-7.dat"], ["--record", "ward/bed-7,ward/bed-7.dat"]),
        (["clean", "ward/bed-7.hea"], ["clean", "ward/bed-7.hea"]),
        (["--record", "100"], ["--record", "100"]),
        ([], []),
    ],
)
def test_files_that_stand_first_are_played(record, given, meant, monkeypatch):
    monkeypatch.chdir(record.parents[1])
    assert files_first(given) == meant
    with pytest.raises(InputError, match="there is no such file"):
        files_first([str(Path("ward") / "gone.edf")])


def xdf(folder, rows, fs=250.0):
    channels = [("ECG I", "millivolts", "ECG"), ("ECG II", "millivolts", "ECG")]
    stamps = np.arange(rows.shape[1]) / fs
    return written(folder / "bed.xdf", header(1, fs, channels), samples(1, stamps, rows.T))


def table(folder, rows):
    path = folder / "bed.csv"
    np.savetxt(path, rows.T, delimiter=",", header="ECG I,ECG II", comments="")
    return path


@pytest.mark.parametrize(("make", "kind"), [(edf, None), (xdf, None), (table, "file:rate=250,unit=mV")])
def test_a_file_of_any_format_is_broadcast(make, kind, tmp_path, capsys):
    broadcast(record=str(make(tmp_path, ecg(4, fs=250.0))), kind=kind, seconds=0.2, name="from a file")
    said = capsys.readouterr()
    assert "publishing from a file: ECG I, ECG II at 250 Hz" in " ".join((said.out + said.err).split())
    assert "50 samples sent" in said.out


def test_one_record_is_broadcast_at_a_time(record, tmp_path):
    with pytest.raises(InputError, match="one is published at a time"):
        broadcast(record=f"{record},{edf(tmp_path, ecg(4, fs=250.0))}")
