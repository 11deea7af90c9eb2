"""`ecg-stream station`: the page of a ward of several machines."""

from typing import Annotated

import typer

from streamer.console.output import say


def station(
    nats: Annotated[str, typer.Option(metavar="URL", help="The broker: nats://HOST:PORT.")],
    serve: Annotated[
        str,
        typer.Option(metavar="[HOST:]PORT", help="Where the page is; without HOST on this machine alone."),
    ] = "8080",
    token: Annotated[
        str | None,
        typer.Option(help="What a browser must give. [default: made where others get to HOST]"),
    ] = None,
) -> None:
    """Show all beds of a ward of several machines in a browser.

    It reads what the workers clean, and says which of them has gone and who took its beds over. Any
    number may watch a ward; the workers do not notice.

    Examples
    --------
    - `ecg-stream station --nats nats://127.0.0.1:4222`: seen at http://127.0.0.1:8080
    """
    from ward.beds import Beds
    from ward.commands.serving import station_of
    from ward.log.watch import Watch

    watch = Watch(Beds())
    with station_of(watch.beds, lambda: watch.ready, serve, token) as shown:
        say(f"the beds are at {shown.address.url}")
        watch.run(nats, say)
