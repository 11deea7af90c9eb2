"""Options of a system and how it runs, that several commands take."""

import os
from typing import Annotated

import typer

from engine.backends import BACKENDS, OPTIONS
from engine.choices import networks
from models.registry import DEFAULT_NETWORK, find_system
from streamer.console.options import words

Model = Annotated[str, typer.Option(help="Network or classical system; `ecg-stream models` lists them.")]
Backend = Annotated[
    str,
    typer.Option(
        help=f"Runtime: {', '.join(BACKENDS)}, and with an option "
        f"{', '.join(f'{name}:{word}' for name, words in OPTIONS.items() for word in words)}. `auto` takes "
        "the fastest that works."
    ),
]
Lookahead = Annotated[
    float | None,
    typer.Option(
        "--lookahead",
        help="Milliseconds after a sample that are waited for. More is cleaner, later. [default: the "
        "network's own]",
        show_default=False,
    ),
]
Hop = Annotated[float, typer.Option(help="Milliseconds of new signal between two inferences.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads of the runtime.")]
Models = Annotated[str | None, typer.Option("--models", help="Comma-separated [default: all that can run].")]
Noises = Annotated[str, typer.Option(help="Noises, comma-separated.")]
Jobs = Annotated[int, typer.Option(min=1, help="Processes at once.")]
CORES = os.cpu_count() or 1
DEFAULT_MODEL = DEFAULT_NETWORK
"""For `gui`, which does not know `models`."""


def lookahead_ms(asked: float | None, model: str) -> float:
    """What was asked for, or what suits the network."""
    return find_system(model).lookahead_ms if asked is None else asked


def systems(asked: str | None) -> tuple[str, ...]:
    """Those asked for, or every system that is shipped with its weights, or needs none."""
    chosen = words(asked or "") or [name for name, reason in networks().items() if reason is None]
    return tuple(chosen)
