"""The front door: the `ecg-stream` command, and the only module that knows all four packages."""

import signal

# Importing all that follows takes a second. Ctrl-C in it should end the command without a traceback;
# `main` brings Python's own handling back. For an engine process Ctrl-C is blocked already.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from engine.backends import BACKENDS, OPTIONS, choose_backend, explain_auto, prepare_backend, why_not
from engine.backends.gpu import find_gpu, why_no_gpu
from engine.backends.plans import FOLDER_VARIABLE, plans_folder
from engine.backends.rows import FIXED_ROWS
from engine.runner import EngineFailure, EngineProcess, Started
from engine.session import Job, Outcome, Status, check_job
from gui.display import has_display, why_no_window
from gui.terminal import (
    TerminalView,
    describe,
    describe_faults,
    describe_stream,
    describe_summary,
    table_of_streams,
)
from models.registry import DEFAULT_NETWORK, NETWORKS, SYSTEMS, find_network, find_system, load_card
from streamer.device_profiles import PROFILES
from streamer.errors import InputError
from streamer.faults import KINDS as FAULT_KINDS
from streamer.lsl import LslSettings
from streamer.open_source import SourceSettings
from streamer.plain import plain
from streamer.records import DATA_VARIABLE
from streamer.several import side_by_side

_LAUNCHED_NS = time.perf_counter_ns()
_HEADLESS_REPORT_S = 5.0
PICTURES = (".png", ".pdf", ".svg")

out = Console()
"""Results."""
err = Console(stderr=True)
"""Progress and errors."""

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder that holds mitdb/, nstdb/, … or a record itself. Only this folder is searched. "
        f"Without it: the folder that {DATA_VARIABLE} names, then the cache, then PhysioNet.",
    ),
]
Model = Annotated[str, typer.Option(help="Network or classical system; `ecg-stream models` lists them.")]
Backend = Annotated[
    str,
    typer.Option(
        help=f"Runtime: {', '.join(BACKENDS)}, and with an option "
        f"{', '.join(f'{name}:{word}' for name, words in OPTIONS.items() for word in words)}. `auto` takes "
        "the fastest that works."
    ),
]
Lookahead = Annotated[
    float | None,
    typer.Option(
        "--lookahead",
        help="Milliseconds after a sample that are waited for. More is cleaner, later. [default: the "
        "network's own]",
        show_default=False,
    ),
]
Hop = Annotated[float, typer.Option(help="Milliseconds of new signal between two inferences.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads of the runtime.")]


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
    database: Annotated[str, typer.Option(help="PhysioNet database of the record.")] = "mitdb",
    data_dir: DataDir = None,
    leads: Annotated[
        str | None, typer.Option(help="Leads by name, comma-separated: MLII,V1. [default: all]")
    ] = None,
    start: Annotated[float, typer.Option(help="Second of the record to begin at.")] = 0.0,
    rhythm: Annotated[str, typer.Option(help="Rhythm of the synthetic patient: sinus, afib, pvc.")] = "sinus",
    heart_rate: Annotated[float, typer.Option(help="Its heart rate in bpm.")] = 70.0,
    noise: Annotated[
        str | None,
        typer.Option(
            help="none, bw (baseline wander), em (electrode motion), ma (muscle), emb (all three), or "
            "weights: em:0.6,bw:0.2,ma:0.2. NSTDB noise for records, made noise for the synthetic "
            "patient. [default: none for records, em for the synthetic patient]"
        ),
    ] = None,
    snr: Annotated[float, typer.Option(help="SNR in dB that the noise is scaled to.")] = 0.0,
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
    loop: Annotated[bool, typer.Option("--loop", help="Begin again when the record ends.")] = False,
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
    model: Model = DEFAULT_NETWORK,
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
        kind=_literal(kind),
        database=database,
        data_dir=data_dir,
        leads=tuple(name.strip() for name in leads.split(",")) if leads else None,
        start=start,
        # A picture is taken in the middle of a run.
        seconds=None if screenshot else seconds,
        speed=speed,
        loop=loop,
        own_drift=_literal(own_drift),
        rhythm=rhythm,
        heart_rate=heart_rate,
        noise=noise if noise is not None else ("em" if kind == "synthetic" else "none"),
        snr=snr,
        snr_definition=_literal(snr_definition),
        noise_part=_literal(noise_part),
        seed=seed,
        lsl=LslSettings(None, stream_type, source_id, wait, timeout, unit, scale),
        faults=faults,
    )
    first, *beside = side_by_side(settings, record, stream_name, patients, every_stream=all_streams)
    for file in (json_file, plot, screenshot):
        _check_writable(file)
    job = Job(
        first,
        model,
        backend,
        threads,
        _lookahead_ms(lookahead, model),
        hop,
        save,
        lsl_out,
        _LAUNCHED_NS,
        tuple(beside),
        ladder,
        rotate,
    )
    if screenshot or (not headless and has_display() and why_no_window() is None):
        chosen = bool(source or record or beside or screenshot)
        shown = _show_window(job, chosen, screenshot, seconds, size, theme, range_mv)
        if shown is None:
            return
        outcome = shown
    else:
        outcome = _play(job, live=not headless and out.is_terminal)
    _report(outcome)
    if json_file:
        _write_json(outcome.summary, json_file)
    if plot:
        from gui.picture import save_pictures

        for path in save_pictures(outcome, plot):
            err.print(f"picture: {path}", markup=False)


def _lookahead_ms(asked: float | None, model: str) -> float:
    """What was asked for, or what suits the network."""
    return find_system(model).lookahead_ms if asked is None else asked


def _literal(text: str) -> Any:
    """Text where a Literal is expected: the settings themselves refuse what is not allowed."""
    return text


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
    base = job.source
    finders = [partial(find, base) for find in (find_streams, synthetic_patients, find_records)]
    outcome = run_window(job if chosen else None, job, finders, screen)
    if screenshot:
        err.print(f"picture: {screenshot}", markup=False)
    return outcome


