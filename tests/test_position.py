"""Outages stand in the account, whatever cleans before and after them."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import wfdb
from job_tools import job_of

from engine.ledger.position import Position
from engine.messages import Gap
from engine.run.protocol import CleanSettings
from engine.run.session import Session
from engine.sinks.recorder import Recorder
from streamer.chunk import Chunk
from streamer.settings import SourceSettings

FS, FROM, LOST = 360, 3600, 2520


@pytest.fixture
def lossy(tmp_path):
    """A session of 40 s that records, out of whose source seven seconds are cut."""

    def make(while_lost, **options):
        source = SourceSettings(noise="none", speed=0, seconds=40)
        session = Session(job_of(source, save=tmp_path, **options))
        playing = session.streams[0].source
        whole = playing.chunks

        def chunks():
            told = False
            for chunk in whole():
                if not FROM <= chunk.start < FROM + LOST:
                    yield chunk
                elif not told:
                    told = True
                    nothing = chunk.stream, chunk.start, chunk.data[:, :0], np.empty(0), chunk.arrived_ns
                    yield Chunk(*nothing, ends_segment=True)
                    while_lost(session)
                    yield Chunk(*nothing)

        playing.chunks = chunks
        return session

    return make


def retune(session):
    session.retune(CleanSettings("identity", "auto", 50.0, 44.0))


def retune_twice(session):
    retune(session)
    session.retune(CleanSettings("identity", "auto", 200.0, 44.0))


@pytest.mark.parametrize("while_lost", [lambda session: None, retune, retune_twice])
def test_an_outage_is_a_gap_of_its_length_though_the_pipeline_is_replaced_in_it(lossy, while_lost):
    session = lossy(while_lost, model="identity")
    places = []
    outcome = session.run(show=lambda message: places.append((type(message), message.start, message.stop)))
    stream = outcome.summary.streams[0]
    assert stream.unaccounted == {}
    assert stream.gap_samples == LOST
    assert [(start, stop) for kind, start, stop in places if kind is Gap] == [(FROM, FROM + LOST)]
    assert all(before[2] == after[1] for before, after in pairwise(places))
    record = wfdb.rdrecord(stream.recording)
    assert record.sig_len == 40 * FS
    missing = np.flatnonzero(np.isnan(record.p_signal[:, 0]))
    np.testing.assert_array_equal(missing, np.arange(FROM, FROM + LOST))
    lines = Path(stream.recording + ".events.jsonl").read_text().splitlines()
    assert sum(json.loads(line)["event"] == "gap" for line in lines) == 1


def test_a_sink_that_loses_samples_is_found_out(lossy, monkeypatch):
    push, seen = Recorder.push, []

    def forgets_one(recorder, message):
        seen.append(message)
        if len(seen) != 5:
            push(recorder, message)

    monkeypatch.setattr(Recorder, "push", forgets_one)
    stream = lossy(lambda session: None, model="identity").run().summary.streams[0]
    assert stream.unaccounted == {"recording": seen[4].stop - seen[4].start}


def test_a_position_reports_what_nobody_has():
    position = Position()
    assert position.gap_before(Gap("s", 5, 9)) is None
    position.note(Gap("s", 5, 9))
    found = position.gap_before(Gap("s", 12, 14))
    assert (found.start, found.stop) == (9, 12)
    assert position.gap_before(Gap("s", 9, 14)) is None
    position.note(Gap("s", 12, 14))
    assert position.unaccounted() == 3
    assert position.unaccounted(held=9) == 0
