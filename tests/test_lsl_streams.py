"""Several live streams at once: found, cleaned, published; one that is unplugged disturbs no other."""

import threading
import time

import pytest
from job_tools import job_of
from lsl_outlets import running

from engine.run.session import Session
from streamer.broadcast.outlet import BroadcastSettings
from streamer.errors import InputError
from streamer.lsl.network import look_around
from streamer.lsl.settings import LslSettings
from streamer.settings import SourceSettings
from streamer.several import side_by_side

LSL = SourceSettings(kind="lsl")


def test_one_that_is_unplugged_leaves_the_other_alone():
    devices = (BroadcastSettings("left", unit="uV"), BroadcastSettings("right", unit="uV"))
    with running(*devices) as (left, _):
        first, second = side_by_side(LSL, stream_names="left,right")
        session = Session(job_of(first, second, lsl_out="clean", ladder=False))
        stopped, published = threading.Event(), []

        def unplug():
            time.sleep(3)
            left.kill()
            published.extend(stream.name for stream in look_around())
            deadline = time.monotonic() + 30
            while session.status(0).state != "LOST" and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(3)
            stopped.set()

        unplugging = threading.Thread(target=unplug)
        unplugging.start()
        summary = session.run(stopped.is_set).summary
        unplugging.join()
    lost, steady = summary.streams
    assert {"clean-1", "clean-2"} <= set(published)
    assert [lost.lsl_out, steady.lsl_out] == ["clean-1", "clean-2"]
    assert lost.stream.state == "LOST"
    assert (steady.stream.state, steady.gaps) == ("LIVE", 0)
    assert summary.samples_lost == 0
    assert steady.samples_out > lost.samples_out + 3 * 360
    assert steady.stream.states.get("LOST", 0) == 0


def test_names_that_contradict_each_other_are_refused():
    with pytest.raises(InputError, match="leave --stream-name and the like out"):
        side_by_side(LSL, stream_names="bed", every_stream=True)
    with pytest.raises(InputError, match="--source-id tells one stream"):
        side_by_side(SourceSettings(kind="lsl", lsl=LslSettings(source_id="x")), stream_names="a,b")