def _play(job: Job, *, live: bool) -> Outcome:
    """Run a job to its end or to Ctrl-C, which ends the run and loses nothing."""
    with _progress() as show:
        prepare_backend(job.backend, load_card(job.model), show)
    if job.source.kind == "lsl":
        err.print(f"looking for the LSL stream{'s' if job.beside else ''} … · Ctrl-C ends")
    with EngineProcess(job) as engine:
        try:
            started = engine.wait_started()
            if job.backend == "auto":
                err.print(explain_auto(started.backend), markup=False, highlight=False, soft_wrap=True)
            return _watch(engine, started, job.model, live)
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
        err.print(
            f"{each.info.name}: {', '.join(each.info.leads)} at {each.info.fs:g} Hz · {model} on "
            f"{each.backend} · look-ahead {each.lookahead_ms:.0f} ms + hop {each.hop_ms:.0f} ms · "
            f"algorithmic delay {each.algorithmic_delay_ms:.0f} ms · Ctrl-C ends",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        for note in each.info.notes:
            err.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
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
                        name = f" · {each.info.name}" if started.beside else ""
                        line = f"{status.seconds:7.1f} s{name} · {describe(status)}"
                        err.print(line, markup=False, highlight=False, soft_wrap=True)


def _report(outcome: Outcome) -> None:
    """Print what a run came to."""
    if outcome.streams:
        out.print(table_of_streams(outcome.summary))
    else:
        _report_stream(outcome.summary)


def _report_stream(summary: dict[str, Any]) -> None:
    table = Table(
        title=f"{escape(summary['source'])} · {summary['model']} on {summary['backend']}", show_header=False
    )
    delay = summary["delay_ms"]
    table.add_row(
        "samples",
        f"{summary['samples_in']} in, {summary['samples_out']} out, {summary['samples_lost']} lost",
    )
    table.add_row("gaps", f"{summary['gaps']} ({summary['gap_samples']} samples)")
    if summary["stream"]:
        table.add_row("stream", escape(describe_stream(summary["stream"])))
    if summary["snr_out_db"] is not None and summary["snr_in_db"] is not None:
        table.add_row(
            "SNR",
            f"{summary['snr_in_db']:.2f} dB in, {summary['snr_out_db']:.2f} dB out "
            f"({summary['snr_out_db'] - summary['snr_in_db']:+.2f} dB), RMSE {summary['rmse_mv']:.4f} mV",
        )
    if summary["samples_out"]:
        table.add_row(
            "delay",
            f"algorithmic {delay['algorithmic']:.0f} ms; measured p50 {delay['p50']:.1f}, "
            f"p99 {delay['p99']:.1f}, max {delay['max']:.1f} ms",
        )
        compute = summary["ledger_ms"]["compute"]
        table.add_row("compute", f"p50 {compute['p50']:.2f}, p99 {compute['p99']:.2f} ms a hop")
        table.add_row(
            "pace",
            f"{summary['deadline_misses']} of {summary['hops']} hops late, "
            f"real-time factor {summary['realtime_factor']:.3f}",
        )
        table.add_row("cold start", f"{summary['cold_start_s']:.2f} s to the first cleaned sample")
    guarded = describe_summary(summary)
    if guarded:
        table.add_row("guard", guarded)
    if summary["faults"]:
        table.add_row("faults made", describe_faults(summary["faults"]))
    if summary["recording"]:
        more = f" and {summary['recording_files'] - 1} more" if summary["recording_files"] > 1 else ""
        table.add_row("recording", escape(f"{summary['recording']}.hea{more}"))
    if summary["recording_problem"]:
        table.add_row("", escape(summary["recording_problem"]))
    out.print(table)


def _check_writable(file: Path | None) -> None:
    """Refuse a file that cannot be written before the run, not after it."""
    if file is None:
        return
    folder = file.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK) or file.is_dir():
        raise InputError(f"cannot write {file}: its folder must exist and be writable, and it a file")


def _check_picture(file: Path | None) -> None:
    """Refuse a picture that cannot be written before the run, not after it."""
    _check_writable(file)
    if file is not None and file.suffix.lower() not in PICTURES:
        raise InputError(f"cannot draw {file}: a picture ends in {', '.join(PICTURES)}")


def _write_json(content: Any, file: Path) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    err.print(f"summary: {file}", markup=False)


