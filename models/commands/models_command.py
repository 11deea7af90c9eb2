"""`ecg-stream models`: what can be named, in a list or one by one."""

from pathlib import Path
from typing import Annotated

import typer

from streamer.console.output import check_writable, out, write_json

_HEADINGS = "parameters", "gain dB", "Track S dB", "trained"


def models(
    name: Annotated[str | None, typer.Argument(help="All that is known of this one.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all of it here.")] = None,
) -> None:
    """List what --model takes: networks and classical systems.

    A network of one lead cleans every lead by itself. One of two takes pairs in the stream's order;
    a lead alone it gets twice, and an odd lead at the end together with the one before it.
    """
    from rich.markup import escape
    from rich.table import Table

    from models.overview import as_published, improvement, overview, sentences
    from models.registry import SYSTEMS

    check_writable(json_file)
    known = [overview(each) for each in ([name] if name else SYSTEMS)]
    if name:
        table = Table(title=name, show_header=False)
        for heading, text in sentences(known[0]).items():
            table.add_row(heading, escape(text))
    else:
        # Names must stay whole where the terminal is narrow; NAME tells what each is.
        wide = out.width >= 120
        table = Table("name", *["what", "window", "leads"] * wide, *_HEADINGS)
        for facts in known:
            table.add_row(
                facts["name"],
                *[facts["title"], f"{facts['window'] / facts['fs_hz']:.1f} s", str(facts["leads"])] * wide,
                f"{facts['parameters']:,}",
                improvement(facts),
                as_published(facts),
                facts.get("budget", "") if facts["weights"] else "not yet",
            )
        table.caption = (
            "gain: unseen patients, all noises, 0 dB; trained: steps × windows, and budgets were unequal\n"
            "Track S: another training, as published, out at -4 dB (published)\n"
            "`ecg-stream models NAME` tells the rest"
        )
    out.print(table)
    write_json(known, json_file)
