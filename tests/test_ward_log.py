"""A ward of several machines: what is sent is cleaned once each, whoever dies, to the bit."""

import signal

import numpy as np
import pytest
from log_tools import Program, account, asked, brokers, ended, on_log, until

from engine.in_process.stages import open_system
from streamer.partition import partition_of
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


class Ward:
    """Two workers and a sender, to which things happen."""

    def __init__(self, broker, beds, folder):
        self.broker, self.beds, self.folder = broker, beds, folder
        self.workers = [self._another(), self._another()]

    def _another(self):
        return Program(self.folder, "ward", "--nats", self.broker.url)

    def owner_of(self, bed):
        """The worker that owns a bed now, where it is one of ours."""
        found = asked(self.broker.url, lambda log: log.value(log.owners, str(partition_of(bed))))
        name = found[0].decode() if found else ""
        return next((each for each in self.workers if f"-{each.process.pid}-" in name), None)

    def goes_on(self, beds, epochs=None):
        """Wait until these beds are cleaned further: by owners that have not been, if so many are named."""
        before = cleaned_by(self.broker.url, beds)

        def further():
            now = cleaned_by(self.broker.url, beds)
            if epochs is not None:
                return all(
                    sum(now[each].get(new, 0) for new in now[each].keys() - epochs[each]) for each in now
                )
            return all(sum(now[each].values()) > sum(before[each].values()) for each in now)

        until(further)

    def kill(self, bed):
        """A worker dies; another machine takes its place in the ward."""
        owner, epochs = until(lambda: self.owner_of(bed)), cleaned_by(self.broker.url, [bed])
        owner.end(signal.SIGKILL)
        self.workers[self.workers.index(owner)] = self._another()
        self.goes_on([bed], epochs)

    def pause(self, bed):
        """A worker stands still until it has lost what it had; then it goes on, and may write none of it."""
        owner, epochs = until(lambda: self.owner_of(bed)), cleaned_by(self.broker.url, [bed])
        lost = owner.told.read_text().count("was taken over")
        owner.send(signal.SIGSTOP)
        self.goes_on([bed], epochs)
        owner.send(signal.SIGCONT)
        until(lambda: owner.told.read_text().count("was taken over") > lost)

    def restart_broker(self, bed):
        """The broker dies, and comes back with what it had on disk."""
        self.broker.kill()
        self.broker.start()
        self.goes_on([bed])


def survives(broker, system, folder, seed, troubles):
    """Whether a ward to which all this happens cleans every sample once, to the bit."""
    beds = [f"synthetic sinus 61 bpm, seed {seed + number}" for number in range(3)]
    patients = f"--patients 3 --seed {seed} --heart-rate 61 --noise none --speed 1.5"
    ward = Ward(broker, beds, folder)
    edge = Program(folder, "ingest", "--nats", broker.url, *patients.split())
    try:
        ward.goes_on(beds, {partition_of(bed): {} for bed in beds})
        for number, trouble in enumerate(troubles):
            trouble(ward, beds[number % 3])
        assert edge.end() == 0
        until(lambda: ended(broker.url, beds))
        assert [worker.end() for worker in ward.workers] == [0, 0]
    finally:
        for each in (edge, *ward.workers):
            each.end(signal.SIGKILL)
    samples = {bed["bed"]: bed["samples"] for bed in edge.summary()}
    for bed in beds:
        assert_exact(system, broker.url, [bed], samples[bed])


def test_a_killed_worker_a_paused_one_and_a_broker_that_dies_cost_nothing(broker, system, tmp_path):
    survives(broker, system, tmp_path, 7, [Ward.kill, Ward.pause, Ward.restart_broker])


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_fifty_troubles_at_random_cost_nothing(broker, system, tmp_path):
    rng = np.random.default_rng(50)
    troubles = rng.choice([Ward.kill, Ward.pause, Ward.restart_broker], 50)
    survives(broker, system, tmp_path, 17, troubles)
