"""Options of a system and how it runs, that several commands take.

What they name stands here in words, for a registry takes numpy to import, and `--help` shall come at
once; a test compares the two.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, TypedDict

import typer

from streamer.console.options import DataDir, numbers, words

DEFAULT_MODEL = "lowdelay"
CORES = os.cpu_count() or 1

Model = Annotated[
    str, typer.Option(metavar="NAME", help="Network or classical system; `ecg-stream models` lists them.")
]
BACKENDS_HELP = "auto (the fastest that works), onnx, torch, cuda, tensorrt"
Backend = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=f"Runtime: {BACKENDS_HELP}, cuda:fp16, cuda:inductor, tensorrt:fp16; `ecg-stream doctor` says "
        "which work here.",
    ),
]
Lookahead = Annotated[
    float | None,
    typer.Option(
        "--lookahead",
        metavar="MS",
        help="Signal that a sample waits for. [default: its own]",
        show_default=False,
    ),
]
Hop = Annotated[float, typer.Option(metavar="MS", help="New signal between two inferences.")]
Threads = Annotated[int, typer.Option(min=1, metavar="N", help="CPU threads of the runtime.")]
Models = Annotated[
    str | None,
    typer.Option("--models", metavar="NAMES", help="Comma-separated. [default: all that can run]"),
]
Noises = Annotated[str, typer.Option(metavar="NAMES", help="Noises, comma-separated.")]
Snrs = Annotated[str, typer.Option(metavar="DB,…", help="SNRs, comma-separated.")]
Lookaheads = Annotated[
    str,
    typer.Option(
        "--lookahead",
        metavar="MS,…",
        help="Look-aheads, comma-separated.",
    ),
]
Records = Annotated[
    str | None, typer.Option(metavar="NAMES", help="Records, comma-separated. [default: all of DS2]")
]
RecordStart = Annotated[float, typer.Option(metavar="S", help="Second of every record to begin at.")]
Jobs = Annotated[
    int,
    typer.Option(
        min=1, metavar="N", help="Processes at once. [default: as many as cores]", show_default=False
    ),
]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures here.")]


class Streamed(TypedDict):
    """What every evaluation that streams is told, by the names of its settings."""

    models: tuple[str, ...]
    lookaheads_ms: tuple[float, ...]
    hop_ms: float
    backend: str
    jobs: int
    data_dir: Path | None


@dataclass(frozen=True)
class Systems:
    """Which systems an evaluation streams, and how."""

    PANEL: ClassVar[str] = "Systems"

    model: Models = None
    lookahead: Lookaheads = "300"
    hop: Hop = 40.0
    backend: Backend = "auto"
    jobs: Jobs = CORES
    data_dir: DataDir = None

    @property
    def streamed(self) -> Streamed:
        """These options as an evaluation's settings take them."""
        return {
            "models": systems(self.model),
            "lookaheads_ms": tuple(numbers("lookahead", self.lookahead)),
            "hop_ms": self.hop,
            "backend": self.backend,
            "jobs": self.jobs,
            "data_dir": self.data_dir,
        }


def lookahead_ms(asked: float | None, model: str) -> float:
    """What was asked for, or what suits the network."""
    from models.registry import find_system

    return find_system(model).lookahead_ms if asked is None else asked


def systems(asked: str | None) -> tuple[str, ...]:
    """Those asked for, or every system that is shipped with its weights, or needs none."""
    from engine.choices import networks

    chosen = words(asked or "") or [name for name, reason in networks().items() if reason is None]
    return tuple(chosen)
