"""The events beside the cleaned stream, for those who begin to listen late."""

import json
import time
from itertools import pairwise

import lsl_outlets  # noqa: F401 - isolates LSL
import pytest

import engine.sinks.lsl_outlet
from engine.config import EngineConfig
from engine.sinks.lsl_outlet import LslOutlet
from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.lsl.network import Wanted, find_stream, load_pylsl
from streamer.watchdog import StreamState


def outlet_of(source, name="late"):
    return LslOutlet(
        name, StreamInfo(360.0, ("II",), "bed", source), "unet", EngineConfig(360, 64, 8, 20), 0.1
    )


@pytest.fixture
def outlet(monkeypatch):
    monkeypatch.setattr(engine.sinks.lsl_outlet, "REPEAT_S", 0.5)
    outlet = outlet_of("bed")
    yield outlet
    outlet.close()


def first_event(outlet):
    """What a client that begins to listen now hears first."""
    pylsl = load_pylsl()
    inlet = pylsl.StreamInlet(find_stream(Wanted("late-events"), 20.0).handle)
    inlet.open_stream(20.0)
    deadline = time.monotonic() + 30
    while True:
        outlet.repeat()
        sample, _ = inlet.pull_sample(timeout=0.05)
        if sample:
            return json.loads(sample[0]), inlet
        assert time.monotonic() < deadline, "nothing was told"


def test_whoever_listens_late_hears_how_things_stand(outlet):
    outlet.note_state(StreamState.LIVE)
    outlet.note_state(StreamState.LOST)
    expected = {"event": "current", "state": "LOST", "mark": "", "reasons": {}, "step": ""}
    first, listening = first_event(outlet)
    assert first == expected
    # The second one too, although the first still listens.
    outlet.note_step("filter", "machine too slow")
    second, _ = first_event(outlet)
    assert second == expected | {"step": "filter"}
    assert listening.samples_available()


def test_what_did_not_change_is_told_at_intervals_and_only_to_listeners(outlet, monkeypatch):
    told = []
    monkeypatch.setattr(outlet, "_tell", lambda stamp, **event: told.append(stamp))
    ends = time.monotonic() + 1.2
    while time.monotonic() < ends:
        outlet.repeat()
    assert not told
    monkeypatch.setattr(outlet._events, "have_consumers", lambda: True)
    while len(told) < 3:
        outlet.repeat()
    # Looked at every 0.2 s.
    assert all(0.5 <= later - earlier for earlier, later in pairwise(told))


def test_every_client_finds_the_cleaned_stream_again_by_its_id():
    pylsl = load_pylsl()
    outlet = outlet_of("Ann's bed")
    try:
        source_id = find_stream(Wanted("late"), 20.0).source_id
        assert [each.name() for each in pylsl.resolve_byprop("source_id", source_id, 1, 20.0)] == ["late"]
    finally:
        outlet.close()


def test_a_name_by_which_no_client_finds_a_stream_is_refused():
    with pytest.raises(InputError, match="without ', by which no LSL client"):
        outlet_of("bed", "Ann's")
