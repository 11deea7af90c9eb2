"""`ecg-stream streams`: what is on the network."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from streamer.console.output import check_writable, out, write_json
from streamer.plain import plain


def streams(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the list here.")] = None,
) -> None:
    """List the streams on the network, and how fast each really runs."""
    from rich.markup import escape
    from rich.table import Table

    from streamer.lsl.survey import survey

    check_writable(json_file)
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
    write_json([asdict(stream) for stream in found], json_file)
