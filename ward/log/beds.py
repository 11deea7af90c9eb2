"""What the broker knows of a bed: who sends it, and where on the log it is."""

import hashlib
import json
from dataclasses import asdict, dataclass

from streamer.partition import partition_of


@dataclass
class Claim:
    """Who sends a bed.

    Parameters
    ----------
    sender
        Its key among those that are alive.
    log
        Number of a message of the log, before which all but the newest samples of the bed lie.
    """

    bed: str
    fs: float
    leads: list[str]
    sender: str
    log: int = 0

    def packed(self) -> bytes:
        """As the broker keeps it."""
        return json.dumps(asdict(self)).encode()


def unpacked(data: bytes) -> Claim:
    """What `Claim.packed` made."""
    return Claim(**json.loads(data))


@dataclass
class SentBed:
    """What was sent of a bed.

    Parameters
    ----------
    first, next
        Number of the first sample that was sent, and of the one that follows the last.
    samples
        How many were put on the log.
    """

    bed: str
    first: int
    next: int
    samples: int = 0


def bed_key(bed: str) -> str:
    """Key of a bed: its partition, and a hash, since a name may have any letters."""
    return f"{partition_of(bed)}.{hashlib.blake2b(bed.encode(), digest_size=8).hexdigest()}"
