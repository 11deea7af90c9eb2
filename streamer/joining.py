"""Live streams that join a run as they appear: none stops or delays another."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Generic, TypeVar

from streamer.errors import InputError
from streamer.lsl.inlet import NoAnswer
from streamer.lsl.network import (
    OWN_OUTPUT,
    POLL_S,
    SETTLE_S,
    LslStream,
    Network,
    Search,
    Wanted,
    best_match,
    nothing_found,
)
from streamer.lsl.source import LslSource
from streamer.open_source import check_source, open_source, with_faults
from streamer.partition import worker_of
from streamer.settings import SourceSettings
from streamer.several import MOST, Absent, name_of
from streamer.source import Source
from streamer.source_kind import Stopped

GRACE_S = 2.0
"""A run that could begin waits so long for streams that have been found, and are about to be open."""
_LOOK_S = 0.1

Made = TypeVar("Made")


class Joining(Generic[Made]):
    """Looks for streams, and opens each on a thread of its own.

    The network is looked at from one place however many streams are meant: 64 that look would ask for
    64 answers of 64 outlets.

    Parameters
    ----------
    wanted
        What was asked for. A source that is no stream of the Lab Streaming Layer is opened at once.
    make
        What is made of a source, on the thread that opened it, from the number of the stream (1 is the
        first), its settings, and the source. Raises `InputError` where it cannot play in this run.
    taken
        Numbers up to this one are of others, where every ECG stream is taken.
    """

    def __init__(
        self,
        wanted: Sequence[SourceSettings],
        make: Callable[[int, SourceSettings, Source], Made],
        taken: int = 0,
    ) -> None:
        self._make = make
        self._every = next((settings for settings in wanted if settings.lsl.every), None)
        self._seconds = any(settings.seconds is not None for settings in wanted)
        self._searches = {
            number: (settings, _search(settings))
            for number, settings in enumerate(wanted, 1)
            if settings.kind == "lsl" and not settings.lsl.every
        }
        self._numbers = max(taken, len(wanted) - 1)
        self._taken: dict[str, LslStream] = {}
        self._refused: set[str] = set()
        self._first_seen: dict[str, float] = {}
        self._arrived: queue.SimpleQueue[tuple[int, Made] | Absent] = queue.SimpleQueue()
        self._closed = threading.Event()
        # The threads that open count, the one that cleans asks.
        self._counting = threading.Lock()
        self._opening = 0
        self._threads = ThreadPoolExecutor(MOST, "opening")
        self._begun = time.monotonic()
        for number, settings in enumerate(wanted, 1):
            if settings.kind != "lsl":
                self._open(number, settings, None)
        self._looking = threading.Thread(target=self._look, name="looking", daemon=True)
        if self._searches or self._every:
            self._looking.start()

    # asked by the run

    def begin(self, stopped: Stopped) -> tuple[list[Made], list[Absent]]:
        """Wait for the streams that the run begins with; none where none can come.

        Raises
        ------
        KeyboardInterrupt
            If `stopped` before there was one.
        """
        made: list[tuple[int, Made]] = []
        absent: list[Absent] = []
        enough = float("inf")
        while True:
            if stopped():
                self.close()
                raise KeyboardInterrupt
            waits = self._may_begin_with_more
            try:
                each = self._arrived.get(timeout=POLL_S)
            except queue.Empty:
                if (made and not self._opening) or time.monotonic() >= enough or not waits:
                    break
                continue
            if isinstance(each, Absent):
                absent.append(each)
            else:
                enough = min(enough, time.monotonic() + GRACE_S)
                made.append(each)
        return [one for _, one in sorted(made, key=lambda numbered: numbered[0])], absent

    def arrived(self) -> list[Made | Absent]:
        """What has been opened since it was last asked, and what will not come; never waits."""
        found: list[Made | Absent] = []
        while True:
            try:
                each = self._arrived.get_nowait()
            except queue.Empty:
                return found
            found.append(each if isinstance(each, Absent) else each[1])

    @property
    def holds_run(self) -> bool:
        """Whether a run whose streams have all ended goes on, because another one may come.

        Every ECG stream holds it only with ``wait``; nothing holds one that plays for some seconds.
        """
        if self._opening or not self._arrived.empty():
            return True
        if self._seconds:
            return False
        return bool(self._searches) or (self._every is not None and self._every.lsl.wait)

    @property
    def _may_begin_with_more(self) -> bool:
        in_time = self._every and (
            self._every.lsl.wait or time.monotonic() - self._begun < self._every.lsl.timeout
        )
        return bool(self._opening or self._searches or in_time) or not self._arrived.empty()

    @property
    def awaited(self) -> list[str]:
        """Names of the streams that are still looked for, of those that were named."""
        return [name_of(settings) for settings, _ in list(self._searches.values())]

    def close(self) -> list[Absent]:
        """Look no longer; returns what was asked for and had not appeared."""
        self._closed.set()
        if self._looking.is_alive():
            self._looking.join()
        self._threads.shutdown()
        missed = [each for each in self.arrived() if isinstance(each, Absent)]
        return missed + [Absent(name, "it did not appear before the run ended") for name in self.awaited]

    # the thread that looks

    def _look(self) -> None:
        network = Network()
        while not self._closed.wait(_LOOK_S):
            if not (self._searches or self._every):
                # All are open, or about to be; one that does not answer is looked for again.
                continue
            streams, now = network.streams(), time.monotonic()
            for number in list(self._searches):
                self._look_for(number, streams, now)
            if self._every:
                self._look_for_every(self._every, streams, now)

    def _look_for(self, number: int, streams: Sequence[LslStream], now: float) -> None:
        settings, search = self._searches[number]
        try:
            found = search.look(streams, now)
        except InputError as error:
            self._give_up(number, str(error))
            return
        if found:
            self._taken[found.uid] = found
            self._open(number, settings, found)
        elif not search.sees_one and not settings.lsl.wait and now - self._begun >= settings.lsl.timeout:
            self._give_up(number, nothing_found(search.wanted, streams, settings.lsl.timeout))

    def _give_up(self, number: int, why: str) -> None:
        settings, _ = self._searches[number]
        self._arrived.put(Absent(name_of(settings), why))
        del self._searches[number]

    def _look_for_every(self, base: SourceSettings, streams: Sequence[LslStream], now: float) -> None:
        for stream in best_match(Wanted(type=base.lsl.stream_type), streams):
            if not stream.fs > 0 or stream.source_id.startswith(OWN_OUTPUT):
                continue
            ours, workers = base.lsl.share
            if worker_of(f"{stream.name}/{stream.source_id}", workers) != ours:
                continue
            # The outlet that a lost stream comes back with is that stream's own.
            if any(stream.is_same_source(one) for one in list(self._taken.values())):
                continue
            if any(search.wanted.accepts(stream) for _, search in list(self._searches.values())):
                continue
            if stream.uid in self._refused:
                continue
            # An ECG that answers later comes before an EEG, which then is none.
            if now - self._first_seen.setdefault(stream.uid, now) < SETTLE_S:
                continue
            if self._numbers == MOST:
                self._refused.add(stream.uid)
                self._arrived.put(Absent(stream.name, f"{MOST} streams play already, and no more can"))
                continue
            self._taken[stream.uid] = stream
            self._numbers += 1
            self._open(self._numbers, _settings_of(stream, base), stream)

    # the threads that open

    def _open(self, number: int, settings: SourceSettings, stream: LslStream | None) -> None:
        with self._counting:
            self._opening += 1
        self._searches.pop(number, None)
        self._threads.submit(self._make_one, number, settings, stream)

    def _make_one(self, number: int, settings: SourceSettings, stream: LslStream | None) -> None:
        stopped = self._closed.is_set
        try:
            check_source(settings)
            if stream is None:
                source = open_source(settings, stopped)
            else:
                live = LslSource(settings.lsl, settings.leads, settings.seconds, stopped, stream)
                source = with_faults(live, settings)
            self._arrived.put((number, self._make(number, settings, source)))
        except NoAnswer as error:
            self._try_again(number, settings, stream, str(error))
        except KeyboardInterrupt:
            pass
        except Exception as error:  # noqa: BLE001 - of this stream alone; the others go on, and a person is told
            if stream:
                # Another outlet of that source may be a better one.
                self._refused.add(stream.uid)
                self._taken.pop(stream.uid, None)
            why = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            self._arrived.put(Absent(name_of(settings), why))
        finally:
            with self._counting:
                self._opening -= 1

    def _try_again(self, number: int, settings: SourceSettings, stream: LslStream | None, why: str) -> None:
        """Look once more for a stream that was there and said nothing."""
        if self._every and stream:
            # With a new number, if it is still there.
            self._first_seen.pop(stream.uid, None)
            self._taken.pop(stream.uid, None)
        elif settings.lsl.wait and not self._closed.is_set():
            self._searches[number] = (settings, _search(settings))
        else:
            self._arrived.put(Absent(name_of(settings), why))


def _search(settings: SourceSettings) -> Search:
    lsl = settings.lsl
    return Search(Wanted(lsl.stream_name, lsl.stream_type, lsl.source_id))


def _settings_of(stream: LslStream, base: SourceSettings) -> SourceSettings:
    """Settings of one of every ECG stream; it is waited for whenever it is lost."""
    return replace(
        base,
        lsl=replace(
            base.lsl,
            every=False,
            wait=True,
            stream_name=stream.name,
            stream_type=stream.type or None,
            source_id=stream.source_id or None,
        ),
    )
