"""`ecg-stream soak`: a day of signal, or an hour at real speed, and its account."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.commands.options import Hop
from streamer.console.output import check_writable, err, out
from streamer.errors import InputError

LIVE_MINUTES = 60.0


def soak(
    context: typer.Context,
    hours: Annotated[float, typer.Option(help="Hours of signal.")] = 24.0,
    patients: Annotated[int, typer.Option(min=1, max=64, help="Streams at once.")] = 8,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="At real speed over LSL on this machine instead: outages, lost samples, starvation, other "
            "settings, and engines that die or hang, at times of the seed; every sample is looked at.",
        ),
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop after this much real time, wherever it is. [default: never; live: 60]"),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Network, or identity: every stage of the engine around no network.")
    ] = "identity",
    hop: Hop = 100.0,
    faults: Annotated[str, typer.Option(help="What goes wrong, as for playing.")] = "all",
    seed: Annotated[int, typer.Option(min=0, help="Decides patients and faults.")] = 0,
    save: Annotated[
        Path | None,
        typer.Option(help="Folder to record the first patient into, a file an hour; live: a file a start."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the account here, as `soak` beside what is there.")
    ] = None,
) -> None:
    """Play a day of patients with every fault, and account for it.

    It plays as fast as the machine allows. Ctrl-C ends it with the account of what was played. Exit
    status 1 says that a sample was lost, doubled, moved or changed.
    """
    check_writable(json_file)
    if live:
        of_a_day = ("hours", "patients", "model", "hop", "faults")
        sources = {name: context.get_parameter_source(name) for name in of_a_day}
        given = [f"--{name}" for name, source in sources.items() if source and source.name != "DEFAULT"]
        if given:
            raise InputError(
                f"soak --live has its own stream and trouble and takes no {', '.join(given)}; "
                "it takes --minutes, --seed, --save and --json"
            )
        figures = _live(minutes, seed, save)
        name = "live"
    else:
        figures = _day(hours, patients, minutes, model, hop, faults, seed, save)
        name = model
    out.print_json(data=figures)
    if json_file:
        from engine.lab.results import write_results

        before = json.loads(json_file.read_text(encoding="utf-8")) if json_file.is_file() else {}
        write_results(json_file, {**before, f"soak_{name}": figures})
    if not figures["exact"]:
        raise typer.Exit(1)


def _live(minutes: float | None, seed: int, save: Path | None) -> dict[str, Any]:
    from engine.lab.soak.live import LiveSoakSettings
    from engine.lab.soak.live import soak as run

    settings = LiveSoakSettings(LIVE_MINUTES if minutes is None else minutes, seed, save)
    return run(settings, lambda text: err.print(text, highlight=False))


def _day(
    hours: float,
    patients: int,
    minutes: float | None,
    model: str,
    hop: float,
    faults: str,
    seed: int,
    save: Path | None,
) -> dict[str, Any]:
    from engine.lab.soak.day import SoakSettings
    from engine.lab.soak.day import soak as run

    settings = SoakSettings(
        hours=hours, streams=patients, minutes=minutes, model=model, hop_ms=hop, faults=faults, seed=seed,
        record=save,
    )  # fmt: skip

    def show(done: float) -> None:
        err.print(f"{done:5.1f} of {hours:g} h of signal · {patients} patients", highlight=False)

    return run(settings, show)
