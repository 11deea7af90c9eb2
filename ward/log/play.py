"""Plays sources onto the log: what is there at first, and streams that join."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from engine.run.merge import as_they_come, parts_of
from streamer.chunk import Chunk
from streamer.errors import InputError
from streamer.joining import Joining
from streamer.settings import SourceSettings
from streamer.several import Absent, join_singly, open_sources
from streamer.source import Source
from ward.log.beds import SentBed
from ward.log.ingest import Sender

_LOOK_S = 0.2


def play(wanted: Sequence[SourceSettings], url: str, tell: Callable[[str], None]) -> list[SentBed]:
    """Put sources on the log of a ward until they have ended; Ctrl-C ends them in good order.

    Parameters
    ----------
    tell
        Given a line whenever a person should know something.

    Raises
    ------
    InputError
        If the broker or a source cannot be used.
    """
    sender = Sender(url)
    try:
        with ExitStack() as stack:
            joining: Joining[Source] | None = None
            if join_singly(wanted):
                joining = Joining(wanted, lambda number, settings, source: source)
                stack.callback(joining.close)
                sources, absent = joining.begin(lambda: False)
                _tell_absent(absent, tell)
            else:
                sources = open_sources(wanted)
            begun = [source for source in sources if _begins(sender, source, tell, joining is None)]

            def playing(sources: list[Source]) -> list[Iterator[Sequence[Chunk]]]:
                return parts_of([(source, source.chunks()) for source in sources])

            def newcomers() -> list[Iterator[Sequence[Chunk]]]:
                found = joining.arrived() if joining else []
                _tell_absent([each for each in found if isinstance(each, Absent)], tell)
                new = [each for each in found if not isinstance(each, Absent)]
                return playing([source for source in new if _begins(sender, source, tell, False)])

            rounds = stack.enter_context(
                as_they_come(
                    playing(begun),
                    lambda: _LOOK_S,
                    newcomers,
                    lambda: joining is not None and joining.holds_run,
                )
            )
            try:
                for chunks in rounds:
                    sender.put(chunks)
            except KeyboardInterrupt:
                tell("stopping: what was read is put on the log …")
    except BaseException:
        sender.close()
        raise
    return sender.end()


def _begins(sender: Sender, source: Source, tell: Callable[[str], None], must: bool) -> bool:
    """Claim a source's bed; where it cannot be had, one of several is left out, with a word."""
    try:
        sender.begin(source.info)
    except InputError as error:
        if must:
            raise
        tell(f"{source.info.name} is not sent: {error}")
        return False
    tell(f"{source.info.name} is on the log")
    return True


def _tell_absent(absent: Sequence[Absent], tell: Callable[[str], None]) -> None:
    for each in absent:
        tell(f"{each.name} is not sent: {each.why}")
