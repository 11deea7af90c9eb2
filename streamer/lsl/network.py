"""Find streams on the Lab Streaming Layer network, and the one that is meant.

The only module that imports pylsl; others get it from `load_pylsl`.
"""

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from streamer.errors import InputError, some
from streamer.plain import plain

PREFERRED_TYPES = ("ECG", "EKG")
ACCEPTED_TYPES = ("ExG", "EEG")
"""Types that amplifiers also give to an ECG; taken where there is no ECG, with a note."""
BASE_PORT = 16572
"""Where liblsl itself begins."""
PORTS = 200
"""An outlet takes two; liblsl's own 32 are soon used up."""

OWN_OUTPUT = "ecg-stream/cleaned/"
"""Prefix of the source ids of our own output, which is not to be cleaned again."""

SETTLE_S = 0.6  # streams of other processes take half a second to answer
POLL_S = 0.05
_QUIET = "[log]\nlevel = -2\n"  # liblsl writes its progress to stderr, across any terminal view


@cache
def load_pylsl() -> Any:
    """Module `pylsl`, quiet unless the user has an LSL configuration of their own.

    Raises
    ------
    InputError
        If it, or its library liblsl, is missing or cannot be loaded.
    """
    try:
        import pylsl
    except (ImportError, OSError, RuntimeError) as error:
        raise InputError(
            f"Lab Streaming Layer cannot be loaded ({error}); pip install --force-reinstall pylsl"
        ) from error
    places = [Path("lsl_api.cfg"), Path.home() / "lsl_api" / "lsl_api.cfg", Path("/etc/lsl_api/lsl_api.cfg")]
    if "LSLAPICFG" not in os.environ and not any(place.exists() for place in places):
        pylsl.set_config_content(_QUIET)
    return pylsl


def keep_to_this_machine(folder: Path, base_port: int = BASE_PORT) -> Path:
    """Have liblsl, here and in processes started from here, use this machine's loopback alone.

    For measurements and tests: nobody else sees these streams, and these see nobody else's. It must
    be called before anything else of LSL.

    Parameters
    ----------
    folder
        Where the configuration is written.
    base_port
        First of `PORTS` ports. Those who share them see nothing of each other either, but each must
        then look past the other's outlets.

    Returns
    -------
    Path
        The configuration.
    """
    config = folder / "lsl_api.cfg"
    config.write_text(
        "[multicast]\nResolveScope = machine\n"
        f"[lab]\nKnownPeers = {{127.0.0.1}}\nSessionID = ecg-stream-{uuid.uuid4()}\n"
        f"[ports]\nIPv6 = disable\nBasePort = {base_port}\nPortRange = {PORTS}\n[log]\nlevel = -3\n",
        encoding="ascii",
    )
    os.environ["LSLAPICFG"] = str(config)
    return config


@dataclass(frozen=True)
class LslStream:
    """A stream as the network announces it; `handle` is pylsl's own description of it."""

    name: str
    type: str
    fs: float
    channels: int
    source_id: str
    uid: str
    host: str
    is_text: bool
    handle: Any

    def is_same_source(self, other: "LslStream") -> bool:
        """Whether this is another outlet of the same source; without an id, name and host tell."""
        same = self.source_id == other.source_id and self.name == other.name and self.type == other.type
        return same and (bool(self.source_id) or self.host == other.host)

    def __str__(self) -> str:
        rate = f"{self.fs:g} Hz" if self.fs > 0 else "irregular rate"
        source = f"source id {plain(self.source_id)!r}" if self.source_id else "no source id"
        return f"{self.name!r} (type {self.type or 'none'}, {rate}, {source}, on {self.host})"


@dataclass(frozen=True)
class Wanted:
    """Which stream; None accepts any."""

    name: str | None = None
    type: str | None = None
    source_id: str | None = None

    def accepts(self, stream: LslStream) -> bool:
        """Whether a stream is one of those that are meant."""
        return (
            self.name in (None, stream.name)
            and (self.type is None or self.type.casefold() == stream.type.casefold())
            and self.source_id in (None, stream.source_id)
        )

    def __str__(self) -> str:
        asked = {"name": self.name, "type": self.type, "source id": self.source_id}
        said = [f"{what} {value!r}" for what, value in asked.items() if value is not None]
        return " and ".join(said) or f"type {PREFERRED_TYPES[0]}"