@app.command()
def broadcast(
    record: Annotated[
        str | None, typer.Option(help="Record to publish [default: the synthetic patient].")
    ] = None,
    database: Annotated[str, typer.Option(help="PhysioNet database of the record.")] = "mitdb",
    data_dir: DataDir = None,
    leads: Annotated[str | None, typer.Option(help="Leads by name, comma-separated.")] = None,
    start: Annotated[float, typer.Option(help="Second of the record to begin at.")] = 0.0,
    rhythm: Annotated[str, typer.Option(help="Rhythm of the synthetic patient: sinus, afib, pvc.")] = "sinus",
    heart_rate: Annotated[float, typer.Option(help="Its heart rate in bpm.")] = 70.0,
    noise: Annotated[str, typer.Option(help="Noise to add, as for playing.")] = "none",
    snr: Annotated[float, typer.Option(help="SNR in dB that the noise is scaled to.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Decides patient, noise and device.")] = 0,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again when the record ends.")] = False,
    seconds: Annotated[float | None, typer.Option(help="How much to publish. [default: all]")] = None,
    name: Annotated[str, typer.Option(help="Name of the stream.")] = "ecg-stream",
    stream_type: Annotated[str, typer.Option(help="Its type.")] = "ECG",
    source_id: Annotated[str | None, typer.Option(help="Its source id [default: made of the name].")] = None,
    profile: Annotated[str, typer.Option(help=f"How the device behaves: {', '.join(PROFILES)}.")] = "smooth",
    unit: Annotated[str, typer.Option(help="Unit of its values: V, mV, uV.")] = "mV",
    rate: Annotated[
        float | None, typer.Option(help="Rate in Hz [default: the device's, or the signal's].")
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="Add the clean reference as further channels.")
    ] = False,
    counter: Annotated[
        bool, typer.Option("--counter", help="Add a channel that counts the samples.")
    ] = False,
    copies: Annotated[int, typer.Option(min=1, help="Streams to publish, numbered.")] = 1,
) -> None:
    """Publish a record or the synthetic patient as an LSL device; its beats are a marker stream.

    `ecg-stream --source lsl` in another terminal listens.
    """
    from streamer.broadcast import Broadcast, BroadcastSettings

    source = SourceSettings(
        kind="replay" if record else "synthetic",
        record=record or "100",
        database=database,
        data_dir=data_dir,
        leads=tuple(_list(leads)) if leads else None,
        start=start,
        seconds=seconds,
        loop=loop,
        rhythm=rhythm,
        heart_rate=heart_rate,
        noise=noise,
        snr=snr,
        seed=seed,
    )
    settings = BroadcastSettings(
        name, stream_type, source_id, profile, unit, rate, reference, counter, copies
    )
    sender = Broadcast(source, settings)
    err.print(
        f"publishing {name}: {', '.join(sender.leads)} at {sender.fs:g} Hz, profile {profile} · Ctrl-C ends",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    try:
        sender.run()
    except KeyboardInterrupt:
        err.print("stopped")
    out.print(f"{sender.sent} samples sent")


@app.command()
def streams(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the list here.")] = None,
) -> None:
    """List what is on the Lab Streaming Layer network, and how fast it really runs."""
    from streamer.lsl_survey import survey

    _check_writable(json_file)
    found = survey()
    table = Table("name", "type", "rate", "measured", "leads", "unit", "source id", "host")
    for stream in found:
        rate = f"{stream.fs:g} Hz" if stream.fs else "irregular"
        measured = "--" if stream.measured_hz is None else f"{stream.measured_hz:.2f} Hz"
        leads = ", ".join(stream.leads[:12]) + (" …" if len(stream.leads) > 12 else "")
        row = (stream.name, stream.type, rate, measured, leads, stream.unit, stream.source_id, stream.host)
        table.add_row(*(escape(plain(cell)) for cell in row))
    if found:
        out.print(table)
    else:
        out.print("no LSL stream answers; `ecg-stream broadcast` publishes one")
    if json_file:
        _write_json([asdict(stream) for stream in found], json_file)


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="All that is known of this one.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all of it here.")] = None,
) -> None:
    """List what --model takes: networks and classical systems.

    A network of one lead cleans every lead by itself. One of two takes pairs in the stream's order;
    a lead alone it gets twice, and an odd lead at the end together with the one before it.
    """
    from models.overview import budget, improvement, overview, sentences

    _check_writable(json_file)
    known = [overview(each) for each in ([name] if name else SYSTEMS)]
    if name:
        table = Table(title=name, show_header=False)
        for heading, text in sentences(known[0]).items():
            table.add_row(heading, escape(text))
    else:
        # Names must stay whole where the terminal is narrow; NAME tells what each is.
        wide = out.width >= 120
        table = Table("name", *["what"] * wide, "window", "leads", "parameters", "gain dB", "trained")
        for facts in known:
            table.add_row(
                facts["name"],
                *[facts["title"]] * wide,
                f"{facts['window'] / facts['fs_hz']:.1f} s",
                str(facts["leads"]),
                f"{facts['parameters']:,}",
                improvement(facts),
                budget(facts) if facts["weights"] else "not yet",
            )
        table.caption = (
            "gain: unseen patients, all noises, 0 dB; trained: steps × windows, and budgets were unequal\n"
            "`ecg-stream models NAME` tells the rest"
        )
    out.print(table)
    if json_file:
        _write_json(known, json_file)


@app.command()
def train(
    names: Annotated[list[str] | None, typer.Argument(help="Networks to train.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Train every network.")] = False,
    track: Annotated[
        Literal["f", "s", "qtdb"],
        typer.Option(
            help="f: unseen patients and noise. s: as the seed table was made, to compare with it. qtdb: as "
            "the literature's bench has it, likewise."
        ),
    ] = "f",
    out_dir: Annotated[
        Path, typer.Option("--out", help="Holds a folder for each run, train-NAME on Track F.")
    ] = Path("out"),
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 16_000,
    minutes: Annotated[float | None, typer.Option(help="Minutes per network, in place of --steps.")] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            help="Minutes for all networks together; one of sixteen times the arithmetic gets twice the "
            "time. Networks with a finished run in --out are left out."
        ),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Windows per step.")] = 64,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-3,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations.")] = 500,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of weights and examples.")] = None,
    noise: Annotated[str, typer.Option(help="Track S: noises, comma-separated: bw, em, ma, emb.")] = "emb",
    snr: Annotated[str, typer.Option(help="Track S: SNRs in dB, comma-separated.")] = "-4",
    mixing: Annotated[str, typer.Option(help="Track S: how emb is made, new or old.")] = "new",
    noise_version: Annotated[
        str, typer.Option(help="Track qtdb: which halves of the noise, comma-separated: 1, 2.")
    ] = "1,2",
    epochs: Annotated[
        int, typer.Option(min=1, help="Tracks S and qtdb: passes over the training windows.")
    ] = 100,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 is torch's choice.")] = 0,
    data_dir: DataDir = None,
    begin: Annotated[
        Path | None, typer.Option(help="Track f: folder of a finished run to begin with its weights.")
    ] = None,
    pack_file: Annotated[
        Path | None,
        typer.Option("--pack", help="Train on what `ecg-stream pack` wrote, in place of records."),
    ] = None,
) -> None:
    """Train networks. Ctrl-C loses nothing: the same command goes on where it was.

    Examples
    --------
    - `ecg-stream train unet` the full run on Track F
    - `ecg-stream train --all --budget 600` all of them in ten hours
    - `ecg-stream train acdae --track s --noise emb --snr -4,0,4`
    - `ecg-stream train lowdelay --pack track-f.pack --device cuda` where no records are
    - `ecg-stream train deepfilter --track qtdb --out docs/results/qtdb`
    """
    chosen = names or (list(NETWORKS) if every else [])
    if not chosen or (names and every):
        raise InputError("name the networks to train, or give --all for every one of them")
    for name in chosen:
        find_network(name)
    _needs_torch()
    if pack_file is not None:
        from models.pack import unpack

        if data_dir is not None:
            raise InputError("--pack takes the place of --data-dir; give one of them")
        data_dir = unpack(pack_file, out_dir / "packed")
    where: dict[str, Any] = {"data_dir": data_dir, "device": device, "threads": threads}
    try:
        if track == "s":
            _train_s(chosen, out_dir, noise, snr, mixing, epochs, seed, where)
        elif track == "qtdb":
            _train_qtdb(chosen, out_dir, noise_version, epochs, seed, where)
        else:
            lengths = (steps, minutes, budget, batch, rate, validate_every)
            _train_f(chosen, out_dir, *lengths, seed, begin, where)
    except KeyboardInterrupt:
        err.print(f"stopped; the same command goes on from what is in {out_dir}", markup=False)
        raise typer.Exit(130) from None


