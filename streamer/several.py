"""Several streams in one run: their settings from what the user names, and opening them together."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import replace

from streamer.errors import InputError
from streamer.lsl.network import OWN_OUTPUT, Wanted, best_match, look_around
from streamer.open_source import check_source, is_played, never, open_source
from streamer.settings import SourceSettings
from streamer.source import Source
from streamer.source_kind import Stopped

MOST = 64
"""Streams in one run."""


def _name_list(option: str, text: str) -> tuple[str, ...]:
    """Names, comma-separated, each once.

    Raises
    ------
    InputError
        If one is empty or named twice.
    """
    names = tuple(name.strip() for name in text.split(","))
    twice = sorted({name for name in names if names.count(name) > 1})
    if "" in names:
        raise InputError(f"{option} {text!r} has an empty name; give names with a comma between them")
    if twice:
        raise InputError(f"{option} names {', '.join(twice)} twice; a stream can play once in a run")
    return names


def side_by_side(
    base: SourceSettings,
    records: str | None = None,
    stream_names: str | None = None,
    patients: int = 1,
    *,
    every_stream: bool = False,
) -> tuple[SourceSettings, ...]:
    """Settings of each stream that is to play.

    Parameters
    ----------
    base
        What all have in common.
    records, stream_names
        Names, comma-separated; None is the default record, and whatever `base` says of a stream.
    patients
        How many synthetic patients; their seeds begin with that of `base`.
    every_stream
        Take all ECG streams that are on the network now.

    Raises
    ------
    InputError
        If the options contradict each other, or there is no such stream.
    """
    check_source(base)
    if patients > 1 and base.kind != "synthetic":
        raise InputError(f"--patients makes synthetic patients; it cannot go with a source of {base.kind}")
    if every_stream:
        if stream_names or base.lsl.source_id or base.kind != "lsl":
            raise InputError("--all-streams takes every ECG stream; leave --stream-name and the like out")
        return ecg_streams(base)
    if base.kind == "lsl" and stream_names:
        names = _name_list("--stream-name", stream_names)
        if len(names) > 1 and base.lsl.source_id:
            raise InputError("--source-id tells one stream; give it with one --stream-name")
        return tuple(replace(base, lsl=replace(base.lsl, stream_name=name)) for name in names)
    if base.kind == "replay" and records is not None:
        return tuple(replace(base, record=name) for name in _name_list("--record", records))
    return tuple(replace(base, seed=base.seed + number) for number in range(patients))


def ecg_streams(base: SourceSettings) -> tuple[SourceSettings, ...]:
    """Every live ECG that is on the network now and is of the type that `base` names, if any."""
    there = look_around()
    found = best_match(Wanted(type=base.lsl.stream_type), there)
    found = [stream for stream in found if stream.fs > 0 and not stream.source_id.startswith(OWN_OUTPUT)]
    if not found:
        known = "; ".join(map(str, there)) or "no stream at all"
        raise InputError(f"--all-streams finds no ECG on the network; there is: {known}")
    return tuple(
        replace(
            base,
            lsl=replace(
                base.lsl,
                stream_name=stream.name,
                stream_type=stream.type or None,
                source_id=stream.source_id or None,
            ),
        )
        for stream in found
    )


def open_sources(wanted: Sequence[SourceSettings], stopped: Stopped = never) -> list[Source]:
    """Open sources that are to play beside each other; see `streamer.open_source.open_source`.

    Live streams are looked for at the same time; the first that cannot be had ends the search for
    the others.

    Raises
    ------
    InputError
        If one cannot be played, two are the same, or some play as fast as possible beside others that cannot.
    """
    if len(wanted) == 1:
        return [open_source(wanted[0], stopped)]
    if len(wanted) > MOST:
        raise InputError(f"{len(wanted)} streams are too many for one run; allowed: up to {MOST}")
    failed = threading.Event()
    reading = threading.Lock()

    def open_one(settings: SourceSettings) -> Source:
        # Records share the noise tapes: opened one after the other, only the first reads or fetches them.
        with reading if is_played(settings) else nullcontext():
            return open_source(settings, lambda: stopped() or failed.is_set())

    def look(done: Future[Source]) -> None:
        if done.exception():
            failed.set()

    with ThreadPoolExecutor(len(wanted), "opening") as threads:
        opening = [threads.submit(open_one, settings) for settings in wanted]
        for each in opening:
            each.add_done_callback(look)
        for each in as_completed(opening):
            each.result()
    sources = [each.result() for each in opening]
    _check(sources)
    return sources


def _check(sources: Sequence[Source]) -> None:
    names = {source.info.source_id: source.info.name for source in sources}
    for source_id, name in names.items():
        if sum(source.info.source_id == source_id for source in sources) > 1:
            raise InputError(f"{name} is named twice; a stream can play once in a run")
    if len({source.speed == 0 for source in sources}) > 1:
        raise InputError(
            "--speed 0 plays as fast as possible, which a live stream cannot; leave it out, or the stream"
        )
