"""`ecg-stream profile`: the engine, the window or the GPU backends, timed and shown."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from engine.backends import BACKENDS
from engine.commands.options import DEFAULT_MODEL, Hop, Lookahead, Model, Threads, lookahead_ms
from gui.display import has_display, why_no_window
from streamer.console.output import check_writable, err, out, progress, say, write_json
from streamer.errors import InputError

_PICTURES = (".png", ".pdf", ".svg")


def profile(
    model: Model = DEFAULT_MODEL,
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
    check_writable(json_file)
    _check_picture(plot)
    if screen:
        if find_most or paced or cpu_time or streams > 1 or plot or hops or backend != "auto":
            raise InputError("--screen times the window: it takes --hours and --json alone")
        _profile_screen(hours, json_file)
        return
    if gpu_check:
        _check_gpu(json_file)
        return
    from engine.lab.profile import table as tables
    from engine.lab.profile.hops import ProfileSettings
    from engine.lab.profile.hops import profile as run
    from engine.lab.profile.picture import save_profile, save_sweep
    from engine.lab.profile.sweep import check_sweep, sweep

    default = 3000 if find_most else 1500 if paced else 4000
    settings = ProfileSettings(
        model,
        backend,
        lookahead_ms(lookahead, model),
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
        with progress(threaded=False) as show:
            figures = sweep(settings, show)
        out.print(tables.sweep_table(figures))
        notes = tables.sweep_notes(figures)
    else:
        with progress(threaded=False) as show:
            measured = run(settings, show)
        figures = measured.figures
        out.print(tables.cost_table(figures))
        out.print(tables.ledger_table(figures))
        notes = tables.profile_notes(figures)
    for note in notes:
        out.print(note, markup=False, highlight=False)
    warning = tables.busy_warning(figures)
    if warning:
        say(f"warning: {warning}")
    if plot:
        if find_most:
            save_sweep(figures, plot)
        else:
            save_profile(measured, plot)
        err.print(f"picture: {plot}", markup=False)
    write_json(figures, json_file)


def _check_gpu(json_file: Path | None) -> None:
    from engine.lab.profile.gpu_check import check_gpu

    with progress() as show:
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
    write_json(figures, json_file)


def _show_gpu_backends(backends: dict[str, dict[str, Any]]) -> None:
    from engine.lab.profile.gpu_check import most_streams

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
            say(f"not run: {name}: {each['refused']}", out)


def _profile_screen(hours: float, json_file: Path | None) -> None:
    reason = why_no_window()
    if reason:
        raise InputError(f"there is no window to time: {reason}")
    if not has_display():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from gui.screen_profile import profile_screen

    figures = profile_screen(hours)
    out.print_json(data=figures)
    write_json(figures, json_file)


def _check_picture(file: Path | None) -> None:
    """Refuse a picture that cannot be written before the run, not after it."""
    check_writable(file)
    if file is not None and file.suffix.lower() not in _PICTURES:
        raise InputError(f"cannot draw {file}: a picture ends in {', '.join(_PICTURES)}")
