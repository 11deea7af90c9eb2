"""Who has played in a run whose engine is started again: where each was left, and what is known of it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from engine.ledger.account import Tally
from engine.run.failure import EngineFailure
from engine.run.known import Standing
from engine.run.protocol import Job, Outcome, Resume, StartedStream, StreamOutcome
from engine.run.summary import StreamSummary
from streamer.settings import SourceSettings
from streamer.several import join_singly

_AWAY = "it did not come back after the engine was started again"


class Roll:
    """The streams of all engines of a run.

    Attributes
    ----------
    streams
        All that have played, by `StreamInfo.source_id`, in the order in which they began.
    """

    def __init__(self) -> None:
        self.streams: dict[str, StartedStream] = {}
        self._left: dict[str, Resume] = {}
        # Of each what was known of it when an engine died.
        self._known: dict[str, tuple[StreamSummary, StreamOutcome]] = {}

    def note(self, streams: Iterable[StartedStream], job: Job) -> None:
        """Note what plays now.

        Raises
        ------
        EngineFailure
            If it has other leads than before, or is another one where none may join.
        """
        for each in streams:
            before = self.streams.get(each.info.source_id)
            is_other = before.info.leads != each.info.leads if before else not join_singly(job.sources)
            if self.streams and is_other:
                played = [before] if before else self.streams.values()
                raise EngineFailure(
                    "the engine was started again, but its sources are others now: "
                    f"{_named(each)} in place of {', '.join(map(_named, played))}"
                )
        self.streams |= {each.info.source_id: each for each in streams}

    def leave(self, standings: Sequence[Standing], outcome: Outcome, *, stood: bool) -> None:
        """Note where an engine that has died left its streams.

        Parameters
        ----------
        outcome
            What is known of them, in the same order.
        stood
            As of `Standing.resume`.
        """
        for each, summary, end in zip(standings, outcome.summary.streams, outcome.streams, strict=True):
            self._left[each.info.source_id] = each.resume(stood=stood)
            self._known[each.info.source_id] = (summary, end)

    def next_job(self, job: Job) -> Job:
        """The same job for another engine: the very streams that played, and what else was asked for."""
        left = sorted(self._left.values(), key=lambda each: each.number)
        every = [source for source in job.sources if source.lsl.every]
        named = {} if every else dict(enumerate(job.sources, 1))
        named |= {each.number: _same(self.streams[each.stream]) for each in left}
        sources = (*(named[number] for number in sorted(named)), *every)
        return replace(job, sources=sources, resume=tuple(left))

    def whole(self, outcome: Outcome, playing: Iterable[str]) -> Outcome:
        """What a run comes to, with the streams that have not come back since an engine died.

        Parameters
        ----------
        playing
            Of those that `outcome` tells of, their `StreamInfo.source_id`.
        """
        away = {source_id: known for source_id, known in self._known.items() if source_id not in playing}
        if not away:
            return outcome
        streams = list(outcome.summary.streams)
        streams += [replace(summary, failure=summary.failure or _AWAY) for summary, _ in away.values()]
        summary = replace(outcome.summary, streams=streams, **vars(Tally.total(streams)))
        return Outcome(summary, (*outcome.streams, *(end for _, end in away.values())))


def _named(stream: StartedStream) -> str:
    return f"{stream.info.name} ({', '.join(stream.info.leads)})"


def _same(stream: StartedStream) -> SourceSettings:
    """Settings that find the very stream that played, however long it is away."""
    source = stream.settings
    if source.kind != "lsl":
        return source
    name = stream.info.name.removeprefix("LSL ")
    own_id = stream.info.source_id.removeprefix(name).removeprefix("/") or None
    return replace(source, lsl=replace(source.lsl, stream_name=name, source_id=own_id, wait=True))
