"""The front door: the `ecg-stream` command, and the only module that knows all four packages."""

import signal

# Importing all that follows takes a second. Ctrl-C in it should end the command without a traceback;
# `main` brings Python's own handling back. For an engine process Ctrl-C is blocked already.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from engine.backends import explain_auto, prepare_backend
from engine.commands.doctor_command import doctor
from engine.commands.evaluate_command import evaluate
from engine.commands.export_command import export
from engine.commands.frontier_command import frontier
from engine.commands.options import DEFAULT_MODEL, Backend, Hop, Lookahead, Model, Threads, lookahead_ms
from engine.commands.profile_lsl_command import profile_lsl
from engine.commands.soak_command import soak
from engine.commands.tune_guard_command import tune_guard
from engine.run.process import EngineFailure, EngineProcess
from engine.run.protocol import CleanSettings, Job, Outcome, Started, Status
from engine.run.session import check_job
from gui.display import has_display, why_no_window
from gui.profile_command import profile
from gui.terminal.report import table_of
from gui.terminal.view import TerminalView, describe
from models.commands.models_command import models
from models.commands.pack_command import pack
from models.commands.train_command import train
from models.registry import load_card
from streamer.commands.broadcast_command import broadcast
from streamer.commands.streams_command import streams
from streamer.console.options import Database, DataDir, HeartRate, Loop, Rhythm, Snr, Start, literal
from streamer.console.output import check_writable, err, out, progress, say, write_json
from streamer.errors import InputError
from streamer.faults.schedule import KINDS as FAULT_KINDS
from streamer.lsl.source import LslSettings
from streamer.open_source import SourceSettings
from streamer.several import side_by_side

