"""`ecg-stream ingest`: the edge of a ward of several machines."""

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from engine.commands.device_options import DeviceOptions
from engine.commands.options import DEFAULT_MODEL
from engine.commands.play_options import (
    LiveOptions,
    NetworkOptions,
    NoiseOptions,
    RecordOptions,
    SourceOptions,
)
from streamer.console.options import is_given
from streamer.console.output import check_writable, out, say, write_json
from streamer.console.panels import grouped
from streamer.errors import InputError


@grouped
def ingest(
    context: typer.Context,
    nats: Annotated[str, typer.Option(metavar="URL", help="The broker: nats://HOST:PORT.")],
    source: SourceOptions,
    noise: NoiseOptions,
    live: LiveOptions,
    device: DeviceOptions,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write what was sent here.")
    ] = None,
) -> None:
    """Send beds to a ward of several machines.

    They stand on a log, for its workers to clean. With nothing chosen it sends every ECG stream that is on
    the network, now or later. Samples are stamped and numbered here. While the broker is away they wait,
    and nothing is lost before the source itself overflows. A bed that comes back has a gap of the true
    length.

    Examples
    --------
    - `ecg-stream ingest --nats nats://127.0.0.1:4222 --patients 50`: fifty synthetic patients
    - `ecg-stream ingest --nats nats://broker:4222`: every ECG stream of this network
    """
    from engine.commands.play_job import implied_kind, job_of
    from ward.log.play import play

    check_writable(json_file)
    if live.lsl_out is not None:
        raise InputError("--lsl-out is for what cleans; leave it out")
    kind = implied_kind(source, {name for name in context.params if is_given(context, name)}) or "lsl"
    if kind == "lsl":
        live = replace(live, all_streams=live.all_streams or not live.stream_name, wait=True)
    job = job_of(
        source,
        noise,
        NetworkOptions(model=DEFAULT_MODEL),
        live,
        device,
        RecordOptions(),
        kind=kind,
        seconds=source.seconds,
        launched_ns=time.perf_counter_ns(),
    )
    sent = play(job.sources, nats, say)
    write_json([asdict(bed) for bed in sent], json_file)
    out.print(f"{len(sent)} beds, {sum(bed.samples for bed in sent)} samples of each lead are on the log")