@app.command()
def pack(
    file: Annotated[Path, typer.Argument(help="File to write.")] = Path("track-f.pack"),
    data_dir: DataDir = None,
) -> None:
    """Put all that training on Track F reads into one file, for a machine that has no records."""
    from models.pack import write_pack

    _check_writable(file)
    with err.status("packing"):
        write_pack(file, data_dir)
    out.print(f"{file}: {file.stat().st_size / 1e6:.1f} MB", markup=False)


def _train_f(
    names: list[str],
    out_dir: Path,
    steps: int,
    minutes: float | None,
    budget: float | None,
    batch: int,
    rate: float,
    validate_every: int,
    seed: int | None,
    begin: Path | None,
    where: dict[str, Any],
) -> None:
    from models.macs import macs
    from models.train import TrainSettings
    from models.train import train as run
    from models.train_all import train_all

    settings = TrainSettings(
        steps=steps, minutes=minutes, batch=batch, rate=rate, seed=seed or 0, validate_every=validate_every
    )
    if begin and (budget is not None or len(names) > 1):
        raise InputError("--begin is for one network, and not with --budget")
    if budget is None:
        folders = [run(name, out_dir / f"train-{name}", settings, begin=begin, **where) for name in names]
    else:
        work = {name: float(macs(find_network(name))) for name in names}

        def note(name: str, given: float) -> None:
            err.print(f"{name}: {given:.1f} of {budget:g} minutes")

        folders = train_all(work, out_dir, settings, budget, note, **where)
    for name, folder in zip(names, folders, strict=False):
        out.print(
            f"trained: {folder}; ship it with `ecg-stream export {name} --run {folder} --install`",
            markup=False,
        )


def _train_s(
    names: list[str],
    out_dir: Path,
    noise: str,
    snr: str,
    mixing: str,
    epochs: int,
    seed: int | None,
    where: dict[str, Any],
) -> None:
    from models.track_s import Condition
    from models.train_s import TrackSSettings, train_s

    for kind in _list(noise):
        for level in _numbers("snr", snr):
            settings = TrackSSettings(Condition(kind, level, _literal(mixing)), epochs)
            if seed is not None:
                settings = replace(settings, seed=seed)
            for name in names:
                row = train_s(name, out_dir, settings, **where)
                out.print(f"{name}, {kind} at {level:g} dB: {row['snr_out_db']:.2f} dB", highlight=False)


def _train_qtdb(
    names: list[str], out_dir: Path, versions: str, epochs: int, seed: int | None, where: dict[str, Any]
) -> None:
    from models.qtdb import NoiseVersion
    from models.train_qtdb import QtdbSettings, train_qtdb

    known: dict[str, NoiseVersion] = {"1": 1, "2": 2}
    for word in _list(versions):
        if word not in known:
            raise InputError(f"noise version {word!r} is unknown; allowed: 1, 2")
        settings = QtdbSettings(known[word], epochs)
        if seed is not None:
            settings = replace(settings, seed=seed)
        for name in names:
            row = train_qtdb(name, out_dir, settings, **where)
            beats = sum(record["beats"] for record in row["records"])
            ssd = sum(record["beats"] * record["ssd"] for record in row["records"]) / beats
            out.print(f"{name}, noise {word}: SSD {ssd:.2f} mV² over {beats} beats", highlight=False)


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="Network to export.")],
    format: Annotated[
        Literal["onnx", "tensorrt"], typer.Option(help="onnx, or tensorrt: a plan for one kind of GPU.")
    ] = "onnx",
    run: Annotated[
        Path | None, typer.Option(help="Folder of a training run [default: the shipped weights].")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="File to write [default: NAME.onnx], or for a plan also a folder: it then gets the name "
            f"that runs look for in the folder that {FOLDER_VARIABLE} names."
        ),
    ] = None,
    install: Annotated[
        bool,
        typer.Option("--install", help="Make the run's weights the ones that the package ships."),
    ] = False,
    precision: Annotated[
        Literal["fp32", "fp16"], typer.Option(help="fp32, or fp16: convolutions in half precision.")
    ] = "fp32",
    flavour: Annotated[
        str,
        typer.Option(help="Library for a plan: rtx (needs no GPU here) or classic (builds on the GPU)."),
    ] = "rtx",
    compute_capability: Annotated[
        str | None, typer.Option(help="GPU that a plan is for, such as 8.9 [default: the one here].")
    ] = None,
    rows: Annotated[str, typer.Option(help="Batch sizes of a plan; runs look for the default.")] = ",".join(
        str(count) for count in FIXED_ROWS
    ),
) -> None:
    """Turn weights into what runtimes load: an ONNX graph, checked against the network, or a plan."""
    spec = find_network(name)
    target = output or Path(f"{name}.onnx" if format == "onnx" else ".")
    if format == "tensorrt":
        _export_plan(name, target, run, flavour, compute_capability, precision, rows)
        return
    _needs_torch()
    from models.export import export_onnx, install_run

    if install:
        if run is None:
            raise InputError("--install needs --run, the folder of the training run to install")
        difference = install_run(spec, run)
        out.print(f"installed {name}; differs from torch by {difference:.1e} mV")
        return
    _check_writable(target)
    weights = run / "weights.safetensors" if run else load_card(name).weights_path
    difference = export_onnx(spec, weights, target, precision)
    out.print(f"{target}: differs from torch by {difference:.1e} mV", markup=False)


