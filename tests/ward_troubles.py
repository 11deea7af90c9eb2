"""Troubles of a ward of several machines: how soon it goes on, and whether all is cleaned once, to the bit.

For docs/ward.md: python tests/ward_troubles.py --troubles 50 --json docs/results/ward/troubles.json

The seconds are told by the broker's stamps on the log. With `--seed` the troubles are the same each time.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from log_tools import Broker, Program, account, asked, brokers, ended, on_log, until

from engine.in_process.stages import System, open_system
from streamer.partition import owner_of, partition_of
from ward.log.broker import Log, cleaned_subject
from ward.log.cleaner import Cleaner
from ward.log.follower import Follower
from ward.log.frames import decode
from ward.log.worker import WORKER

BEDS = 3
_SETTLES_S = 300.0
_APART_S = 4.0
"""At most so long between two troubles: a snapshot is as old as it may be when one comes."""


@dataclass(frozen=True)
class Trouble:
    """What happened.

    Parameters
    ----------
    kind
        ``kill``: of a worker; ``pause``: of one, past its lease; ``broker``: killed and started again.
    noticed_s
        Until another had the last of the partitions that were struck; None where none changes its owner.
    seconds
        Until each of them was cleaned further: at the broker, from the signal.
    """

    kind: str
    noticed_s: float | None
    seconds: float


class Ward:
    """Two workers and a sender, to which things happen."""

    def __init__(self, broker: Broker, beds: list[str], folder: Path) -> None:
        self._broker, self._folder = broker, folder
        self.partitions = {partition_of(bed) for bed in beds}
        self.workers = [self._another(), self._another()]

    def _another(self) -> Program:
        return Program(self._folder, "ward", "--nats", self._broker.url)

    def settle(self) -> None:
        """Wait until both workers are there and each cleans what falls to it."""

        async def settled(log: Log) -> bool:
            names = [name for name in await log.keys(log.workers) if name.startswith(WORKER)]
            ours = {f"-{each.process.pid}-" for each in self.workers}
            if len(names) != len(ours) or not all(any(one in name for name in names) for one in ours):
                return False
            for each in self.partitions:
                owner = await log.value(log.owners, str(each))
                if owner is None or owner[0].decode() != owner_of(each, names):
                    return False
                newest = await log.newest(cleaned_subject(each))
                if newest is None or not (last := decode(newest[0])).pieces or last.epoch != owner[1]:
                    return False
            return True

        try:
            until(lambda: asked(self._broker.url, settled), _SETTLES_S)
        except AssertionError as error:
            for each in self.workers:
                error.add_note(f"{each.process.pid}, status {each.process.poll()}: {each.told.read_text()}")
            raise

    def owner_of(self, partition: int) -> Program:
        """The worker that owns a partition now."""
        found = asked(self._broker.url, lambda log: log.value(log.owners, str(partition)))
        (owner,) = (each for each in self.workers if f"-{each.process.pid}-" in found[0].decode())
        return owner

    def kill(self, partition: int) -> Trouble:
        """A worker dies; when others have what it had, another machine takes its place in the ward."""
        owner, struck = self._struck(partition)
        trouble = self._goes_on("kill", struck, lambda: owner.send(signal.SIGKILL))
        owner.end()
        self.workers[self.workers.index(owner)] = self._another()
        return trouble

    def pause(self, partition: int) -> Trouble:
        """A worker stands still until it has lost what it had; then it goes on, and may write none of it."""
        owner, struck = self._struck(partition)
        lost = owner.told.read_text().count("was taken over")
        trouble = self._goes_on("pause", struck, lambda: owner.send(signal.SIGSTOP))
        owner.send(signal.SIGCONT)
        until(lambda: owner.told.read_text().count("was taken over") > lost)
        return trouble

    def broker(self, partition: int) -> Trouble:
        """The broker dies, and comes back with what it had on disk."""
        return self._goes_on("broker", self.partitions, self._broker.kill, self._broker.start)

    def _struck(self, partition: int) -> tuple[Program, set[int]]:
        owner = self.owner_of(partition)
        return owner, {each for each in self.partitions if self.owner_of(each) is owner}

    def _goes_on(
        self,
        kind: str,
        struck: set[int],
        strike: Callable[[], object],
        mend: Callable[[], object] = lambda: None,
    ) -> Trouble:
        """Do something, and wait until the partitions that it struck are cleaned further."""

        async def went_on(log: Log) -> Trouble:
            newest = {each: await log.newest(cleaned_subject(each)) or (b"", 0) for each in struck}
            strike()
            begun_s = time.time()
            mend()
            noticed, further = [], []
            for each, (data, number) in newest.items():
                epoch, cleaned = decode(data).epoch, Follower(log, cleaned_subject(each), number)
                reached_s = None
                while reached_s is None:
                    for message in await cleaned.read():
                        content, came_s = decode(message.data), message.metadata.timestamp.timestamp()
                        is_new = came_s > begun_s if kind == "broker" else content.epoch > epoch
                        if is_new and not content.pieces:
                            noticed.append(came_s - begun_s)
                        elif is_new:
                            reached_s = came_s - begun_s
                            break
                await cleaned.close()
                further.append(reached_s)
            return Trouble(kind, max(noticed, default=None), max(further))

        return asked(self._broker.url, went_on)


KINDS: dict[str, Callable[[Ward, int], Trouble]] = {
    "kill": Ward.kill,
    "pause": Ward.pause,
    "broker": Ward.broker,
}


def undisturbed(system: System, raw):
    """What one engine makes of the raw messages of a partition, without a break."""
    cleaner = Cleaner(system)
    return [piece for _, message in raw for piece in cleaner.push(message.pieces)]


def assert_exact(system: System, url: str, samples: dict[str, int]) -> None:
    """Each sample of each bed stands on the log once, as an engine that nobody disturbed cleans it."""
    for raw, cleaned in on_log(url, samples).values():
        wanted = undisturbed(system, raw)
        left = [piece for _, message in cleaned for piece in message.pieces]
        for bed in {piece.bed for piece in left}:
            numbers, gaps, said = account([piece for piece in left if piece.bed == bed])
            assert numbers == list(range(samples[bed]))
            assert (numbers, gaps, said) == account([piece for piece in wanted if piece.bed == bed])


def survives(
    broker: Broker,
    system: System,
    folder: Path,
    seed: int,
    kinds: list[str],
    waits: Callable[[int], float] = lambda number: 0.0,
    tell: Callable[[Trouble], None] = lambda trouble: None,
) -> tuple[list[Trouble], int]:
    """Have all this happen to a ward, which must clean every sample once, to the bit.

    Parameters
    ----------
    waits
        Seconds before each trouble, by its number.

    Returns
    -------
    troubles
        As they happened.
    samples
        How many were sent, and cleaned.
    """
    beds = [f"synthetic sinus 61 bpm, seed {seed + number}" for number in range(BEDS)]
    patients = f"--patients {BEDS} --seed {seed} --heart-rate 61 --noise none"
    ward, troubles = Ward(broker, beds, folder), []
    edge = Program(folder, "ingest", "--nats", broker.url, *patients.split())
    try:
        ward.settle()
        for number, kind in enumerate(kinds):
            time.sleep(waits(number))
            troubles.append(KINDS[kind](ward, partition_of(beds[number % BEDS])))
            tell(troubles[-1])
            ward.settle()
        assert edge.end() == 0
        until(lambda: ended(broker.url, beds))
        assert [worker.end() for worker in ward.workers] == [0, 0]
    finally:
        for each in (edge, *ward.workers):
            each.end(signal.SIGKILL)
    samples = {bed["bed"]: bed["samples"] for bed in edge.summary()}
    assert_exact(system, broker.url, samples)
    return troubles, sum(samples.values())


def main() -> None:
    """Print each trouble; what they come to goes to a file."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--troubles", type=int, default=50)
    words.add_argument("--seed", type=int, default=50)
    words.add_argument("--json", type=Path, required=True)
    given = words.parse_args()
    rng = np.random.default_rng(given.seed)
    kinds = [str(kind) for kind in rng.choice(list(KINDS), given.troubles)]
    waits, loads = rng.uniform(0, _APART_S, given.troubles), []

    def tell(trouble: Trouble) -> None:
        loads.append(os.getloadavg()[0])
        noticed = (
            "" if trouble.noticed_s is None else f", of which {trouble.noticed_s:.2f} until another had it"
        )
        sys.stdout.write(f"{trouble.kind}: {trouble.seconds:.2f} s{noticed}, load {loads[-1]:.1f}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as folder, brokers(Path(folder)) as broker:
        system = open_system("lowdelay", 100.0, 40.0, waits=True)
        troubles, samples = survives(
            broker, system, Path(folder), given.seed, kinds, lambda number: waits[number], tell
        )
    of_kind = {kind: [each for each in troubles if each.kind == kind] for kind in KINDS}
    result = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": given.seed,
        "cores": os.cpu_count(),
        "load": [min(loads), float(np.median(loads)), max(loads)],
        "samples": samples,
        "samples_lost": 0,
        "bits_that_differ": 0,
        "seconds": {kind: figures_of(some) for kind, some in of_kind.items() if some}
        | {"all": figures_of(troubles)},
        "troubles": [asdict(each) for each in troubles],
    }
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result["seconds"]) + "\n")


def figures_of(troubles: list[Trouble]) -> dict[str, float]:
    """How many, and median, p99 and longest of their seconds; the median until they were noticed."""
    seconds = [each.seconds for each in troubles]
    noticed = [each.noticed_s for each in troubles if each.noticed_s is not None]
    figures = {
        "count": len(seconds),
        "p50": round(float(np.median(seconds)), 3),
        "p99": round(float(np.percentile(seconds, 99)), 3),
        "most": round(max(seconds), 3),
    }
    return figures | ({"noticed_p50": round(float(np.median(noticed)), 3)} if noticed else {})


if __name__ == "__main__":
    main()
