"""Names in a log: those of streams, records, devices and files may be those of patients."""

import re
from collections.abc import Iterable

from engine.run.protocol import Job, StartedStream
from streamer.plain import plain

WITHHELD = "withheld: it may name a patient; --log-names has it told"
_NAMING = ("port", "serial_port", "mac_address", "ip_address", "address", "file")
"""Options of devices that say which one."""


class Names:
    """Knows the names of a run, and takes them out of what is logged.

    Parameters
    ----------
    job
        What is to be played.
    others
        More texts that stand for the names of files.
    shown
        Leave all as it is.
    """

    def __init__(self, job: Job, others: Iterable[str], *, shown: bool) -> None:
        self.shown = shown
        # A live source may say names that nobody knew before.
        self._foreign = any(source.kind not in ("replay", "synthetic") for source in job.sources)
        self._known: dict[str, str] = {}
        for number, source in enumerate(job.sources, start=1):
            given = [value for name, value in source.given if name in _NAMING]
            where = [str(source.data_dir)] if source.data_dir else []
            record = [source.record] if source.kind == "replay" else []
            for name in (*record, source.lsl.stream_name, source.lsl.source_id, *given, *where):
                self._learn(name, number)
        for text in others:
            self._learn(text, None)

    def _learn(self, name: str | None, number: int | None) -> None:
        # A name of one letter would take apart every text.
        if name and len(name) > 1:
            self._known.setdefault(name, "…" if number is None else f"stream {number}")

    def plays(self, number: int, stream: StartedStream) -> None:
        """Learn what a stream that plays is called."""
        for name in (stream.info.name, stream.info.name.removeprefix("LSL "), stream.info.source_id):
            self._learn(name, number)

    def safe(self, text: str) -> str:
        """Text of our own, with names that are known taken out."""
        if not self.shown:
            # The longest first: a name may hold another one.
            for name in sorted(self._known, key=len, reverse=True):
                text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", self._known[name], text)
        return plain(text, 1000)

    def foreign(self, text: str) -> str:
        """Text into which a source may have brought any name."""
        return WITHHELD if text and self._foreign and not self.shown else self.safe(text)
