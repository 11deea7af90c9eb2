"""What a hop costs for several numbers of streams, one profile after the other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from engine.lab.profile.hops import ALL, MOST_STREAMS, ProfileSettings, Show, profile
from streamer.errors import InputError


def check_several(settings: ProfileSettings, counts: Sequence[int]) -> None:
    """Raise InputError for what no table is made of."""
    if settings.backend == ALL:
        raise InputError("several numbers of streams are timed on one backend: name it with --backend")
    if not counts or not all(1 <= count <= MOST_STREAMS for count in counts):
        raise InputError(f"numbers of streams must be 1 to {MOST_STREAMS}, got {list(counts)}")


def profile_several(
    settings: ProfileSettings, counts: Sequence[int], show: Show = lambda what, done, total: None
) -> dict[str, Any]:
    """Profile one backend with each number of streams; as many hops of all of them each time.

    Raises
    ------
    InputError
        As `engine.lab.profile.hops.profile`, or as `check_several`.
    """
    check_several(settings, counts)
    runs = []
    for count in counts:

        def show_count(what: str, done: int, total: int, count: int = count) -> None:
            show(f"{count} streams, {what}", done, total)

        runs.append(profile(replace(settings, streams=count), show_count).figures)
    return {"runs": runs}
