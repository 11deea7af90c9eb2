"""`ecg-stream hospital`: beds of a ward of several machines, for the systems of a hospital."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.console.installed import why_missing
from streamer.console.output import check_writable, out, say, write_json
from streamer.errors import InputError, NotWrittenError

if TYPE_CHECKING:
    from ward.hospital.stretches import Stretch

_SIGNALS = ("raw", "cleaned")
_HL7_S, _FHIR_S = 1.0, 10.0


def hospital(
    nats: Annotated[str, typer.Option(metavar="URL", help="The broker: nats://HOST:PORT.")],
    beds: Annotated[Path, typer.Option(metavar="FILE", help="TOML: which beds are told, and as whose.")],
    hl7: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Send HL7 v2 ORU^R01 over MLLP there.")
    ] = None,
    fhir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write FHIR Observations here, a file each.")
    ] = None,
    signal: Annotated[str, typer.Option(metavar="|".join(_SIGNALS), help="What is told.")] = "cleaned",
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, max=60.0, help="Length of a message. [default: 1 of HL7, 10 of FHIR]"),
    ] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with what the log still has, an hour at most.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the summary here.")
    ] = None,
) -> None:
    """Tell a hospital's systems of beds of a ward, until Ctrl-C.

    Each stretch is told once, in order, until it is accepted; the same command goes on from there. Research
    prototype: not for diagnosis.

    Examples
    --------
    - `ecg-stream hospital --nats nats://127.0.0.1:4222 --beds beds.toml --hl7 127.0.0.1:2575`
    - `ecg-stream hospital --nats nats://127.0.0.1:4222 --beds beds.toml --fhir observations`
    """
    from ward.hospital.mllp import Receiver, parse_receiver
    from ward.hospital.run import Plan, tell_hospital
    from ward.hospital.who import read_beds

    check_writable(json_file)
    if (hl7 is None) == (fhir is None):
        raise InputError("give --hl7 or --fhir, one of them; for both start two")
    if signal not in _SIGNALS:
        raise InputError(f"--signal is {signal!r}; allowed: {', '.join(_SIGNALS)}")
    who = read_beds(beds)
    which = _SIGNALS.index(signal)
    if hl7 is not None:
        from ward.hospital.hl7_message import oru_r01

        _need("hl7")
        receiver = Receiver(*parse_receiver(hl7), say)
        destination, close = f"hl7 {hl7} {signal}", receiver.close

        async def hand(stretch: "Stretch", stop: asyncio.Event) -> bool:
            message = oru_r01(stretch, who[stretch.bed], which)
            return await receiver.send(message, stretch.identifier, stop)

    else:
        assert fhir is not None
        from ward.hospital.fhir_observation import write_observation

        _need("fhir.resources")
        folder = _folder(fhir)
        destination = f"fhir {folder.resolve()} {signal}"

        async def close() -> None:
            """Every file is whole already."""

        async def hand(stretch: "Stretch", stop: asyncio.Event) -> bool:
            write_observation(folder, stretch, who[stretch.bed], which)
            return True

    plan = Plan(tuple(who), destination, seconds or (_HL7_S if hl7 else _FHIR_S), which, from_start)
    say(f"{len(who)} beds are told as {'HL7' if hl7 else 'FHIR'}; Ctrl-C ends")
    try:
        told = tell_hospital(nats, plan, hand, close)
    except OSError as error:
        if fhir is None:
            raise
        raise NotWrittenError(
            f"cannot write into {fhir}: {error.strerror}; start it again to go on"
        ) from error
    write_json([asdict(each) for each in told], json_file)
    messages, samples, lost = (
        sum(getattr(each, name) for each in told) for name in ("messages", "samples", "lost")
    )
    out.print(f"{messages} messages, {samples} samples of each lead; {lost} were on the log no more")


def _need(module: str) -> None:
    if missing := why_missing([module.partition(".")[0]], "hospital"):
        raise InputError(missing)


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--fhir cannot make the folder {path}: {error.strerror}") from error
    return path
