"""A run without a window: a live view in the terminal, or a line every few seconds."""

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext

from engine.backends import explain_auto
from engine.commands.play_job import prepare
from engine.run.failure import EngineFailure
from engine.run.process import HANGS_S
from engine.run.protocol import Job, Joined, Outcome, Started, StartedStream, Status, Told
from engine.run.supervised import SupervisedEngine
from gui.terminal.view import TerminalView, describe
from streamer.console.output import err, out, progress, say

_REPORT_S = 5.0


def play_in_terminal(job: Job, *, live: bool) -> Outcome:
    """Run a job to its end or to Ctrl-C, which ends the run and loses nothing.

    Where the engine dies in the middle of it, the outcome is what is known, and its summary says so.

    Parameters
    ----------
    live
        Whether to draw the traces; otherwise a line every 5 s says how each stream is doing.

    Raises
    ------
    InputError
        If the job cannot be played.
    EngineFailure
        If the engine's process ended by itself before it played.
    """
    with progress() as show:
        prepare(job, show)
    if job.sources[0].kind == "lsl":
        several = len(job.sources) > 1 or job.sources[0].lsl.every
        err.print(f"looking for the LSL stream{'s' if several else ''} … · Ctrl-C ends")
    with SupervisedEngine(job) as engine:
        try:
            started = engine.wait_started()
            if job.clean.backend == "auto":
                say(explain_auto(started.streams[0].setup.clean.backend))
            return _or_known(lambda: _watch(engine, started, job.clean.model, live))
        except KeyboardInterrupt:
            engine.stop()
            err.print("stopping: cleaning and saving what was read …")
            return _or_known(lambda: _wait(engine))


def _wait(engine: SupervisedEngine) -> Outcome:
    while True:
        outcome = engine.finished(1.0)
        if outcome:
            return outcome


def _or_known(play: Callable[[], Outcome]) -> Outcome:
    """What a run comes to, or what is known of it where its engine dies."""
    try:
        return play()
    except EngineFailure as failure:
        if failure.outcome is None:
            raise
        return failure.outcome


def _watch(engine: SupervisedEngine, started: Started, model: str, live: bool) -> Outcome:
    """Show the run until it has ended."""
    for line in _headings(started, model):
        say(line)
    view = TerminalView(started, model, out) if live else None
    reported = time.monotonic()
    statuses: dict[str, Status] = {}
    problem = ""
    with view or nullcontext():
        while True:
            # The pipe is the clock of this loop: it wakes at once when the engine has ended.
            word = engine.heard(0.1)
            if isinstance(word, Joined):
                started = Started((*started.streams, word.stream))
                line = f"{word.stream.info.name} has joined"
                if view:
                    view.join(started, line)
                for each in [] if view else [line, *_heading(word.stream, model)]:
                    say(each)
            elif isinstance(word, Told):
                if view:
                    view.note = word.text
                else:
                    say(word.text)
            for item in engine.frames():
                if view:
                    view.take(item)
                elif isinstance(item, Status):
                    statuses[item.stream] = item
            if isinstance(word, Outcome):
                return word
            before, problem = problem, _problem(engine)
            if view:
                view.draw(problem)
            elif problem != before:
                say(problem or "the engine answers again")
            elif not problem and statuses and time.monotonic() - reported >= _REPORT_S:
                reported = time.monotonic()
                for line in _reports(started, statuses):
                    say(line)


def _problem(engine: SupervisedEngine) -> str:
    """Why what was told last is no longer true; empty while it is."""
    if engine.restarting:
        return f"{engine.deaths[-1]}: it is started again"
    return f"the engine has not answered for {HANGS_S:g} s" if engine.hangs else ""


def _headings(started: Started, model: str) -> Iterable[str]:
    """What plays: a line for each stream, and its notes."""
    for each in started.streams:
        yield from _heading(each, model)


def _heading(each: StartedStream, model: str) -> Iterable[str]:
    clean = each.setup.clean
    yield (
        f"{each.info.name}: {', '.join(each.info.leads)} at {each.info.fs:g} Hz · {model} on "
        f"{clean.backend} · look-ahead {clean.lookahead_ms:.0f} ms + hop {clean.hop_ms:.0f} ms · "
        f"algorithmic delay {each.setup.algorithmic_delay_ms:.0f} ms · Ctrl-C ends"
    )
    for note in each.info.notes:
        yield f"note: {note}"


def _reports(started: Started, statuses: dict[str, Status]) -> Iterable[str]:
    """How each stream is doing, in a line."""
    for each in started.streams:
        status = statuses.get(each.info.source_id)
        if status:
            name = f" · {each.info.name}" if len(started.streams) > 1 else ""
            yield f"{status.seconds:7.1f} s{name} · {describe(status)}"
