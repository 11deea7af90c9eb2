"""`ecg-stream bed`: one bed of a ward of several machines."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from streamer.console.output import check_writable, out, say, write_json


def bed(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The bed, as `ecg-stream ingest` calls it.")],
    nats: Annotated[str, typer.Option(metavar="URL", help="The broker: nats://HOST:PORT.")],
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Record raw and cleaned as WFDB here.")
    ] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with what the log still has of it, an hour at most.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the summary here.")
    ] = None,
) -> None:
    """Record one bed of a ward, until it ends or Ctrl-C.

    Any number may read a bed; the workers do not notice.

    Examples
    --------
    - `ecg-stream bed "bed 7" --nats nats://127.0.0.1:4222 --save recordings`
    """
    from ward.log.record import record

    check_writable(json_file)
    summary = record(nats, name, save, from_start=from_start, tell=say)
    write_json(asdict(summary), json_file)
    out.print(
        f"{summary.samples} samples of each lead, {summary.missing} never came"
        + (f"; recording: {summary.recording}" if summary.recording else "")
    )
