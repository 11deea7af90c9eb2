"""`ecg-stream broadcast`: a signal of ours on the network, as a device would send it."""

from typing import Annotated

import typer

from streamer.console.options import (
    DEVICES_HELP,
    Database,
    DataDir,
    HeartRate,
    Leads,
    Loop,
    Rhythm,
    Snr,
    Start,
    words,
)
from streamer.console.output import err, out, say
from streamer.errors import InputError


def broadcast(
    record: Annotated[
        str | None,
        typer.Option(help="Record or file to publish, as for playing [default: the synthetic patient]."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="KIND",
            help="As for playing: file:rate=250,unit=mV [default: what --record names, or synthetic].",
        ),
    ] = None,
    database: Database = "mitdb",
    data_dir: DataDir = None,
    leads: Leads = None,
    start: Start = 0.0,
    rhythm: Rhythm = "sinus",
    heart_rate: HeartRate = 70.0,
    noise: Annotated[str, typer.Option(help="Noise to add, as for playing.")] = "none",
    snr: Snr = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Decides patient, noise and device.")] = 0,
    loop: Loop = False,
    seconds: Annotated[float | None, typer.Option(help="How much to publish. [default: all]")] = None,
    name: Annotated[str, typer.Option(help="Name of the stream.")] = "ecg-stream",
    stream_type: Annotated[str, typer.Option(help="Its type.")] = "ECG",
    source_id: Annotated[str | None, typer.Option(help="Its source id [default: made of the name].")] = None,
    profile: Annotated[str, typer.Option(help=f"How the device behaves: {DEVICES_HELP}.")] = "smooth",
    unit: Annotated[str, typer.Option(help="Unit of its values: V, mV, uV.")] = "mV",
    rate: Annotated[
        float | None, typer.Option(help="Rate in Hz [default: the device's, or the signal's].")
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="Add the clean reference as further channels.")
    ] = False,
    counter: Annotated[
        bool, typer.Option("--counter", help="Add a channel that counts the samples.")
    ] = False,
    copies: Annotated[int, typer.Option(min=1, help="Streams to publish, numbered.")] = 1,
) -> None:
    """Publish a file or the synthetic patient as an LSL device.

    Its beats are a marker stream. `ecg-stream --source lsl` in another terminal listens.
    """
    from streamer.broadcast.outlet import Broadcast, BroadcastSettings
    from streamer.settings import SourceSettings
    from streamer.several import side_by_side

    base = SourceSettings(
        kind=kind or ("replay" if record else "synthetic"),
        record=record or "100",
        database=database,
        data_dir=data_dir,
        leads=tuple(words(leads)) if leads else None,
        start=start,
        seconds=seconds,
        loop=loop,
        rhythm=rhythm,
        heart_rate=heart_rate,
        noise=noise,
        snr=snr,
        seed=seed,
    )
    source, *others = side_by_side(base, record)
    if others:
        raise InputError(f"--record {record} names several; one is published at a time")
    settings = BroadcastSettings(
        name, stream_type, source_id, profile, unit, rate, reference, counter, copies
    )
    sender = Broadcast(source, settings)
    say(f"publishing {name}: {', '.join(sender.leads)} at {sender.fs:g} Hz, profile {profile} · Ctrl-C ends")
    try:
        sender.run()
    except KeyboardInterrupt:
        err.print("stopped")
    out.print(f"{sender.sent} samples sent")
