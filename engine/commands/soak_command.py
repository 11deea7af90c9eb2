"""`ecg-stream soak`: a day of signal, and its account."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import Hop
from streamer.console.output import check_writable, err, out


def soak(
    hours: Annotated[float, typer.Option(help="Hours of signal.")] = 24.0,
    patients: Annotated[int, typer.Option(min=1, max=64, help="Streams at once.")] = 8,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after this much real time, wherever it is. [default: never]")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Network, or identity: every stage of the engine around no network.")
    ] = "identity",
    hop: Hop = 100.0,
    faults: Annotated[str, typer.Option(help="What goes wrong, as for playing.")] = "all",
    seed: Annotated[int, typer.Option(min=0, help="Decides patients and faults.")] = 0,
    save: Annotated[
        Path | None, typer.Option(help="Folder to record the first patient into, a file an hour.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the account here, as `soak` beside what is there.")
    ] = None,
) -> None:
    """Play a day of patients with every fault, and account for it.

    It plays as fast as the machine allows. Ctrl-C ends it with the account of what was played. Exit
    status 1 says that a sample was lost, doubled, moved or changed.
    """
    from engine.lab.results import write_results
    from engine.lab.soak.day import SoakSettings
    from engine.lab.soak.day import soak as run

    check_writable(json_file)
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
        write_results(json_file, {**before, f"soak_{model}": figures})
    if not figures["exact"]:
        raise typer.Exit(1)
