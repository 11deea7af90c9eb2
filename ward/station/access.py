"""Who may look at the station: anybody on this machine, and elsewhere who has the token."""

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from streamer.errors import InputError

DEFAULT_PORT = 8080


@dataclass(frozen=True)
class Address:
    """Where the station listens.

    Parameters
    ----------
    token
        What a browser must give; empty where everybody who gets there may look: on loopback alone.
    """

    host: str
    port: int
    token: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine gets there."""
        return _is_loopback(self.host)

    @property
    def url(self) -> str:
        """What to open in a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/" + (f"#{self.token}" if self.token else "")


def parse_address(text: str, token: str | None) -> Address:
    """Understand ``PORT``, ``HOST:PORT`` or ``[HOST]:PORT``; without a host it is loopback.

    A token is made where other machines get there and none is given.

    Raises
    ------
    InputError
        If that is no address.
    """
    wrong = InputError(
        f"--serve {text!r} is no address; give a port (loopback), or HOST:PORT with a host of numbers: "
        f"{DEFAULT_PORT}, 127.0.0.1:{DEFAULT_PORT}, [::1]:{DEFAULT_PORT}"
    )
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise wrong
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if host != "localhost":
            raise wrong from None
    if token is not None and not (token.isascii() and token.isalnum() and len(token) >= 16):
        raise InputError("a token has 16 letters and digits or more; leave --token out, and one is made")
    if token is None:
        token = "" if _is_loopback(host) else secrets.token_hex(16)
    return Address(host, int(port), token)


def refusal(address: Address, headers: Mapping[str, str], given: str) -> str:
    """Why somebody may not look; empty where they may.

    Parameters
    ----------
    headers
        Of the request, names in lower case. A page of another site may not open our socket in the
        browser of somebody who may look; and where no token is asked for, no name but this machine's
        may lead here.
    given
        The token that was given.
    """
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        return "another site's page may not look at the beds"
    if not address.token:
        return "" if _is_loopback(host) else f"no token was set, and {host or 'no name'} is not this machine"
    return "" if secrets.compare_digest(given.encode(), address.token.encode()) else "the token is wrong"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
