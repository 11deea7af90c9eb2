"""`ecg-stream profile files`: what cleaning files costs, on one process and on several."""

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from engine.commands.options import DEFAULT_MODEL, JsonFile, Model
from streamer.console.output import check_writable, out, progress, say, write_json


def files(
    files: Annotated[list[str], typer.Argument(help="Files, WFDB records, folders, patterns.")],
    jobs: Annotated[int, typer.Option(help="Processes to compare with one.", min=1)] = 2,
    model: Model = DEFAULT_MODEL,
    play: Annotated[
        float, typer.Option(metavar="S", help="Signal of each file that is played too.", min=0)
    ] = 300.0,
    json_file: JsonFile = None,
) -> None:
    """Time `clean` on one process and on several, beside playing the same files at `--speed 0`."""
    check_writable(json_file)
    from engine.lab.profile.files import profile_files

    with progress(threaded=False) as show:
        figures = profile_files(files, jobs, model, play, lambda what: show(what, 0, 1))
    table = Table("way", "jobs", "h of leads", "wall, s", "CPU, s", "s of leads a s of CPU", box=SIMPLE_HEAD)
    for way in figures["ways"]:
        rate = way["leads_s"] / way["cpu_s"]
        numbers = (
            f"{way['leads_s'] / 3600:.2f}",
            f"{way['wall_s']:.1f}",
            f"{way['cpu_s']:.1f}",
            f"{rate:.0f}",
        )
        table.add_row(way["way"], str(way["jobs"]), *numbers)
    out.print(table)
    say(f"at most {figures['memory_mb']:.0f} MB while one process cleaned", out)
    write_json(figures, json_file)