_LAUNCHED_NS = time.perf_counter_ns()
_HEADLESS_REPORT_S = 5.0

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def play(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Option(
            help="synthetic (a made patient), replay (a WFDB record; implied by --record) or lsl (a live "
            "Lab Streaming Layer stream; implied by --stream-name, --stream-type, --source-id)."
        ),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(help="Record to replay; several side by side: 100,103,105. [default: 100]"),
    ] = None,
    patients: Annotated[
        int, typer.Option(min=1, help="Synthetic patients side by side, with seeds from --seed on.")
    ] = 1,
    database: Database = "mitdb",
    data_dir: DataDir = None,
    leads: Annotated[
        str | None, typer.Option(help="Leads by name, comma-separated: MLII,V1. [default: all]")
    ] = None,
    start: Start = 0.0,
    rhythm: Rhythm = "sinus",
    heart_rate: HeartRate = 70.0,
    noise: Annotated[
        str | None,
        typer.Option(
            help="none, bw (baseline wander), em (electrode motion), ma (muscle), emb (all three), or "
            "weights: em:0.6,bw:0.2,ma:0.2. NSTDB noise for records, made noise for the synthetic "
            "patient. [default: none for records, em for the synthetic patient]"
        ),
    ] = None,
    snr: Snr = 0.0,
    snr_definition: Annotated[
        str, typer.Option(help="ac (ratio of mean-removed powers) or nst (Noise Stress Test).")
    ] = "ac",
    noise_part: Annotated[
        str, typer.Option(help="Part of the noise records: test (unseen in training), train, all.")
    ] = "test",
    own_drift: Annotated[
        str,
        typer.Option(help="keep: play the record as it is; remove: play its clean reference instead."),
    ] = "keep",
    seed: Annotated[int, typer.Option(min=0, help="Decides the patient and where the noise begins.")] = 0,
    faults: Annotated[
        str,
        typer.Option(
            help="What goes wrong on purpose, with any source: none, all, or some of "
            f"{', '.join(FAULT_KINDS)}; gaps,nan:7 has the seed 7. The summary counts them."
        ),
    ] = "none",
    speed: Annotated[float, typer.Option(help="1 is real time, 0 as fast as possible.")] = 1.0,
    loop: Loop = False,
    seconds: Annotated[
        float | None, typer.Option(help="How much signal to play. [default: to the end, or Ctrl-C]")
    ] = None,
    stream_name: Annotated[
        str | None, typer.Option(help="Name of the LSL stream; several side by side: bed-1,bed-2.")
    ] = None,
    all_streams: Annotated[
        bool, typer.Option("--all-streams", help="Take every ECG stream that is on the network now.")
    ] = False,
    stream_type: Annotated[
        str | None, typer.Option(help="Its type. [default: ECG, or else ExG or EEG]")
    ] = None,
    source_id: Annotated[str | None, typer.Option(help="Its source id, where names do not tell.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for it without end, at first and after a loss.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to look for it without --wait.")] = 10.0,
    unit: Annotated[
        str | None, typer.Option(help="Unit of its values: V, mV, uV, counts. [default: as it says]")
    ] = None,
    scale: Annotated[float | None, typer.Option(help="mV of one count of its values.")] = None,
    model: Model = DEFAULT_MODEL,
    lookahead: Lookahead = None,
    hop: Hop = 40.0,
    backend: Backend = "auto",
    threads: Threads = 1,
    lsl_out: Annotated[
        str | None,
        typer.Option(
            help="Publish the cleaned ECG as an LSL stream of this name, and NAME-events. Of several "
            "streams the first is NAME-1, and so on."
        ),
    ] = None,
    ladder: Annotated[
        bool,
        typer.Option(
            help="Where the machine does not keep up: larger hop, then a classical filter, then raw, and "
            "back up. Every step is shown and recorded."
        ),
    ] = True,
    headless: Annotated[
        bool, typer.Option("--headless", help="No live view: a line every 5 s, then the summary.")
    ] = False,
    screenshot: Annotated[
        Path | None,
        typer.Option(help="Save a picture of the window (.png) after --seconds [default: 12], and end."),
    ] = None,
    size: Annotated[str | None, typer.Option(help="Size of the window: 1280x720.")] = None,
    theme: Annotated[str | None, typer.Option(help="Colours of the window: dark, light (print).")] = None,
    range_mv: Annotated[
        float, typer.Option("--range", help="Input range of the amplifier, ±mV, for the saturation alarm.")
    ] = 5.0,
    save: Annotated[
        Path | None, typer.Option(help="Folder to record into: raw, cleaned, reference as WFDB.")
    ] = None,
    rotate: Annotated[
        float | None, typer.Option(help="Minutes after which --save begins a new file. [default: never]")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the summary here.")] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw the end of the run and its delays here (.png, .pdf, .svg). Of several streams "
            "each has a file: run-1.png, …"
        ),
    ] = None,
) -> None:
    """Clean an ECG while it plays, with a small, known, measured delay.

    With a display a window opens; with nothing chosen it lists what can be played. Without one a
    synthetic patient with electrode-motion noise plays in the terminal until Ctrl-C.

    Examples
    --------
    - `ecg-stream --record 100 --noise em --snr 0` replays MIT-BIH record 100 with electrode motion
    - `ecg-stream --record 100 --noise em --headless --seconds 30 --json out.json --plot out.png`
    - `ecg-stream --record 1 --database ludb --leads i,ii,v1 --loop` plays three of twelve leads
    - `ecg-stream --record 100,103,105 --noise em` replays three records side by side
    - `ecg-stream --record 100 --faults all --speed 0 --headless` cleans it while everything goes wrong
    - `ecg-stream --source lsl --wait --lsl-out cleaned` cleans a live stream and publishes the result

    Research prototype: not for diagnosis, alarms or cardioversion timing.
    """
    if context.invoked_subcommand:
        return
    named = stream_name or stream_type or source_id or all_streams
    kind = (
        source if source is not None else "replay" if record is not None else "lsl" if named else "synthetic"
    )
    settings = SourceSettings(
        kind=literal(kind),
        database=database,
        data_dir=data_dir,
        leads=tuple(name.strip() for name in leads.split(",")) if leads else None,
        start=start,
        # A picture is taken in the middle of a run.
        seconds=None if screenshot else seconds,
        speed=speed,
        loop=loop,
        own_drift=literal(own_drift),
        rhythm=rhythm,
        heart_rate=heart_rate,
        noise=noise if noise is not None else ("em" if kind == "synthetic" else "none"),
        snr=snr,
        snr_definition=literal(snr_definition),
        noise_part=literal(noise_part),
        seed=seed,
        lsl=LslSettings(None, stream_type, source_id, wait, timeout, unit, scale),
        faults=faults,
    )
    sources = side_by_side(settings, record, stream_name, patients, every_stream=all_streams)
    for file in (json_file, plot, screenshot):
        check_writable(file)
    job = Job(
        tuple(sources),
        CleanSettings(model, backend, lookahead_ms(lookahead, model), hop),
        threads=threads,
        save=save,
        rotate_minutes=rotate,
        lsl_out=lsl_out,
        launched_ns=_LAUNCHED_NS,
        ladder=ladder,
    )
    if screenshot or (not headless and has_display() and why_no_window() is None):
        chosen = bool(source or record or len(sources) > 1 or screenshot)
        shown = _show_window(job, chosen, screenshot, seconds, size, theme, range_mv)
        if shown is None:
            return
        outcome = shown
    else:
        outcome = _play(job, live=not headless and out.is_terminal)
    out.print(table_of(outcome))
    write_json(outcome.summary, json_file)
    if plot:
        from gui.terminal.picture import save_pictures

        for path in save_pictures(outcome, plot):
            err.print(f"picture: {path}", markup=False)


