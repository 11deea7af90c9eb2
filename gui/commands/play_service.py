"""A run that nobody watches: its log, its figures and its health are for other programs."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from engine.commands.service_options import ServiceOptions
from engine.run.protocol import Job, Outcome
from engine.service.json_log import JsonLog
from engine.service.names import Names
from engine.service.server import parse_address, served
from engine.service.watcher import Newest, Watcher
from gui.commands.play_terminal import play_in_terminal
from gui.commands.text_lines import TextLines
from streamer.console.json_lines import JsonLines
from streamer.console.output import log_as_json, say


def play_as_service(job: Job, options: ServiceOptions, files: Sequence[str]) -> Outcome:
    """Run a job as `play_in_terminal` does, with lines of JSON or a port where its figures are.

    Parameters
    ----------
    files
        What the run writes: their names stay out of the log with those of streams.

    Raises
    ------
    InputError
        If the job cannot be played, or the port not be listened on.
    EngineFailure
        As of `play_in_terminal`.
    """
    if options.metrics is not None:
        parse_address(options.metrics)
    model, newest = job.clean.model, Newest()
    watchers: list[Watcher] = [newest]
    if options.log == "json":
        names = Names(job, files, shown=options.log_names)
        lines = JsonLines(safe=names.safe, safe_failure=names.foreign)
        log_as_json(lines)
        # Warnings of the engine's own process would be plain text.
        job = replace(job, logs=False)
        watchers.append(JsonLog(lines, names, model))
    else:
        watchers.append(TextLines(model))
    with ExitStack() as stack:
        if options.metrics is not None:
            host, port = stack.enter_context(served(options.metrics, newest, model))
            say(f"serving /metrics, /health and /ready on {host}:{port}")
        outcome = play_in_terminal(job, live=False, watchers=watchers)
        for each in watchers:
            each.ended(outcome)
    return outcome
