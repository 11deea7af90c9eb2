"""The front door: the `ecg-stream` command and its commands, and how what goes wrong is said.

Nothing that is slow to import is imported here, or by a command before it runs: `--help` comes at once.
"""

import signal

# Importing what follows takes a part of a second. Ctrl-C in it should end the command without a
# traceback; `main` brings Python's own handling back. For an engine process Ctrl-C is blocked already.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from engine.commands.clean_command import clean
from engine.commands.config import config
from engine.commands.device_options import DeviceOptions
from engine.commands.doctor_command import doctor
from engine.commands.evaluate import evaluate
from engine.commands.export_command import export
from engine.commands.file_arguments import files_first
from engine.commands.old_spellings import new_spelling
from engine.commands.play_options import (
    PLOT_FORMATS,
    SCREENSHOT_FORMATS,
    LiveOptions,
    NetworkOptions,
    NoiseOptions,
    RecordOptions,
    ScreenOptions,
    SourceOptions,
)
from engine.commands.profile import profile
from engine.commands.service_options import ServiceOptions
from engine.commands.soak_command import soak
from engine.commands.tune_guard_command import tune_guard
from engine.run.failure import EngineFailure
from gui.commands.profile.screen_command import screen
from models.commands.models_command import models
from models.commands.pack_command import pack
from models.commands.train_command import train
from streamer.commands.broadcast_command import broadcast
from streamer.commands.streams_command import streams
from streamer.console.config_file import NAME as CONFIG_NAME
from streamer.console.config_file import PREFIX, find_config, read_config
from streamer.console.installed import version_here
from streamer.console.options import is_given
from streamer.console.output import (
    check_writable,
    err,
    out,
    say,
    say_failure,
    take_any_terminal,
    write_json,
)
from streamer.console.panels import STYLE, grouped, show_all_options
from streamer.errors import InputError, NotWrittenError
from ward.commands.bed_command import bed
from ward.commands.hospital_command import hospital
from ward.commands.ingest_command import ingest
from ward.commands.station_command import station
from ward.commands.ward_command import ward

_LAUNCHED_NS = time.perf_counter_ns()

app = typer.Typer(**STYLE | {"context_settings": STYLE["context_settings"] | {"auto_envvar_prefix": PREFIX}})
"""Playing, and in its help the commands."""
commands = typer.Typer(**STYLE)
"""The commands alone: they need not wait until the options of playing are understood."""


def _tell_version(asked: bool) -> None:
    if asked:
        say(f"ecg-stream {version_here()}", out)
        raise typer.Exit


def _take_config(context: typer.Context, path: Path | None) -> Path | None:
    """Let a file state what neither the command line nor the environment does."""
    path = path or find_config()
    if path is not None:
        names = {each.name for each in context.command.params if each.name and not each.is_eager}
        context.default_map = read_config(path, names)
        context.obj = path
        say(f"note: settings of {path} hold; `ecg-stream config show` lists them")
    return path