class Network:
    """Watches, in threads of liblsl, which streams there are. Asking never blocks."""

    def __init__(self) -> None:
        self._resolver = load_pylsl().ContinuousResolver(forget_after=3.0)

    def streams(self) -> list[LslStream]:
        """All that answered lately; a stream that died may stay for some seconds."""
        return [_announced(handle) for handle in self._resolver.results()]


def _announced(handle: Any) -> LslStream:
    return LslStream(
        plain(handle.name()) or "(no name)",
        plain(handle.type()),
        handle.nominal_srate(),
        handle.channel_count(),
        handle.source_id(),
        handle.uid(),
        plain(handle.hostname()),
        handle.channel_format() == load_pylsl().cf_string,
        handle,
    )


def look_around() -> list[LslStream]:
    """Every stream that answers within the usual time, by name."""
    network = Network()
    time.sleep(2 * SETTLE_S)
    return sorted(network.streams(), key=lambda stream: (stream.name, stream.source_id))


def find_stream(
    wanted: Wanted, timeout_s: float | None, stopped: Callable[[], bool] = lambda: False
) -> LslStream:
    """Find the one stream that is meant.

    Parameters
    ----------
    timeout_s
        How long to look; None looks until `stopped` says so.

    Raises
    ------
    InputError
        If there is none, with what there is instead, or more than one.
    KeyboardInterrupt
        If `stopped`.
    """
    network, search = Network(), Search(wanted)
    begun = time.monotonic()
    while True:
        if stopped():
            raise KeyboardInterrupt
        streams, now = network.streams(), time.monotonic()
        found = search.look(streams, now)
        if found:
            return found
        if not search.sees_one and timeout_s is not None and now - begun >= timeout_s:
            raise InputError(nothing_found(wanted, streams, timeout_s))
        time.sleep(POLL_S)


class Search:
    """The search for the one stream that is meant, among those that are there at any moment."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self._seen_s: float | None = None
        self.sees_one = False
        """Whether one was there when it last looked, be it known already that it is the one or not."""

    def look(self, streams: Sequence[LslStream], now_s: float) -> LslStream | None:
        """The stream, once it is sure which one it is.

        Raises
        ------
        InputError
            If more than one is meant.
        """
        found = best_match(self.wanted, streams)
        self.sees_one = bool(found)
        if not found:
            return None
        if self._seen_s is None:
            self._seen_s = now_s
        # Wait a moment: another stream of that name, or of a better type, may answer later.
        if now_s - self._seen_s < SETTLE_S:
            return None
        if len(found) == 1:
            return found[0]
        alike = len({(stream.name, stream.source_id) for stream in found}) == 1
        advice = "they cannot be told apart: end one" if alike else "choose by --stream-name or --source-id"
        known = some([str(stream) for stream in found])
        raise InputError(f"{len(found)} LSL streams have {self.wanted}: {known}; {advice}")


def best_match(wanted: Wanted, streams: Sequence[LslStream]) -> list[LslStream]:
    """Streams that are meant; where only leads can tell, ECG comes before ExG and EEG."""
    accepted = [stream for stream in streams if wanted.accepts(stream)]
    if wanted.type is not None or wanted.name is not None or wanted.source_id is not None:
        # A device's marker stream may share its name: prefer signals to text.
        return [stream for stream in accepted if not stream.is_text] or accepted
    for types in (PREFERRED_TYPES, ACCEPTED_TYPES):
        known = {kind.casefold() for kind in types}
        of_type = [stream for stream in accepted if stream.type.casefold() in known]
        if of_type:
            return of_type
    return []


def nothing_found(wanted: Wanted, streams: Sequence[LslStream], timeout_s: float) -> str:
    """What to say where a stream has not appeared in time."""
    there = some(sorted(map(str, streams))) or "no stream at all"
    return (
        f"no LSL stream with {wanted} within {timeout_s:g} s; on the network: {there}. "
        "Choose with --stream-name, --stream-type or --source-id, or wait for it with --wait"
    )


def full_info(inlet: Any, timeout_s: float = 2.0) -> Any:
    """Description with metadata, asked of the outlet itself; None if it does not answer."""
    pylsl = load_pylsl()
    with contextlib.suppress(pylsl.util.TimeoutError, pylsl.util.LostError):
        return inlet.info(timeout_s)
    return None
