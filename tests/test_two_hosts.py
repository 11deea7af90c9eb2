"""A device on another machine, by another clock, behind a link that is cut: every sample is accounted for."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).with_name("two_hosts")))

from hosts import why_not
from talk import FS, far_apart

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"two hosts cannot be made here: {why_not()}")


@pytest.fixture
def far(tmp_path, request):
    """The engine to talk to and the link; both sides are ended at last.

    A parameter is the link's delay, 20 ms without one.
    """
    with far_apart(tmp_path) as (_, talk, link):
        link.change(delay_s=getattr(request, "param", 0.02))
        yield talk, link


def frames_from(talk, seconds):
    """Wait until the engine has released so much more than now."""
    stops = [line["stop"] for line in talk.lines if "stop" in line]
    aim = max(stops, default=0) + seconds * FS
    talk.wait_for(lambda line: line.get("stop", 0) >= aim)


def finish(talk):
    """End the run; its stream's summary, and the judge's verdict on every sample."""
    talk.say(stop=True)
    said = talk.wait_for(lambda line: "summary" in line)
    return said["summary"]["streams"][0], said["verdict"]


@pytest.mark.timeout(300)
def test_a_link_with_delay_jitter_and_loss_loses_nothing(far):
    talk, link = far
    link.change(loss=0.01)
    frames_from(talk, 6)
    _, verdict = finish(talk)
    assert verdict["exact"]
    assert verdict["gap_samples"] == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("retuned", [False, True])
def test_an_outage_loses_nothing_that_the_outlet_kept(far, retuned):
    """What was sampled meanwhile comes late, and stands where it belongs."""
    talk, link = far
    frames_from(talk, 3)
    link.change(cut=True)
    talk.wait_for(lambda line: line.get("state") == "LOST")
    if retuned:
        talk.say(retune=50)
        talk.wait_for(lambda line: "retuned" in line)
    link.change(cut=False)
    frames_from(talk, 5)
    stream, verdict = finish(talk)
    assert verdict["exact"]
    assert verdict["gap_samples"] == 0
    assert stream["delay_ms"]["max"] > 5000


@pytest.mark.timeout(300)
@pytest.mark.parametrize("far", [0.3], indirect=True)
def test_over_a_link_too_slow_to_compare_clocks_the_delay_is_unknown(far):
    """0.6 s there and back; the clocks are 50 000 s apart, and no stamp may pass for a time."""
    talk, _ = far
    frames_from(talk, 5)
    stream, verdict = finish(talk)
    assert stream["delay_ms"]["p50"] is None
    assert any("could not be compared" in note for note in stream["stream"]["notes"])
    assert verdict["exact"]
    assert verdict["gap_samples"] == 0