def _export_plan(
    name: str,
    target: Path,
    run: Path | None,
    flavour: str,
    capability: str | None,
    precision: str,
    rows: str,
) -> None:
    from tempfile import TemporaryDirectory

    from engine.backends.export_plan import export_plan
    from engine.backends.onnxrt import graph_of

    _check_writable(target / "plan" if target.is_dir() else target)
    if run:
        _needs_torch()
        from models.export import export_onnx

        with TemporaryDirectory() as folder:
            export_onnx(find_network(name), run / "weights.safetensors", Path(folder, "graph.onnx"))
            graph = Path(folder, "graph.onnx").read_bytes()
    else:
        graph = graph_of(load_card(name))
    begun = time.perf_counter()
    with _progress() as show:
        file = export_plan(
            name,
            graph,
            target,
            flavour=flavour,
            capability=_capability(capability) if capability else None,
            precision=precision,
            rows=_counts(rows),
            progress=show,
        )
    out.print(
        f"{file}: {file.stat().st_size / 1e6:.1f} MB, built in {time.perf_counter() - begun:.1f} s",
        soft_wrap=True,
    )


def _capability(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise InputError(f"--compute-capability {text!r} is none; give it as in 8.9")
    return int(major), int(minor)


def _counts(text: str) -> tuple[int, ...]:
    if not all(part.isdecimal() for part in _list(text)):
        raise InputError(f"--rows {text!r} is no list of batch sizes such as 1,8,64")
    return tuple(int(part) for part in _list(text))


@app.command()
def evaluate(
    track: Annotated[
        Literal["f", "s", "qtdb", "stress", "safety"],
        typer.Option(
            help="f: unseen patients, unseen noise. s: the seed table's protocol, filters and trained runs. "
            "qtdb: the literature's bench, as published (filters and trained runs) and streamed. "
            "stress: beats found in the official Noise Stress Test records. safety: beats invented, "
            "erased and bent, with the guard off and on."
        ),
    ] = "f",
    model: Annotated[
        str | None, typer.Option("--models", help="Comma-separated [default: all that can run].")
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for the report [default: out/evaluate-TRACK].")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Compute nothing: print the tables of a folder of results, docs/results."),
    ] = None,
    noises: Annotated[str, typer.Option(help="Noises, comma-separated.")] = "bw,em,ma,emb",
    snrs: Annotated[str, typer.Option(help="SNRs in dB, comma-separated.")] = "-4,0,4,12",
    lookahead: Annotated[str, typer.Option(help="Look-aheads in ms, comma-separated.")] = "300",
    hop: Hop = 40.0,
    records: Annotated[str | None, typer.Option(help="Records of track f [default: all of DS2].")] = None,
    start: Annotated[float, typer.Option(help="Second of every record of track f to begin at.")] = 300.0,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="Seconds of every record [default: 60; qtdb: 120; stress: to the end]; safety: of every "
            "noise [3600]."
        ),
    ] = None,
    qrs: Annotated[bool, typer.Option("--qrs", help="Track f: find beats too, which takes long.")] = False,
    backend: Backend = "auto",
    cards: Annotated[
        bool, typer.Option("--cards", help="Track f: write the figures onto the shipped networks' cards.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once.")] = os.cpu_count() or 1,
    data_dir: DataDir = None,
) -> None:
    """Score networks and filters. Ctrl-C loses nothing: the same command goes on where it was."""
    if report is not None:
        from engine.evaluate_tables import tables

        out.print(tables(report), markup=False, highlight=False, soft_wrap=True)
        return
    folder = out_dir or Path("out") / f"evaluate-{track}"
    systems = tuple(_list(model)) if model else None
    shared: dict[str, Any] = {
        "models": systems or _can_run(),
        "lookaheads_ms": tuple(_numbers("lookahead", lookahead)),
        "hop_ms": hop,
        "backend": backend,
        "jobs": jobs,
        "data_dir": data_dir,
    }
    levels = tuple(_numbers("snrs", snrs))
    try:
        if track == "s":
            text = _evaluate_s(folder, _list(noises), levels, data_dir)
        elif track == "qtdb":
            text = _evaluate_qtdb(folder, {**shared, "seconds": seconds or 120.0})
        elif track == "stress":
            text = _evaluate_stress(folder, {**shared, "seconds": seconds})
        elif track == "safety":
            text = _evaluate_safety(folder, {**shared, "seconds": seconds or 3600.0})
        else:
            tested = {"records": tuple(_list(records))} if records else {}
            more = {"noises": tuple(_list(noises)), "snrs": levels, "start": start, "qrs": qrs}
            text = _evaluate_f(folder, {**shared, **more, **tested, "seconds": seconds or 60.0}, cards)
    except KeyboardInterrupt:
        err.print(f"stopped; the same command goes on from what is in {folder}", markup=False)
        raise typer.Exit(130) from None
    out.print(text, markup=False, highlight=False, soft_wrap=True)
    err.print(f"report: {folder}", markup=False)


