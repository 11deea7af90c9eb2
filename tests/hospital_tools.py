"""Pieces of beds as a ward puts them on the log, and a hospital that listens."""

import hl7
import numpy as np
from hl7.mllp import start_hl7_server

from engine.marks import Mark, Reason
from ward.log.frames import Flag, Piece, plain_piece

FS, LEADS = 100.0, ("II", "MLII")
BEGAN = 1_800_000_000.0


def values_of(start, count):
    """Cleaned values that tell their sample, mV."""
    return np.stack([np.arange(start, start + count), -np.arange(start, start + count)]).astype("f4") / 1000


def piece(bed, start, count, lost=(), bypassed=(), flag=Flag.NONE):
    """Samples of a bed; of the second lead some were lost, of the first some bypassed."""
    cleaned = values_of(start, count)
    marks, reasons = np.zeros((2, 2, count), np.uint8)
    for sample in lost:
        marks[1, sample - start], cleaned[1, sample - start] = Mark.MISSING, np.nan
    for sample in bypassed:
        marks[0, sample - start], reasons[0, sample - start] = Mark.BYPASSED, Reason.BEAT_ERASED
    stamps = BEGAN + np.arange(start, start + count) / FS
    signals = np.stack([cleaned + 5, cleaned, np.zeros_like(cleaned)])
    return Piece(bed, LEADS, FS, start, count, stamps, signals, np.stack([marks, reasons]), flag)


def gap(bed, start, stop):
    return plain_piece(bed, LEADS, FS, start, stop - start, Flag.GAP)


class Listener:
    """Takes messages over MLLP; what it answers to each is said beforehand, and then `AA`.

    An answer is a code, or ``silent`` or ``hang up``. A message whose code is positive is accepted; one that
    it has accepted already it knows by its identifier.
    """

    def __init__(self, *answers):
        self._answers = list(answers)
        self.heard, self.accepted = [], {}

    async def __aenter__(self):
        self._server = await start_hl7_server(self._talk, "127.0.0.1", 0, limit=2**22, encoding="utf-8")
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _talk(self, reader, writer):
        try:
            while True:
                message = await reader.readmessage()
                identifier = str(message.segment("MSH")(10))
                self.heard.append(identifier)
                answer = self._answers.pop(0) if self._answers else "AA"
                if answer in ("AA", "CA", "hang up, accepted"):
                    assert self.accepted.setdefault(identifier, str(message)) == str(message)
                if answer.startswith("hang up"):
                    return
                if answer != "silent":
                    writer.writemessage(message.create_ack(answer))
                    await writer.drain()
        except (EOFError, OSError):
            pass
        finally:
            writer.close()


def samples_of(message):
    """Of each lead of a message of HL7: value by time in hundredths of a second since `BEGAN`."""
    from datetime import datetime

    parsed, found = hl7.parse(message), {}
    for observed in parsed.segments("OBX"):
        if str(observed(2)) != "NA":
            continue
        first = datetime.strptime(str(observed(14)), "%Y%m%d%H%M%S.%f%z").timestamp()
        lead = str(observed(3)[0][3])
        texts = [str(value) for value in observed(5)[0]]
        begins = round((first - BEGAN) * FS)
        found[lead] = {begins + n: float(text) for n, text in enumerate(texts) if text}
    return found
