"""Which part of a ward a bed belongs to: by its name alone, so that whoever asks gets the same answer."""

import hashlib
from collections.abc import Iterable

PARTITIONS = 256
"""Parts of a ward; they are what moves from one worker to another."""


def partition_of(bed: str) -> int:
    """The partition of a bed, 0 to 255: a byte of BLAKE2b of its name, which spreads names that are alike."""
    return hashlib.blake2b(bed.encode(), digest_size=1).digest()[0]


def owner_of(partition: int, workers: Iterable[str]) -> str:
    """Which of these workers a partition belongs to: where one comes or goes, few partitions move.

    The highest hash of both names decides (rendezvous hashing), so all who know the same workers agree.
    """
    return max(workers, key=lambda name: hashlib.blake2b(f"{partition}/{name}".encode()).digest())


def worker_of(bed: str, workers: int) -> int:
    """Which of so many workers a bed belongs to, each of which has its share of the partitions."""
    return partition_of(bed) * workers // PARTITIONS
