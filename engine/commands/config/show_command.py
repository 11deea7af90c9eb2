"""``ecg-stream config show``: every option of playing, its value, and where that comes from."""

from typing import Any

import typer

from streamer.console.config_file import PREFIX
from streamer.console.output import out


def show(context: typer.Context) -> None:
    """Show what a run with the same options would take, and from where.

    Options of playing may follow: `ecg-stream config show --hop 100`.
    """
    from rich.markup import escape
    from rich.table import Table

    # The front door hands over its own parser.
    playing = typer.main.get_command(context.obj).make_context("ecg-stream", list(context.args))
    table = Table("option", "value", "from")
    for each in playing.command.params:
        name = each.name or ""
        if name not in ("help", "help_all", "version", "config_file"):
            value = playing.params[name]
            shown = "" if value is None else str(value)
            table.add_row(name.replace("_", "-"), escape(shown), escape(_origin(playing, name)))
    out.print(table)


def _origin(playing: Any, name: str) -> str:
    origin = playing.get_parameter_source(name)
    if origin is None or origin.name == "DEFAULT":
        return "default"
    said = {
        "COMMANDLINE": "command line",
        "ENVIRONMENT": f"environment {PREFIX}_{name.upper()}",
        "DEFAULT_MAP": f"file {playing.obj}",
    }
    return said[origin.name]
