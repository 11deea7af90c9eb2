"""`ecg-stream ward`: many beds, cleaned by an engine a core, shown in a browser."""

import os
import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Annotated

import typer

from engine.commands.device_options import DeviceOptions
from engine.commands.play_options import (
    LiveOptions,
    NetworkOptions,
    NoiseOptions,
    RecordOptions,
    SourceOptions,
)
from engine.commands.service_options import ServiceOptions
from streamer.console.options import is_given
from streamer.console.output import check_writable, out, say, write_json
from streamer.console.panels import grouped
from streamer.errors import InputError
from ward.commands.serving import station_of


@grouped
def ward(
    context: typer.Context,
    source: SourceOptions,
    noise: NoiseOptions,
    network: NetworkOptions,
    live: LiveOptions,
    device: DeviceOptions,
    record: RecordOptions,
    service: ServiceOptions,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Engines, each a process. [default: one a core]")
    ] = None,
    serve: Annotated[
        str | None,
        typer.Option(metavar="[HOST:]PORT", help="Show every bed in a browser, on this machine alone."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="What a browser must give. [default: made where others get to HOST]"),
    ] = None,
    nats: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Take part in a ward of several machines: nats://HOST:PORT, a broker."
        ),
    ] = None,
) -> None:
    """Clean many beds, and show them in a browser.

    With nothing chosen it takes every ECG stream that is on the network, now or later. A bed always goes
    to the same engine. An engine that dies is started again; its beds have a gap of the true length.

    Examples
    --------
    - `ecg-stream ward --patients 50 --serve 8080`: fifty synthetic patients, seen at http://127.0.0.1:8080
    - `ecg-stream ward --serve 8080`: every ECG stream of the Lab Streaming Layer
    - `ecg-stream ward --record 100,103,105 --noise em --save ward --json ward.json`
    - `ecg-stream ward --nats nats://broker:4222`: a worker for the beds that `ecg-stream ingest` sends
    """
    from engine.commands.play_job import implied_kind, job_of
    from engine.run.failure import EngineFailure
    from ward.report import as_json, table_of
    from ward.workers import Ward, share_out

    launched_ns = time.perf_counter_ns()
    check_writable(record.json_file)
    if nats is not None:
        _work(nats, network, record, service, {name for name in context.params if is_given(context, name)})
        return
    if service.unwatched:
        raise InputError(
            "--metrics and --log json are of a worker with --nats; leave them out, or give --nats"
        )
    if record.plot:
        raise InputError("--plot draws single streams; record with --save and play a record with --plot")
    kind = implied_kind(source, {name for name in context.params if is_given(context, name)}) or "lsl"
    if kind == "lsl":
        live = replace(live, all_streams=live.all_streams or not live.stream_name, wait=True)
    job = job_of(
        source,
        noise,
        network,
        live,
        device,
        record,
        kind=kind,
        seconds=source.seconds,
        launched_ns=launched_ns,
    )
    job = replace(job, restart=job.restart or (source.speed != 0 and source.faults == "none"))
    # Samples go to this process for the station alone.
    job = replace(job, traces=serve is not None)
    jobs = share_out(job, workers or os.cpu_count() or 1)
    beds = Ward(jobs, say)
    with ExitStack() as stack:
        if serve is not None:
            station = stack.enter_context(station_of(beds.beds, lambda: beds.ready, serve, token))
            say(f"the beds are at {station.address.url}")
        elif token is not None:
            raise InputError("--token is for the station; give --serve as well")
        say(f"{len(jobs)} engines · {network.model} · Ctrl-C ends")
        summary = beds.run()
    write_json(as_json(summary), record.json_file)
    out.print(table_of(summary))
    if summary.failures:
        raise EngineFailure("; ".join(f"worker {n}: {why}" for n, why in summary.failures.items()))


_OF_A_WORKER = {"nats", "model", "lookahead", "hop", "json_file", "metrics", "log", "log_names"}


def _work(
    url: str, network: NetworkOptions, record: RecordOptions, service: ServiceOptions, given: set[str]
) -> None:
    """Take part in a ward of several machines.

    Raises
    ------
    InputError
        If something was asked for that is not this command's.
    """
    from engine.commands.options import lookahead_ms
    from ward.commands.watched import watched
    from ward.log.run import work

    others = sorted(given - _OF_A_WORKER)
    if others:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in others)
        raise InputError(
            f"{names} cannot go with --nats: beds are sent by `ecg-stream ingest`, and of a worker only "
            "--model, --lookahead, --hop, --json, --metrics and --log can be chosen; start it once for each "
            "core, and `ecg-stream station` for the page"
        )
    lookahead = lookahead_ms(network.lookahead, network.model)
    with watched(service, network.model) as figures:
        summary = work(url, network.model, lookahead, network.hop, say, figures)
    write_json(asdict(summary), record.json_file)
    counts = summary.beds.values()
    cleaned, missing = (sum(getattr(each, name) for each in counts) for name in ("cleaned", "missing"))
    if service.log == "text":
        out.print(f"{len(counts)} beds, {cleaned} samples of each lead cleaned, {missing} never came")
