"""A run without a window: a live view in the terminal, or a line every few seconds."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

from engine.backends import explain_auto
from engine.commands.play_job import prepare
from engine.run.failure import EngineFailure
from engine.run.process import HANGS_S
from engine.run.protocol import Job, Joined, Outcome, Started, Told
from engine.run.supervised import SupervisedEngine
from engine.service.watcher import Watcher
from gui.commands.text_lines import TextLines, headings, joined
from gui.terminal.view import TerminalView
from streamer.console.output import err, out, progress, say
from streamer.several import asked_for


def play_in_terminal(job: Job, *, live: bool, watchers: Sequence[Watcher] | None = None) -> Outcome:
    """Run a job to its end or to Ctrl-C, which ends the run and loses nothing.

    Where the engine dies in the middle of it, the outcome is what is known, and its summary says so. So it is
    after a second Ctrl-C, which ends the engine at once.

    Parameters
    ----------
    live
        Whether to draw the traces; otherwise a line every 5 s says how each stream is doing.
    watchers
        Who follows the run; None where the user alone does, in lines or traces.

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
        # Names come from others: no markup is read in them.
        asked = ", ".join(asked_for(job.sources))
        err.print(f"looking for {asked} … · Ctrl-C ends", markup=False, highlight=False)
    started: Started | None = None
    with SupervisedEngine(replace(job, traces=live)) as engine:
        try:
            started = engine.wait_started()
            if job.clean.backend == "auto":
                say(explain_auto(started.streams[0].setup.clean.backend))
            model = job.clean.model
            view = TerminalView(started, model, out) if live else None
            if watchers is None:
                watchers = [] if view else [TextLines(model)]
            return _or_known(lambda: _watch(engine, started, model, view, watchers))
        except KeyboardInterrupt:
            try:
                engine.stop()
                err.print("stopping: cleaning and saving what was read … · Ctrl-C again ends at once")
                return _or_known(lambda: _wait(engine))
            except KeyboardInterrupt:
                # Stopped before it played, the engine itself says that it was interrupted.
                if started is None:
                    raise
                return _or_known(lambda: engine.end("ended at once by a second Ctrl-C"))


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


def _watch(
    engine: SupervisedEngine,
    started: Started,
    model: str,
    view: TerminalView | None,
    watchers: Sequence[Watcher],
) -> Outcome:
    """Show the run until it has ended."""
    for line in headings(started, model) if view else ():
        say(line)
    for each in watchers:
        each.plays(started)
    with view or nullcontext():
        while True:
            # The pipe is the clock of this loop: it wakes at once when the engine has ended.
            word = engine.heard(0.1)
            if isinstance(word, Joined):
                started = started.with_one_more(word.stream)
                if view:
                    view.join(started, joined(word.stream))
                for each in watchers:
                    each.joins(word.stream)
            elif isinstance(word, Told):
                if view:
                    view.note = word.text
                for each in watchers:
                    each.told(word.text)
            elif isinstance(word, Started):
                for each in watchers:
                    each.plays(word)
            for item in engine.frames():
                if view:
                    view.take(item)
                for each in watchers:
                    each.take(item)
            if isinstance(word, Outcome):
                return word
            problem = _problem(engine)
            if view:
                view.draw(problem)
            for each in watchers:
                each.looked(problem, len(engine.deaths), restarting=engine.restarting)


def _problem(engine: SupervisedEngine) -> str:
    """Why what was told last is no longer true; empty while it is."""
    if engine.restarting:
        return f"{engine.deaths[-1]}: it is started again"
    return f"the engine has not answered for {HANGS_S:g} s" if engine.hangs else ""