def _show_window(
    job: Job,
    chosen: bool,
    screenshot: Path | None,
    seconds: float | None,
    size: str | None,
    theme: str | None,
    range_mv: float,
) -> Outcome | None:
    """Open the window, on the job where something was chosen; returns what its last run came to."""
    reason = why_no_window()
    if reason:
        raise InputError(f"there is no window to take a picture of: {reason}")
    from gui.app import SCREENSHOT_S, Screen, parse_size, run_window
    from streamer.found import find_records, find_streams, synthetic_patients

    screen = Screen(
        screenshot,
        SCREENSHOT_S if seconds is None else seconds,
        parse_size(size) if size else None,
        theme,
        range_mv,
    )
    check_job(job)
    base = job.sources[0]
    finders = [partial(find, base) for find in (find_streams, synthetic_patients, find_records)]
    outcome = run_window(job if chosen else None, job, finders, screen)
    if screenshot:
        err.print(f"picture: {screenshot}", markup=False)
    return outcome


def _play(job: Job, *, live: bool) -> Outcome:
    """Run a job to its end or to Ctrl-C, which ends the run and loses nothing."""
    with progress() as show:
        prepare_backend(job.clean.backend, load_card(job.clean.model), show)
    if job.sources[0].kind == "lsl":
        err.print(f"looking for the LSL stream{'s' if len(job.sources) > 1 else ''} … · Ctrl-C ends")
    with EngineProcess(job) as engine:
        try:
            started = engine.wait_started()
            if job.clean.backend == "auto":
                say(explain_auto(started.streams[0].setup.clean.backend))
            return _watch(engine, started, job.clean.model, live)
        except KeyboardInterrupt:
            engine.stop()
            err.print("stopping: cleaning and saving what was read …")
            return _wait(engine)


def _wait(engine: EngineProcess) -> Outcome:
    while True:
        outcome = engine.finished(1.0)
        if outcome:
            return outcome


def _watch(engine: EngineProcess, started: Started, model: str, live: bool) -> Outcome:
    for each in started.streams:
        clean = each.setup.clean
        say(
            f"{each.info.name}: {', '.join(each.info.leads)} at {each.info.fs:g} Hz · {model} on "
            f"{clean.backend} · look-ahead {clean.lookahead_ms:.0f} ms + hop {clean.hop_ms:.0f} ms · "
            f"algorithmic delay {each.setup.algorithmic_delay_ms:.0f} ms · Ctrl-C ends"
        )
        for note in each.info.notes:
            say(f"note: {note}")
    view = TerminalView(started, model, out) if live else None
    reported = time.monotonic()
    statuses: dict[str, Status] = {}
    with view or nullcontext():
        while True:
            # The pipe is the clock of this loop: it wakes at once when the engine has ended.
            outcome = engine.finished(0.1)
            for item in engine.frames():
                if view:
                    view.take(item)
                elif isinstance(item, Status):
                    statuses[item.stream] = item
            if outcome:
                return outcome
            if view:
                view.draw()
            elif statuses and time.monotonic() - reported >= _HEADLESS_REPORT_S:
                reported = time.monotonic()
                for each in started.streams:
                    status = statuses.get(each.info.source_id)
                    if status:
                        name = f" · {each.info.name}" if len(started.streams) > 1 else ""
                        say(f"{status.seconds:7.1f} s{name} · {describe(status)}")


# `--help` lists them in this order.
for command in (
    *(broadcast, streams),
    *(models, train, pack, export),
    *(evaluate, frontier, tune_guard),
    *(profile, profile_lsl, soak, doctor),
):
    app.command()(command)


def main() -> None:
    """Run the command; what the user gave and cannot be used is one line and exit status 2."""
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(app(standalone_mode=False))
    except typer.Exit as request:
        sys.exit(request.exit_code)
    except InputError as error:
        _fail(str(error), 2)
    except EngineFailure as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except Exception as error:
        # typer's own complaints (an SNR that is no number) say which option and what is allowed.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        _fail(f"{message()}; see `ecg-stream --help`", 2)


def _fail(message: str, status: int) -> None:
    say(f"ecg-stream: {message}")
    sys.exit(status)


if __name__ == "__main__":
    main()
