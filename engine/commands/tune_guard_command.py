"""`ecg-stream tune-guard`: what the guard's thresholds were read off."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import DEFAULT_MODEL, Backend, Hop, Lookahead, Model, lookahead_ms
from streamer.console.options import DataDir
from streamer.console.output import out


def tune_guard(
    model: Model = DEFAULT_MODEL,
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
    """Print what the guard's thresholds were read off.

    That is validation records, and noise without a heart.
    Percentiles 1 · 50 · 99 of: how far raw's beats stand above what lies between them, how much of
    their strength cleaned keeps, and how far the network contradicts itself.
    """
    from rich.table import Table

    from engine.lab.safety.tune_guard import TuneSettings
    from engine.lab.safety.tune_guard import tune_guard as run

    if cards:
        _write_guard_limits(model, backend, data_dir)
        return
    table = Table("condition", "hops", "beats above floor", "cleaned / raw", "contradiction", "bypassed %")
    for row in run(TuneSettings(model, lookahead_ms(lookahead, model), hop, seconds, backend, data_dir)):
        figures = (row["beats_above_floor"], row["cleaned_to_raw_level"], row["contradiction"])
        cells = [" · ".join(f"{value:.3g}" for value in values) for values in figures]
        table.add_row(row["condition"], str(row["hops"]), *cells, f"{row['bypassed_percent']:.2f}")
    out.print(table)


def _write_guard_limits(name: str, backend: str, data_dir: Path | None) -> None:
    from engine.backends import open_backend
    from engine.lab.safety.guard_limits import find_limits
    from models.card_figures import add_guard_limits
    from models.registry import find_network, load_card

    card = load_card(find_network(name).name)
    opened = open_backend(backend, card)
    try:
        add_guard_limits(name, find_limits(card, opened, data_dir, out.print))
    finally:
        opened.close()
