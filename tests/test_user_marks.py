"""What a person marks reaches the recording and the published events, on its sample."""

import json
import time

import lsl_outlets  # noqa: F401 - keeps LSL to this machine before anything loads it
import numpy as np
import pytest
import wfdb
from gui_tools import info, message
from job_tools import job_of

from engine.config import EngineConfig
from engine.run.commands import UserMark
from engine.run.session import Session
from engine.sinks.lsl_outlet import LslOutlet
from engine.sinks.recording import Recording
from streamer.errors import InputError
from streamer.lsl.network import load_pylsl
from streamer.settings import SourceSettings


def annotations(path):
    read = wfdb.rdann(str(path), "atr")
    return list(zip(read.sample.tolist(), read.symbol, read.aux_note, strict=True))


def test_marks_become_annotations_in_the_order_of_their_samples(tmp_path):
    recording = Recording(tmp_path, info())
    assert not recording.mark(1000, "before anything is recorded")
    recording.push(message(1000, np.zeros(720), annotations=[(1200, "N")]))
    assert recording.mark(1500, "electrode moved")
    # A person looks back: this one lies before the other.
    assert recording.mark(1100, "Mühe ✓")
    assert not recording.mark(999, "before the first frame")
    recording.close()
    assert annotations(recording.path) == [
        (100, '"', "Mühe ?"),
        (200, "N", ""),
        (500, '"', "electrode moved"),
    ]
    lines = recording.path.with_suffix(".events.jsonl").read_text().splitlines()
    told = [event for event in map(json.loads, lines) if event.get("by") == "user"]
    assert [(event["sample"], event["text"]) for event in told] == [(500, "electrode moved"), (100, "Mühe ✓")]


def test_a_run_records_a_mark_and_says_where_it_cannot(tmp_path):
    session = Session(job_of(SourceSettings(kind="synthetic", seconds=2, speed=0), save=tmp_path))
    stream = session.streams[0].info.source_id

    def show(shown):
        if shown.start >= 360 and not marked:
            marked.append(shown.start)
            session.mark(UserMark(stream, 200, "seen\x07 by\n me"))

    marked = []
    summary = session.run(show=show).summary
    assert (200, '"', "seen by me") in annotations(summary.streams[0].recording)
    with pytest.raises(InputError, match="no stream 'other' plays"):
        session.mark(UserMark("other", 0))
    later = Session(job_of(SourceSettings(kind="synthetic", seconds=1, speed=0), save=tmp_path))
    with pytest.raises(InputError, match="before what is recorded"):
        later.mark(UserMark(later.streams[0].info.source_id, 0))
    later.run()


def test_a_mark_is_published_with_the_time_of_its_sample():
    pylsl = load_pylsl()
    outlet = LslOutlet("marked", info(), "unet", EngineConfig(360.0, 720, 14, 36), 0.14)
    (found,) = pylsl.resolve_byprop("name", "marked-events", timeout=20)
    inlet = pylsl.StreamInlet(found)
    inlet.open_stream(timeout=20)
    sent = message(720, np.zeros(360))
    outlet.push(sent)
    outlet.mark(900, "turned")
    deadline = time.monotonic() + 30
    event = {}
    while event.get("event") != "user mark" and time.monotonic() < deadline:
        sample, stamp = inlet.pull_sample(timeout=5)
        event = json.loads(sample[0])
    assert event == {"event": "user mark", "start": 900, "note": "turned"}
    expected = sent.source_time[180] - outlet._offset_s
    assert stamp == pytest.approx(expected, abs=1e-6)
    inlet.close_stream()
    outlet.close()