@app.command()
def frontier(
    model: Annotated[
        str | None, typer.Option("--models", help="Comma-separated [default: all that can run].")
    ] = None,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for table and figure.")] = Path(
        "out/frontier"
    ),
    noises: Annotated[str, typer.Option(help="Noises, comma-separated.")] = "em,emb",
    snr: Annotated[float, typer.Option(help="SNR in dB.")] = 0.0,
    lookahead: Annotated[
        str, typer.Option(help="Look-aheads in ms, comma-separated; each system takes those it can have.")
    ] = "0,25,100,300,1000",
    hop: Hop = 40.0,
    records: Annotated[str | None, typer.Option(help="Records [default: all of DS2].")] = None,
    start: Annotated[float, typer.Option(help="Second of every record to begin at.")] = 300.0,
    seconds: Annotated[float, typer.Option(min=20, help="Seconds of every record.")] = 60.0,
    qrs: Annotated[bool, typer.Option(help="Find beats too, which takes long.")] = True,
    backend: Backend = "auto",
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once.")] = os.cpu_count() or 1,
    data_dir: DataDir = None,
) -> None:
    """Draw what a millisecond of delay buys: quality against total delay, for every system.

    Ctrl-C loses nothing: the same command goes on where it was.
    """
    from engine.evaluate import EvaluateSettings
    from engine.frontier import FrontierSettings
    from engine.frontier import frontier as run

    tested = {"records": tuple(_list(records))} if records else {}
    settings = FrontierSettings(
        EvaluateSettings(
            models=tuple(_list(model)) if model else _can_run(),
            noises=tuple(_list(noises)),
            snrs=(snr,),
            lookaheads_ms=tuple(_numbers("lookahead", lookahead)),
            hop_ms=hop,
            start=start,
            seconds=seconds,
            qrs=qrs,
            clean=False,
            backend=backend,
            jobs=jobs,
            data_dir=data_dir,
            **tested,
        )
    )
    try:
        with _progress() as show:
            run(settings, out_dir, show)
    except KeyboardInterrupt:
        err.print(f"stopped; the same command goes on from what is in {out_dir}", markup=False)
        raise typer.Exit(130) from None
    out.print((out_dir / "frontier.md").read_text(encoding="utf-8"), markup=False, highlight=False)
    err.print(f"table and figure: {out_dir}", markup=False)


def _can_run() -> tuple[str, ...]:
    """Every system that is shipped with its weights, or needs none."""
    return tuple(name for name in SYSTEMS if _state(partial(load_card, name)) == "works")


def _evaluate_f(folder: Path, options: dict[str, Any], cards: bool) -> str:
    from engine.evaluate import EvaluateSettings
    from engine.evaluate import evaluate as run
    from engine.evaluate_report import write_report

    settings = EvaluateSettings(**options)
    with _progress() as show:
        results = run(settings, folder, show)
    report = write_report(results, settings, folder)
    if cards:
        from models.card_figures import add_figures

        err.print(f"on the cards of: {', '.join(add_figures(report)) or 'none'}")
    return (folder / "report.md").read_text(encoding="utf-8")


def _evaluate_s(folder: Path, noises: list[str], snrs: tuple[float, ...], data_dir: Path | None) -> str:
    from models.track_s import Condition
    from models.track_s_results import markdown, read_results, score_filters

    for noise in noises:
        for level in snrs:
            for mixing in ("new", "old") if noise == "emb" else ("new",):
                score_filters(folder, Condition(noise, level, _literal(mixing)), data_dir)
    text = markdown(read_results(folder))
    (folder / "report.md").write_text(text, encoding="utf-8")
    return text


def _evaluate_qtdb(folder: Path, options: dict[str, Any]) -> str:
    from engine.evaluate_qtdb import StreamedSettings, evaluate_qtdb
    from engine.qtdb_report import write_qtdb
    from models.qtdb_results import read_results, score_filters

    settings = StreamedSettings(**options)
    with _progress() as show:
        show("beats cut out: filters", 0, 1)
        score_filters(folder, settings.data_dir)
        results = evaluate_qtdb(settings, folder, show)
    return write_qtdb(read_results(folder), results, settings, folder)


def _evaluate_stress(folder: Path, options: dict[str, Any]) -> str:
    from engine.evaluate_stress import StressSettings, evaluate_stress
    from engine.evaluate_tables import write_stress

    settings = StressSettings(**options)
    with _progress() as show:
        rows = evaluate_stress(settings, folder, show)
    return write_stress(rows, settings, folder)


def _evaluate_safety(folder: Path, options: dict[str, Any]) -> str:
    from engine.evaluate_safety import SafetySettings, evaluate_safety
    from engine.safety_report import write_safety

    settings = SafetySettings(**options)
    with _progress() as show:
        rows = evaluate_safety(settings, folder, show)
    return write_safety(rows, settings, folder)


