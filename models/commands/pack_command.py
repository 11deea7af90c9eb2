"""`ecg-stream pack`: what training reads, in one file."""

from pathlib import Path
from typing import Annotated

import typer

from streamer.console.options import DataDir
from streamer.console.output import check_writable, err, out


def pack(
    file: Annotated[Path, typer.Argument(help="File to write.")] = Path("track-f.pack"),
    data_dir: DataDir = None,
) -> None:
    """Put all that training on Track F reads into one file.

    A machine that has no records then trains with `ecg-stream train --pack`.
    """
    from models.training.pack import write_pack

    check_writable(file)
    with err.status("packing"):
        write_pack(file, data_dir)
    out.print(f"{file}: {file.stat().st_size / 1e6:.1f} MB", markup=False)
