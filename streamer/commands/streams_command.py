"""`ecg-stream streams`: what is on the network."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from streamer.console.output import check_writable, out, write_json
from streamer.plain import plain

_WIDE = 120
"""Columns from which on a terminal has room for more than a few leads."""


def streams(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the list here.")] = None,
) -> None:
    """List the streams on the network, and how fast each really runs."""
    from rich.markup import escape
    from rich.table import Column, Table

    from streamer.lsl.survey import survey

    check_writable(json_file)
    found = survey()
    table = Table(
        # The name is what `--stream-name` needs: it is never cut, and the others fold first.
        Column("name", no_wrap=True, overflow="fold"),
        *(Column(name, overflow="fold") for name in ("type", "rate", "measured", "leads", "unit")),
        *(Column(name, overflow="fold") for name in ("source id", "host")),
    )
    most = 12 if out.width >= _WIDE else 3
    for stream in found:
        rate = f"{stream.fs:g} Hz" if stream.fs else "irregular"
        measured = "--" if stream.measured_hz is None else f"{stream.measured_hz:.2f} Hz"
        leads = ", ".join(stream.leads[:most]) + (" …" if len(stream.leads) > most else "")
        row = (stream.name, stream.type, rate, measured, leads, stream.unit, stream.source_id, stream.host)
        table.add_row(*(escape(plain(cell)) for cell in row))
    if found:
        out.print(table)
    else:
        out.print("no LSL stream answers; `ecg-stream broadcast` publishes one")
    write_json([asdict(stream) for stream in found], json_file)
