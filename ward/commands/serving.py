"""The station that a command serves."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from streamer.console.installed import how_to_install
from streamer.console.output import say
from streamer.errors import InputError

if TYPE_CHECKING:
    from ward.beds import Beds
    from ward.station.server import Station


def station_of(beds: "Beds", ready: Callable[[], bool], serve: str, token: str | None) -> "Station":
    """The station of a ward; see `ward.station.access.parse_address` for `serve` and `token`.

    Raises
    ------
    InputError
        If its libraries are not there, or it cannot listen.
    """
    from ward.station.access import parse_address

    address = parse_address(serve, token)
    try:
        from ward.station.server import Station
    except ImportError as error:
        raise InputError(
            f"--serve needs {error.name}, which is not installed; install it: {how_to_install('ward')}"
        ) from error
    if not address.is_loopback:
        say(
            "note: the beds are sent unencrypted to whoever has the token; put a proxy with TLS before it "
            "(docs/ward.md)"
        )
    return Station(beds, address, ready)
