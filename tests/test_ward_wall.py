"""What the station says of a ward on a log: beds by their cleaned messages, workers by who is alive."""

import numpy as np
import pytest

from engine.marks import Reason
from streamer.partition import partition_of
from ward.beds import Beds
from ward.log.frames import Flag, Message, Piece, plain_piece
from ward.log.wall import ORPHANED_S, SILENT_S, Wall
from ward.station.frames import state_of

BED, FS, LEADS = "bed 1", 360.0, ("II",)
PARTITION = partition_of(BED)


def cleaned(start, count, *, fs=FS, reason=0, flag=Flag.NONE):
    stamps = 1000.0 + (start + np.arange(count)) / fs
    words = np.stack([np.zeros((1, count), np.uint8), np.full((1, count), reason, np.uint8)])
    return Piece(BED, LEADS, fs, start, count, stamps, np.ones((3, 1, count), np.float32), words, flag)


class Log:
    """A wall that is fed by hand, on a clock that is set by hand."""

    def __init__(self):
        self.wall, self.now_s = Wall(Beds()), 0.0

    def write(self, *pieces, epoch=1, delay_s=0.1):
        stamps = [piece.stamps[-1] for piece in pieces if len(piece.stamps)]
        came_s = max(stamps, default=1000.0) + delay_s
        return self.wall.take(PARTITION, Message(list(pieces), epoch), came_s, self.now_s)

    def after(self, seconds, alive=("worker-a", "worker-b")):
        self.now_s += seconds
        self.wall.look(alive, self.now_s)

    @property
    def said(self):
        return state_of(self.wall.beds.all[0])

    def events(self):
        return [event.text for event in self.wall.beds.events()]


@pytest.fixture
def log():
    log = Log()
    assert log.write(cleaned(0, 360))
    log.wall.owned(PARTITION, "worker-a")
    log.after(0.1)
    return log


def test_a_bed_that_is_cleaned_is_live_with_its_delay_and_its_worker(log):
    said = log.said
    assert (said["name"], said["state"], said["worker"], said["samples_in"]) == (BED, "LIVE", 1, 360)
    assert said["delay_ms"] == pytest.approx(100, abs=0.1)
    assert log.wall.beds.all[0].newest == 180


def test_samples_that_are_written_twice_or_by_an_old_owner_are_shown_once(log):
    assert log.write(cleaned(180, 360), epoch=2)
    assert not log.write(cleaned(540, 360), epoch=1)
    log.after(0.1)
    assert log.said["samples_in"] == 540


def test_a_worker_that_has_gone_is_told_of_and_the_one_that_takes_over_too(log):
    log.after(ORPHANED_S + 0.1, alive=("worker-b",))
    assert (log.said["state"], log.said["why"]) == ("NO WORKER", "waits for another worker")
    assert "worker 1 has gone; others take its beds over" in log.events()
    assert log.write(cleaned(360, 36), epoch=2)
    log.wall.owned(PARTITION, "worker-b")
    log.after(0.1, alive=("worker-b",))
    assert (log.said["state"], log.said["worker"]) == ("LIVE", 2)
    assert log.events()[-1] == "is cleaned by worker 2 now"


def test_a_bed_of_which_nothing_comes_is_lost_and_one_that_has_ended_is_not(log):
    log.after(SILENT_S + 0.1)
    assert (log.said["state"], log.said["why"]) == ("LOST", "nothing comes from its sender")
    log.write(plain_piece(BED, LEADS, FS, 360, flag=Flag.ENDS))
    log.after(SILENT_S + 0.1)
    assert log.said["state"] == "ENDED"
    log.after(0.1, alive=())
    assert log.said["state"] == "ENDED"


def test_a_broker_that_does_not_answer_loses_all_beds(log):
    log.after(0.1, alive=None)
    assert (log.said["state"], log.said["why"]) == ("LOST", "the broker does not answer")
    log.after(0.1)
    assert log.said["state"] == "LIVE"


def test_gaps_and_reasons_are_those_of_the_log(log):
    log.write(plain_piece(BED, LEADS, FS, 360, 720, Flag.GAP), cleaned(1080, 36, reason=Reason.FLAT))
    log.after(0.1)
    assert (log.said["gaps"], log.said["gap_samples"], log.said["samples_in"]) == (1, 720, 396)
    assert log.said["why"] == "lead off"
    assert "has a gap of 2.0 s" in log.events()
    log.write(cleaned(1116, 36, flag=Flag.SETTLING))
    log.after(0.1)
    assert log.said["why"] == "settling"