@app.callback(invoke_without_command=True)
@grouped
def play(
    context: typer.Context,
    source: SourceOptions,
    noise: NoiseOptions,
    network: NetworkOptions,
    live: LiveOptions,
    device: DeviceOptions,
    record: RecordOptions,
    screen: ScreenOptions,
    service: ServiceOptions,
    help_all: Annotated[
        bool,
        typer.Option("--help-all", is_eager=True, callback=show_all_options, help="Show every option."),
    ] = False,
    config_file: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            hidden=True,
            is_eager=True,
            envvar=f"{PREFIX}_CONFIG",
            callback=_take_config,
            help=f"Settings. [default: {CONFIG_NAME} here, or in the user's folder]",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Show the version.")
    ] = False,
) -> None:
    """Clean an ECG while it plays, with a small, known, measured delay.

    With nothing chosen a window lists what can be played; without a display a noisy synthetic patient
    plays in the terminal. Research prototype: not for diagnosis, alarms or cardioversion timing.

    Examples
    --------
    - `ecg-stream --record 100 --noise em`: a record with electrode-motion noise
    - `ecg-stream recording.edf`: a file; so do `ward/100.hea` and others
    - `ecg-stream --record 100 --headless --json out.json`: figures, no view
    - `ecg-stream --record 1 --database ludb --leads i,ii`: two of twelve leads
    - `ecg-stream --record 100,103 --faults all`: two records with every fault
    - `ecg-stream --source lsl --wait --lsl-out clean`: live in, live out
    """
    if context.invoked_subcommand:
        command = context.invoked_subcommand
        raise InputError(f"options stand before {command!r}; write `ecg-stream {command}`, then its options")
    from engine.commands.play_job import implied_kind, job_of
    from engine.run.summary import as_json
    from engine.sinks.finished import check_format, finish
    from gui.commands.play_window import play_in_window, takes_window
    from gui.terminal.report import table_of

    # A picture is taken in the middle of a run.
    seconds = None if screen.screenshot else source.seconds
    given = {name for name in context.params if is_given(context, name)}
    kind = implied_kind(source, given)
    job = job_of(
        source, noise, network, live, device, record, kind=kind, seconds=seconds, launched_ns=_LAUNCHED_NS
    )
    check_format(record.save_format)
    check_writable(record.json_file)
    check_writable(record.plot, PLOT_FORMATS)
    check_writable(screen.screenshot, SCREENSHOT_FORMATS)
    if service.unwatched:
        from gui.commands.play_service import play_as_service

        outputs = [record.save, record.json_file, record.plot]
        outcome = play_as_service(job, service, [str(each) for each in outputs if each])
    elif takes_window(screen):
        chosen = kind is not None or screen.screenshot is not None
        shown = play_in_window(job, screen, chosen=chosen, seconds=source.seconds)
        if shown is None:
            return
        outcome = shown
    else:
        from gui.commands.play_terminal import play_in_terminal

        outcome = play_in_terminal(job, live=not screen.headless and out.is_terminal)
    # Results first: a terminal that cannot show the table must not cost them.
    write_json(as_json(outcome.summary), record.json_file)
    for recording in (stream.recording for stream in outcome.summary.streams):
        for path in finish(Path(recording), record.save_format, say) if recording else ():
            err.print(f"recording: {path}", markup=False)
    if record.plot:
        from gui.terminal.picture import save_pictures

        for path in save_pictures(outcome, record.plot):
            err.print(f"picture: {path}", markup=False)
    if service.log == "text":
        out.print(table_of(outcome.summary))
    if outcome.summary.failure:
        raise EngineFailure(f"{outcome.summary.failure}; the figures are those of its last status")
    for stream in outcome.summary.streams:
        if stream.unaccounted:
            raise EngineFailure(
                f"the account of {stream.source} does not close, by samples: {stream.unaccounted}; this is a "
                "fault of the program, please report it with the summary (--json)"
            )
    failures = [f"{stream.source}: {stream.failure}" for stream in outcome.summary.streams if stream.failure]
    if len(failures) == len(outcome.summary.streams):
        several = "no stream played to its end: " if len(failures) > 1 else ""
        raise EngineFailure(f"{several}{'; '.join(failures)}")


profile.command()(screen)
for each in (app, commands):
    # `--help` lists them in this order, and groups last.
    for command in (
        ward,
        ingest,
        station,
        bed,
        hospital,
        clean,
        broadcast,
        streams,
        models,
        train,
        pack,
        export,
        tune_guard,
        soak,
        doctor,
    ):
        # The first help has two screens; --help-all lists these too.
        each.command(hidden=each is app and command in (pack, tune_guard))(command)
    for group in (evaluate, profile, config):
        each.add_typer(group)


def main() -> None:
    """Run the command; what the user gave and cannot be used is one line and exit status 2."""
    arguments, note = new_spelling(sys.argv[1:])
    if note:
        say(note)
    take_any_terminal()
    try:
        arguments = files_first(arguments)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _end_on_any_signal()
        plays = not arguments or arguments[0].startswith("-")
        front = app if plays else commands
        sys.exit(front(arguments, prog_name="ecg-stream", standalone_mode=False, obj=app))
    except typer.Exit as request:
        sys.exit(request.exit_code)
    except InputError as error:
        _fail(str(error), 2)
    except (EngineFailure, NotWrittenError) as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except Exception as error:
        # typer's own complaints (an SNR that is no number) say which option and what is allowed.
        told = getattr(error, "format_message", None)
        if told is None:
            raise
        context = getattr(error, "ctx", None)
        message = " ".join(told().split()).removesuffix(".")
        _fail(f"{message}; see `{context.command_path if context else 'ecg-stream'} --help`", 2)


def _end_on_any_signal() -> None:
    """Have a service manager's SIGTERM and a lost terminal's SIGHUP end the run as Ctrl-C does."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # One that is ignored (nohup) stays so.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda number, frame: signal.raise_signal(signal.SIGINT))


def _fail(message: str, status: int) -> None:
    say_failure(message)
    sys.exit(status)


if __name__ == "__main__":
    main()