@contextmanager
def _progress(*, threaded: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """A bar, from the first word until it is left; what it gives is told what is done, how far, of what.

    Not `threaded` where a thread of its own would disturb what is measured.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        auto_refresh=threaded,
    )
    task = bar.add_task("loading")

    def show(what: str, done: int, total: int) -> None:
        bar.start()
        bar.update(task, description=escape(what), completed=done, total=total, refresh=not threaded)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in _list(text)]
    except ValueError:
        raise InputError(f"--{option} {text!r} is no list of numbers such as 0,4,12") from None


@app.command()
def tune_guard(
    model: Model = DEFAULT_NETWORK,
    lookahead: Lookahead = None,
    hop: Hop = 40.0,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of every record and noise.")] = 60.0,
    backend: Backend = "auto",
    cards: Annotated[
        bool,
        typer.Option("--cards", help="Instead find how unsure the network may be, and write it on its card."),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Print what the guard's thresholds were read off: validation records, and noise without a heart.

    Percentiles 1 · 50 · 99 of: how far raw's beats stand above what lies between them, how much of
    their strength cleaned keeps, and how far the network contradicts itself.
    """
    from engine.tune_guard import TuneSettings
    from engine.tune_guard import tune_guard as run

    if cards:
        _write_guard_limits(find_network(model).name, backend, data_dir)
        return
    table = Table("condition", "hops", "beats above floor", "cleaned / raw", "contradiction", "bypassed %")
    for row in run(TuneSettings(model, _lookahead_ms(lookahead, model), hop, seconds, backend, data_dir)):
        figures = (row["beats_above_floor"], row["cleaned_to_raw_level"], row["contradiction"])
        cells = [" · ".join(f"{value:.3g}" for value in values) for values in figures]
        table.add_row(row["condition"], str(row["hops"]), *cells, f"{row['bypassed_percent']:.2f}")
    out.print(table)


def _write_guard_limits(name: str, backend: str, data_dir: Path | None) -> None:
    from engine.backends import open_backend
    from engine.guard_limits import find_limits
    from models.card_figures import add_guard_limits

    card = load_card(name)
    opened = open_backend(backend, card)
    try:
        add_guard_limits(name, find_limits(card, opened, data_dir, out.print))
    finally:
        opened.close()


@app.command()
def profile(
    model: Model = DEFAULT_NETWORK,
    backend: Annotated[
        str,
        typer.Option(help=f"Runtime: {', '.join(BACKENDS)}; or all: every one that runs here, side by side."),
    ] = "auto",
    lookahead: Lookahead = None,
    hop: Hop = 40.0,
    hops: Annotated[
        int | None,
        typer.Option(min=200, help="Hops to time [default: 4000, paced 1500, and 3000 a trial of a sweep]."),
    ] = None,
    threads: Threads = 1,
    streams: Annotated[int, typer.Option(min=1, help="Streams in step, all ready at the same time.")] = 1,
    paced: Annotated[
        bool, typer.Option("--paced", help="At the real cadence, a call each hop, instead of back to back.")
    ] = False,
    baseline: Annotated[
        bool, typer.Option(help="Time the bare runtime call too, on the same windows.")
    ] = True,
    cpu_time: Annotated[
        bool, typer.Option("--cpu-time", help="Count CPU time, not wall time: for a busy machine.")
    ] = False,
    find_most: Annotated[
        bool, typer.Option("--sweep", help="Find how many streams are held within a hop. Takes minutes.")
    ] = False,
    screen: Annotated[
        bool, typer.Option("--screen", help="Time the window instead: frames, memory, engine beside it.")
    ] = False,
    hours: Annotated[float, typer.Option(min=0.0, help="Hours of signal that --screen simulates.")] = 4.0,
    gpu_check: Annotated[
        bool, typer.Option("--gpu-check", help="Measure all GPU backends instead, against their goals.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw stages and histogram here (.png, .pdf, .svg).")
    ] = None,
) -> None:
    """Time the engine beside the bare runtime call, and backends beside each other, in one run."""
    _check_writable(json_file)
    _check_picture(plot)
    if screen:
        if find_most or paced or cpu_time or streams > 1 or plot or hops or backend != "auto":
            raise InputError("--screen times the window: it takes --hours and --json alone")
        _profile_screen(hours, json_file)
        return
    if gpu_check:
        _check_gpu(json_file)
        return
    from engine.profile import ProfileSettings
    from engine.profile import profile as run
    from engine.profile_sweep import check_sweep, sweep
    from gui import profile_table as tables
    from gui.profile_picture import save_profile, save_sweep

    default = 3000 if find_most else 1500 if paced else 4000
    settings = ProfileSettings(
        model,
        backend,
        _lookahead_ms(lookahead, model),
        hop,
        hops or default,
        threads,
        streams,
        paced,
        baseline,
        cpu_time,
    )
    if find_most:
        check_sweep(settings)
        with _progress(threaded=False) as show:
            figures = sweep(settings, show)
        out.print(tables.sweep_table(figures))
        notes = tables.sweep_notes(figures)
    else:
        with _progress(threaded=False) as show:
            measured = run(settings, show)
        figures = measured.figures
        out.print(tables.cost_table(figures))
        out.print(tables.ledger_table(figures))
        notes = tables.profile_notes(figures)
    for note in notes:
        out.print(note, markup=False, highlight=False)
    warning = tables.busy_warning(figures)
    if warning:
        err.print(f"warning: {warning}", markup=False, highlight=False, soft_wrap=True)
    if plot:
        if find_most:
            save_sweep(figures, plot)
        else:
            save_profile(measured, plot)
        err.print(f"picture: {plot}", markup=False)
    if json_file:
        _write_json(figures, json_file)


def _check_gpu(json_file: Path | None) -> None:
    from engine.gpu_check import check_gpu

    with _progress() as show:
        figures = check_gpu(show)
    libraries = ", ".join(
        f"{name} {found or 'not installed'}" for name, found in figures["libraries"].items()
    )
    out.print(
        f"{figures['date']}: {figures['gpu']} (compute capability {figures['compute_capability']}), torch "
        f"{figures['torch']}, {libraries}; U-Net of {figures['parameters']:,} parameters, one "
        f"window of {figures['window']} samples, host to host",
        soft_wrap=True,
    )
    _show_gpu_backends(figures["backends"])
    steps = figures["steps"]
    out.print(
        f"{steps['network']} of {steps['parameters']:,} parameters, which keeps state, one hop of 40 ms:",
        soft_wrap=True,
    )
    _show_gpu_backends(steps["backends"])
    for name, goal in figures["goals"].items():
        reached = "not measured" if goal["reached"] is None else f"{goal['reached']:.4g} by {goal['by']}"
        out.print(f"{'met' if goal['met'] else 'MISSED'}: {name} {goal['goal']:g}: {reached}")
    if json_file:
        _write_json(figures, json_file)


def _show_gpu_backends(backends: dict[str, dict[str, Any]]) -> None:
    from engine.gpu_check import most_streams

    table = Table("µs", "back to back p50", "p99", "paced p99", "with heartbeat p99", "after idle", "streams")
    for name, each in backends.items():
        if "refused" in each:
            table.add_row(name, "–")
            continue
        table.add_row(
            name,
            *(f"{each['back_to_back_us'][percentile]:.0f}" for percentile in ("p50", "p99")),
            *(f"{each[pace]['p99']:.0f}" for pace in ("paced_us", "paced_heartbeat_us")),
            f"{each['after_idle_us']:.0f}",
            str(most_streams(each)),
        )
    out.print(table)
    for name, each in backends.items():
        if "refused" in each:
            out.print(f"not run: {name}: {each['refused']}", markup=False, highlight=False, soft_wrap=True)


def _profile_screen(hours: float, json_file: Path | None) -> None:
    reason = why_no_window()
    if reason:
        raise InputError(f"there is no window to time: {reason}")
    if not has_display():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from gui.screen_profile import profile_screen

    figures = profile_screen(hours)
    out.print_json(data=figures)
    if json_file:
        _write_json(figures, json_file)


@app.command()
def profile_lsl(
    what: Annotated[
        Literal["delay", "account", "streams"],
        typer.Argument(
            help="delay: beside a bare pull_chunk loop; account: every sample of a device, against its "
            "own count; streams: many at once."
        ),
    ],
    device: Annotated[
        str, typer.Option("--profile", help=f"Device to account for: {', '.join(PROFILES)}.")
    ] = "dropping",
    seconds: Annotated[float, typer.Option(min=1, help="How long, at real speed.")] = 60.0,
    streams: Annotated[int, typer.Option(min=1, help="Streams at once.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Decides patient and device.")] = 0,
    model: Model = DEFAULT_NETWORK,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure the LSL path against real outlets in other processes, on this machine alone."""
    from tempfile import TemporaryDirectory

    from engine.profile_lsl import account, compare_delay, many_streams
    from streamer.lsl_network import keep_to_this_machine

    _check_writable(json_file)
    with TemporaryDirectory() as folder:
        keep_to_this_machine(Path(folder))
        if what == "delay":
            figures = compare_delay(seconds, model)
        elif what == "account":
            figures = account(device, seconds, model, seed=seed)
        else:
            figures = many_streams(streams, seconds)
    out.print_json(json.dumps(figures))
    if json_file:
        _write_json(figures, json_file)


@app.command()
def soak(
    hours: Annotated[float, typer.Option(help="Hours of signal.")] = 24.0,
    patients: Annotated[int, typer.Option(min=1, max=64, help="Streams at once.")] = 8,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after this much real time, wherever it is. [default: never]")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Network, or identity: every stage of the engine around no network.")
    ] = "identity",
    hop: Annotated[float, typer.Option(help="Milliseconds of new signal between two inferences.")] = 100.0,
    faults: Annotated[str, typer.Option(help="What goes wrong, as for playing.")] = "all",
    seed: Annotated[int, typer.Option(min=0, help="Decides patients and faults.")] = 0,
    save: Annotated[
        Path | None, typer.Option(help="Folder to record the first patient into, a file an hour.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the account here, as `soak` beside what is there.")
    ] = None,
) -> None:
    """Play a day of several patients with every fault, as fast as possible, and close the account.

    Exit status 1 says that a sample was lost, doubled, moved or changed.
    """
    from engine.soak import SoakSettings
    from engine.soak import soak as run

    _check_writable(json_file)
    settings = SoakSettings(
        hours=hours, streams=patients, minutes=minutes, model=model, hop_ms=hop, faults=faults, seed=seed,
        record=save,
    )  # fmt: skip

    def show(done: float) -> None:
        err.print(f"{done:5.1f} of {hours:g} h of signal · {patients} patients", highlight=False)

    figures = run(settings, show)
    out.print_json(data=figures)
    if json_file:
        before = json.loads(json_file.read_text(encoding="utf-8")) if json_file.is_file() else {}
        _write_json({**before, f"soak_{model}": figures}, json_file)
    if not figures["exact"]:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Say what is installed, which backends work here, and why the others do not."""
    table = Table("part", "state", title=f"ecg-stream {version('ecg-stream')}")
    table.add_row("Python", f"{platform.python_version()} on {platform.platform()}, {os.cpu_count()} CPUs")
    for package in (
        "numpy",
        "scipy",
        "onnxruntime",
        "wfdb",
        "pylsl",
        "torch",
        "onnx",
        "tensorrt",
        "tensorrt-rtx",
    ):
        try:
            table.add_row(package, version(package))
        except PackageNotFoundError:
            table.add_row(package, "not installed")
    table.add_row("GPU", str(find_gpu() or why_no_gpu()))
    for name in BACKENDS[1:]:
        table.add_row(f"backend {name}", _try_backend(name))
    table.add_row("backend auto", explain_auto(choose_backend("auto")))
    table.add_row("plans", f"{plans_folder()} ({FOLDER_VARIABLE} names another folder)")
    for name in SYSTEMS:
        table.add_row(f"model {name}", _state(partial(load_card, name)))
    data = os.environ.get(DATA_VARIABLE)
    folder = f"{data}{'' if Path(data).is_dir() else ' (does not exist)'}" if data else "not set"
    table.add_row(DATA_VARIABLE, folder)
    out.print(table)


def _try_backend(name: str) -> str:
    """Load the default network and run it: installed is not yet working."""
    reason = why_not(name)
    if reason:
        return f"no: {reason}"

    def run_once() -> None:
        from engine.backends import open_backend
        from engine.config import EngineConfig
        from engine.pipeline import rehearse

        card = load_card(DEFAULT_NETWORK)
        loaded = open_backend(name, card)
        rehearse(loaded, EngineConfig.of(card.spec, card.spec.lookahead_ms, 40.0))
        loaded.close()

    return _state(run_once)


def _state(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except (InputError, RuntimeError, ImportError, OSError) as error:
        return f"no: {error}"
    return "works"


def _needs_torch() -> None:
    reason = why_not("torch")
    if reason:
        raise InputError(f"this command needs torch: {reason}")


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
    err.print(f"ecg-stream: {message}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
