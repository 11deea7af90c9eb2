"""Options of playing, in the groups that `--help` shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from engine.commands.options import DEFAULT_MODEL, Backend, Hop, Lookahead, Model, Threads
from streamer.console.options import (
    Database,
    DataDir,
    HeartRate,
    Leads,
    Loop,
    Rhythm,
    Snr,
    Start,
)
from streamer.sources import SOURCES

FAULTS_HELP = (
    "gaps, bursts, duplicates, reordered, drift, rate, saturation, lead-off, nan, disconnect, mains, "
    "steps, leads"
)
PLOT_FORMATS = (".png", ".pdf", ".svg", ".jpg")
SCREENSHOT_FORMATS = (".png", ".jpg")


@dataclass(frozen=True)
class SourceOptions:
    """Where the signal comes from, and which part of it is played."""

    PANEL: ClassVar = "Source"
    RARE: ClassVar = ("patients", "start", "rhythm", "heart_rate", "own_drift", "seed")

    source: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help=f"{', '.join(SOURCES)}. [default: as others imply, or synthetic]",
        ),
    ] = None
    record: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Record to replay; several: 100,103,105.")
    ] = None
    database: Database = "mitdb"
    data_dir: DataDir = None
    leads: Leads = None
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="How much to play. [default: to the end, or Ctrl-C]")
    ] = None
    speed: Annotated[float, typer.Option(metavar="X", help="1 is real time, 0 as fast as possible.")] = 1.0
    loop: Loop = False
    faults: Annotated[
        str,
        typer.Option(
            metavar="KINDS",
            help=f"Faults on purpose: none, all, or some of {FAULTS_HELP}; nan:7 has seed 7.",
        ),
    ] = "none"
    start: Start = 0.0
    patients: Annotated[
        int, typer.Option(min=1, metavar="N", help="Synthetic patients, with seeds from --seed on.")
    ] = 1
    rhythm: Rhythm = "sinus"
    heart_rate: HeartRate = 70.0
    own_drift: Annotated[
        str,
        typer.Option(
            metavar="keep|remove",
            help="keep plays the record as it is, remove plays its clean reference instead.",
        ),
    ] = "keep"
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Decides the patient and where the noise begins.")
    ] = 0


@dataclass(frozen=True)
class NoiseOptions:
    """The noise that is added."""

    PANEL: ClassVar = "Noise"
    RARE: ClassVar = ("snr_definition", "noise_part")

    noise: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="none, bw (baseline wander), em (electrode motion), ma (muscle), emb (all three) or "
            "em:0.6,bw:0.4. [default: em for the synthetic patient, or none]",
        ),
    ] = None
    snr: Snr = 0.0
    snr_definition: Annotated[
        str,
        typer.Option(
            metavar="ac|nst", help="ac: ratio of mean-removed powers; nst: as in the Noise Stress Test."
        ),
    ] = "ac"
    noise_part: Annotated[
        str,
        typer.Option(
            metavar="PART", help="Part of the noise records: test (unseen in training), train, all."
        ),
    ] = "test"


@dataclass(frozen=True)
class NetworkOptions:
    """What cleans, and how it runs."""

    PANEL: ClassVar = "Network"
    RARE: ClassVar = ("threads", "ladder", "restart")

    model: Model = DEFAULT_MODEL
    lookahead: Lookahead = None
    hop: Hop = 40.0
    backend: Backend = "auto"
    threads: Threads = 1
    ladder: Annotated[
        bool,
        typer.Option(
            help="Where the machine does not keep up: larger hop, then a classical filter, then raw, and "
            "back up; every step is shown and recorded."
        ),
    ] = True
    restart: Annotated[
        bool,
        typer.Option(
            "--restart",
            help="Start an engine that dies or hangs (2 s) again, three times a minute at most; what was "
            "missed is a gap of its true length.",
        ),
    ] = False


@dataclass(frozen=True)
class LiveOptions:
    """Which stream of the Lab Streaming Layer comes in, and what goes out as one."""

    PANEL: ClassVar = "Live: Lab Streaming Layer"
    RARE: ClassVar = ("stream_type", "source_id", "timeout", "unit", "scale")

    stream_name: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Stream to clean; several: bed-1,bed-2.")
    ] = None
    all_streams: Annotated[
        bool, typer.Option("--all-streams", help="Take every ECG stream on the network.")
    ] = False
    wait: Annotated[bool, typer.Option("--wait", help="Wait without end, at first and after a loss.")] = False
    lsl_out: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Publish the cleaned ECG as stream NAME (of several: NAME-1, …), with NAME-events.",
        ),
    ] = None
    stream_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Its type. [default: ECG, or else ExG or EEG]")
    ] = None
    source_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Its source id, where names do not tell.")
    ] = None
    timeout: Annotated[float, typer.Option(metavar="S", help="How long to look for it without --wait.")] = (
        10.0
    )
    unit: Annotated[
        str | None,
        typer.Option(metavar="UNIT", help="Unit of its values: V, mV, uV, counts. [default: as it says]"),
    ] = None
    scale: Annotated[float | None, typer.Option(metavar="MV", help="mV of one count of its values.")] = None


@dataclass(frozen=True)
class RecordOptions:
    """What a run leaves."""

    PANEL: ClassVar = "Record"
    RARE: ClassVar = ("rotate", "save_format", "subject")

    save: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Record raw, cleaned and reference as WFDB here."),
    ] = None
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the summary here.")
    ] = None
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the run's end and delays; of several: FILE-1, …",
        ),
    ] = None
    rotate: Annotated[
        float | None,
        typer.Option(metavar="MIN", help="Minutes after which --save begins a new file. [default: never]"),
    ] = None
    save_format: Annotated[
        str,
        typer.Option(metavar="NAME", help="Copy what --save wrote, when the run ends, as edf or bdf."),
    ] = "wfdb"
    subject: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Who is recorded, for the headers of --save.")
    ] = None


@dataclass(frozen=True)
class ScreenOptions:
    """What is shown meanwhile."""

    PANEL: ClassVar = "Screen"
    RARE: ClassVar = ("size", "theme", "lanes", "range_mv")

    headless: Annotated[bool, typer.Option("--headless", help="No live view: a line every 5 s.")] = False
    screenshot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Save a picture of the window after --seconds, or 12, and end.",
        ),
    ] = None
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Size of the window: 1280x720.")] = None
    theme: Annotated[
        str | None, typer.Option(metavar="NAME", help="Colours of the window: dark, light (print).")
    ] = None
    lanes: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Where leads stand: auto, stacked, overlay, 3x4 (twelve leads)."),
    ] = None
    range_mv: Annotated[
        float,
        typer.Option(
            "--range", metavar="MV", help="Input range of the amplifier, ±mV, for the saturation alarm."
        ),
    ] = 5.0
