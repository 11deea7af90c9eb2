"""A ward of several machines: what is sent is cleaned once each, whoever dies, to the bit."""

import signal

import pytest
from log_tools import account, brokers, ended, on_log, programs, until

from engine.in_process.stages import open_system
from ward.log.cleaner import Cleaner


@pytest.fixture(scope="module")
def system():
    return open_system("lowdelay", 100.0, 40.0, waits=True)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with brokers(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


def undisturbed(system, raw):
    """What one engine makes of the raw messages of a partition, without a break."""
    cleaner = Cleaner(system)
    return [piece for _, message in raw for piece in cleaner.push(message.pieces)]


def assert_exact(system, url, beds, samples):
    """Each sample of each bed stands on the log once, as an engine that nobody disturbed cleans it."""
    for raw, cleaned in on_log(url, beds).values():
        wanted = undisturbed(system, raw)
        left = [piece for _, message in cleaned for piece in message.pieces]
        for bed in {piece.bed for piece in left}:
            numbers, gaps, said = account([piece for piece in left if piece.bed == bed])
            assert numbers == list(range(samples))
            assert (numbers, gaps, said) == account([piece for piece in wanted if piece.bed == bed])


def cleaned_by(url, beds):
    """Epochs under which each partition of these beds was cleaned, and how many samples of it."""
    found = {}
    for partition, (_, cleaned) in on_log(url, beds).items():
        counts = found[partition] = {}
        for _, message in cleaned:
            for piece in message.pieces:
                counts[message.epoch] = counts.get(message.epoch, 0) + piece.count
    return found


def taken_over(url, beds, before):
    """Whether every partition is cleaned by an owner that is none of `before`; who cleaned what, then."""
    now = cleaned_by(url, beds)
    new = [
        {epoch: counts[epoch] for epoch in counts.keys() - before.get(each, {})}
        for each, counts in now.items()
    ]
    return all(sum(counts.values()) > 100 for counts in new) and now


def goes_on(url, beds, before):
    """Whether every partition is cleaned further, by whomever."""
    now = cleaned_by(url, beds)
    return all(sum(now[each].values()) > sum(before[each].values()) for each in before)


def test_a_killed_worker_a_paused_one_and_a_broker_that_dies_cost_nothing(broker, system, tmp_path):
    beds = [f"synthetic sinus 61 bpm, seed {seed}" for seed in (7, 8, 9)]
    send = (
        f"ingest --nats {broker.url} --patients 3 --seed 7 --heart-rate 61 --noise none --speed 1.5".split()
    )
    work = ["ward", "--nats", broker.url]
    with programs(tmp_path, work) as (first,):
        until(lambda: "takes part" in first.told.read_text())
        with programs(tmp_path, send) as (edge,):
            before = until(lambda: taken_over(broker.url, beds, {}))
            first.end(signal.SIGKILL)
            with programs(tmp_path, work) as (second,):
                before = until(lambda: taken_over(broker.url, beds, before))
                second.send(signal.SIGSTOP)
                with programs(tmp_path, work) as (third,):
                    before = until(lambda: taken_over(broker.url, beds, before))
                    # It still thinks that it owns them; whatever it writes now is refused.
                    second.send(signal.SIGCONT)
                    until(lambda: second.told.read_text().count("taken over by another") >= 3)
                    broker.kill()
                    broker.start()
                    before = cleaned_by(broker.url, beds)
                    until(lambda: goes_on(broker.url, beds, before))
                    assert edge.end() == 0
                    until(lambda: ended(broker.url, beds))
                    assert [third.end(), second.end()] == [0, 0]
            samples = {bed["bed"]: bed["samples"] for bed in edge.summary()}
    for bed in beds:
        assert_exact(system, broker.url, [bed], samples[bed])
    assert all(len(epochs) >= 3 for epochs in cleaned_by(broker.url, beds).values())
