"""The record of a run, and its JSON."""

import json
import math
from dataclasses import replace

import pytest
from job_tools import job_of

from engine.ledger.account import Tally
from engine.run.session import Session
from engine.run.summary import SCHEMA, LiveFigures, as_json
from streamer.settings import SourceSettings
from streamer.several import side_by_side


@pytest.fixture(scope="module")
def summary():
    """Of two patients, with every fault."""
    patients = side_by_side(SourceSettings(seconds=12.0, speed=0.0, faults="all:3"), patients=2)
    return Session(job_of(*patients, hop_ms=200.0)).run().summary


def test_one_stream_and_many_have_the_same_shape(summary):
    alone = as_json(Session(job_of(seconds=2.0, speed=0.0)).run().summary)
    many = as_json(summary)
    assert alone["schema"] == many["schema"] == SCHEMA
    assert alone.keys() == many.keys()
    assert [len(one["streams"]) for one in (alone, many)] == [1, 2]
    assert alone["streams"][0].keys() == many["streams"][0].keys()
    assert alone["streams"][0]["faults"] is None


def test_what_is_counted_of_a_run_is_the_sum_over_its_streams(summary):
    counts = vars(Tally.total(summary.streams))
    assert counts.keys() == Tally.__dataclass_fields__.keys()
    assert {name: getattr(summary, name) for name in counts} == counts
    assert summary.samples_out == sum(one.samples_out for one in summary.streams) > 0


def test_its_json_can_be_read_by_anyone(summary):
    def no_constant(name):
        raise AssertionError(f"{name} is no JSON")

    unknown = replace(summary.streams[0], snr_in_db=math.nan, rmse_mv=math.inf)
    read = json.loads(json.dumps(as_json(replace(summary, streams=[unknown]))), parse_constant=no_constant)
    (one,) = read["streams"]
    assert one["snr_in_db"] is one["rmse_mv"] is None
    assert one["delay_ms"]["p50"] == summary.streams[0].delay_ms.p50
    assert one["stream"]["counts"]["duplicates"] == summary.streams[0].stream.counts.duplicates
    assert one["faults"]["injected"].keys() == summary.streams[0].faults.injected.keys()
    assert read["overload"]["steps_taken"]["larger_hop"] == 0


def test_a_summary_has_a_type_for_everything(summary):
    """A figure that is found by a wrong name is an error, not a gap."""
    assert isinstance(summary.streams[0].stream, LiveFigures)
    with pytest.raises(AttributeError):
        _ = summary.sample_lost
