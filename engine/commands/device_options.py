"""Options of devices that are no stream of the Lab Streaming Layer."""

from dataclasses import dataclass, fields
from typing import Annotated, ClassVar

import typer


@dataclass(frozen=True)
class DeviceOptions:
    """How a device beside Lab Streaming Layer is reached; see `streamer.settings.SourceSettings.given`."""

    PANEL: ClassVar = "Live: a device"
    RARE: ClassVar = (
        "board", "port", "master", "file", "channels", "counter", "serial_port", "mac_address",
        "ip_address", "ip_port", "address", "rate", "baud", "format", "columns",
    )  # fmt: skip

    board: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Board of BrainFlow: synthetic, cyton, …, its number, or playback."
        ),
    ] = None
    port: Annotated[
        str | None, typer.Option(metavar="PORT", help="Serial port that sends numbers: /dev/ttyUSB0, COM3.")
    ] = None
    serial_port: Annotated[
        str | None, typer.Option(metavar="PORT", help="brainflow: serial port of the board.")
    ] = None
    mac_address: Annotated[
        str | None, typer.Option(metavar="MAC", help="brainflow: Bluetooth address of the board.")
    ] = None
    ip_address: Annotated[str | None, typer.Option(metavar="IP", help="brainflow: network address.")] = None
    ip_port: Annotated[str | None, typer.Option(metavar="N", help="brainflow: network port.")] = None
    file: Annotated[str | None, typer.Option(metavar="FILE", help="brainflow, playback: its recording.")] = (
        None
    )
    master: Annotated[
        str | None, typer.Option(metavar="NAME", help="brainflow, playback: the board that recorded it.")
    ] = None
    channels: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="brainflow: rows that hold ECG: 1,2. [default: as the board says]"),
    ] = None
    counter: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="brainflow: where package numbers begin anew: 256, or none. serial: the column that counts "
            "samples, and where it begins anew: 1 or 1:256.",
        ),
    ] = None
    address: Annotated[
        str | None, typer.Option(metavar="MAC", help="polar: address of the belt. [default: the first heard]")
    ] = None
    rate: Annotated[str | None, typer.Option(metavar="HZ", help="serial: samples a second.")] = None
    baud: Annotated[
        str | None, typer.Option(metavar="N", help="serial: bits a second. [default: 115200]")
    ] = None
    format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="serial: text, or a frame: its first bytes, its values as Python's struct writes them, and "
            "sum8 or xor8: 'A55A <Hhh sum8'. [default: text]",
        ),
    ] = None
    columns: Annotated[
        str | None, typer.Option(metavar="LIST", help="serial: values that hold ECG: 1,2. [default: 1]")
    ] = None

    @property
    def given(self) -> tuple[tuple[str, str], ...]:
        """Names and values of those that were given."""
        values = ((each.name, getattr(self, each.name)) for each in fields(self))
        return tuple((name, value) for name, value in values if value is not None)
