"""An engine that is stopped or killed in the middle of a word holds up nobody."""

import multiprocessing
import os
import pickle
import random
import signal
import struct
import time

import pytest

from engine.run import words
from engine.run.words import Receiver, Sender, Silence


@pytest.fixture
def pipe():
    ends = multiprocessing.Pipe(duplex=False)
    yield ends
    for end in ends:
        end.close()


def everything(receiver):
    """What comes until nothing more can."""
    heard = []
    while True:
        try:
            heard += receiver.take(60)
        except EOFError:
            return [word for word in heard if word is not None]


def test_words_come_in_order_and_whole(pipe):
    reader, writer = pipe
    receiver, sender = Receiver(reader), Sender(writer)
    sender.put([b"x" * 300_000])
    sender.put([2])
    sender.tell("end")
    sender.close()
    assert everything(receiver) == [[b"x" * 300_000], [2], "end"]
    receiver.close()


def test_where_nobody_reads_frames_are_dropped_and_answers_are_not(pipe):
    reader, writer = pipe
    sender = Sender(writer)
    sender.post("started")
    for number in range(1000):
        sender.put([number, b"x" * 10_000])
    sender.post("outcome")
    sender.post("end")
    receiver, heard = Receiver(reader), []
    while "end" not in heard:
        heard += filter(None, receiver.take(60))
    sender.close()
    bundles = [word[0] for word in heard if isinstance(word, list)]
    assert [word for word in heard if isinstance(word, str)] == ["started", "outcome", "end"]
    assert heard[0] == "started"
    assert bundles == sorted(bundles)
    assert bundles[-1] == 999
    assert len(bundles) < 200
    receiver.close()


def test_who_reads_nothing_does_not_hold_up_the_end(pipe):
    reader, writer = pipe
    receiver, sender = Receiver(reader), Sender(writer)
    for number in range(500):
        sender.put([number, b"x" * 10_000])
    # The end of an engine closes its pipe; closing the object under the thread that uses it is no such end.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, writer.fileno())
    os.close(nowhere)
    receiver.close()
    sender.close()


@pytest.mark.parametrize("ended", [True, False], ids=["killed", "stopped"])
def test_a_part_of_a_word_is_waited_for_by_nobody(ended):
    body = pickle.dumps(["a bundle"])
    message = struct.pack("!i", len(body)) + body
    for cut in range(len(message)):
        reader, writer = multiprocessing.Pipe(duplex=False)
        receiver = Receiver(reader)
        os.write(writer.fileno(), message + message[:cut])
        assert receiver.take(60) == [["a bundle"]]
        if ended:
            writer.close()
            with pytest.raises(EOFError):
                receiver.take(60)
        else:
            assert receiver.take(0.001) == []
            writer.close()
        receiver.close()


def chatter(writer):
    sender = Sender(writer)
    while True:
        sender.put([b"x" * 100_000])
        time.sleep(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a light process for a kill is a fork")
def test_a_kill_at_any_moment_is_heard():
    moments = random.Random(15)
    context = multiprocessing.get_context("fork")
    for _ in range(40):
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=chatter, args=(writer,), daemon=True)
        process.start()
        writer.close()
        receiver = Receiver(reader)
        assert receiver.take(60)
        time.sleep(moments.uniform(0, 0.01))
        os.kill(process.pid, signal.SIGKILL)
        assert all(word == [b"x" * 100_000] for word in everything(receiver))
        receiver.close()
        process.join()


def test_who_was_stopped_himself_has_heard_no_silence(monkeypatch):
    now = 0.0
    monkeypatch.setattr(words.time, "monotonic", lambda: now)
    silence = Silence()
    for _ in range(10):
        now += 0.1
        assert silence.seconds == pytest.approx(now)
    now += 3600.0
    assert silence.seconds < 1.5
    silence.broken()
    assert silence.seconds == 0.0
