"""A recording of one file or of several in turn, which a full disk ends without ending the run."""

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.ledger.position import Position
from engine.messages import Cleaned, Gap
from engine.sinks.recorder import Recorder, record_name
from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.watchdog import StreamState


class Recording:
    """One `Recorder` after the other; together they hold every sample once, and every gap in its length.

    When the disk takes no more, the recording ends with a `problem`, everything until then is on disk
    and opens, and what comes later is not taken.

    Parameters
    ----------
    folder, info, about
        As for `Recorder`.
    rotate_s
        Seconds of signal in a file; None begins no new one.

    Raises
    ------
    InputError
        If the folder cannot be written, or `rotate_s` is no length of time.
    """

    def __init__(
        self, folder: Path, info: StreamInfo, rotate_s: float | None = None, about: Sequence[str] = ()
    ) -> None:
        if rotate_s is not None and not 1 <= rotate_s < 1e7:
            raise InputError(
                f"a new file every {rotate_s / 60:g} minutes is not possible; allowed: a second or more"
            )
        self._folder, self._info, self._about = folder, info, about
        self._size = None if rotate_s is None else round(rotate_s * info.fs)
        self._name = record_name(info)
        self._state: StreamState | None = None
        self._clipped = self._frames = 0
        self._position = Position()
        self.problem = ""
        """Why the recording has ended before the run; empty while it goes on."""
        self.files = 1
        self._recorder = Recorder(folder, info, self._part_name(), about)
        self.path = self._recorder.path
        """The first record, without extension."""

    def _part_name(self) -> str:
        return self._name if self._size is None else f"{self._name}-part{self.files:04d}"

    @property
    def clipped(self) -> int:
        """Values that were beyond the format."""
        return self._clipped + self._recorder.clipped

    @property
    def unaccounted(self) -> int:
        """Frames that are lacking; 0 where every index has its frame, or the disk took no more."""
        return 0 if self.problem else self._position.unaccounted(self._frames + self._recorder.frames)

    def go_on(self, record: str, stop: int) -> None:
        """Continue a record that another process has left, and that holds every frame before `stop`."""
        self._position = Position.after(stop)
        self._note(lambda recorder: recorder.note("continues", record=record))

    def push(self, message: Cleaned | Gap) -> None:
        """Append, in two files or more where one ends within."""
        if self.problem:
            return
        gap = self._position.gap_before(message)
        if gap:
            # Left another engine, and did not reach the disk before that died.
            self.push(gap)
        if self._position.next is not None and message.start < self._position.next:
            # The screen heard less of it than the disk.
            if message.stop <= self._position.next:
                return
            message = _cut(message, self._position.next, message.stop)
        self._position.note(message)
        try:
            while (
                self._size is not None and self._recorder.frames + message.stop - message.start > self._size
            ):
                room = self._size - self._recorder.frames
                if room:
                    self._recorder.push(_cut(message, message.start, message.start + room))
                message = _cut(message, message.start + room, message.stop)
                self._begin_next()
            self._recorder.push(message)
        except (OSError, InputError) as error:
            self._give_up(error)

    def _begin_next(self) -> None:
        before = self._recorder
        before.close()
        self._clipped += before.clipped
        self._frames += before.frames
        self.files += 1
        self._recorder = Recorder(self._folder, self._info, self._part_name(), self._about)
        self._recorder.note("continues", record=before.path.name)
        if self._state is not None:
            self._recorder.note_state(self._state)

    def note_state(self, state: StreamState) -> None:
        """Write a new state of the source down."""
        self._state = state
        self._note(lambda recorder: recorder.note_state(state))

    def mark(self, sample: int, note: str) -> bool:
        """Write a person's mark down; False where its sample lies before the file that is being written."""
        if sample < self._recorder.first:
            return False
        self._note(lambda recorder: recorder.mark(sample, note))
        return not self.problem

    def note_step(self, step: str, why: str) -> None:
        """Write down that something else cleans from the sample that is next."""
        self._note(lambda recorder: recorder.note("step", step=step, why=why))

    def note_settings(self, about: Sequence[str]) -> None:
        """Write down the settings that hold from the sample that is next."""
        self._about = about
        self._note(lambda recorder: recorder.note("settings", about="; ".join(about)))

    def _note(self, write: Callable[[Recorder], None]) -> None:
        if self.problem:
            return
        try:
            write(self._recorder)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError | InputError) -> None:
        said = error.strerror if isinstance(error, OSError) else str(error)
        where = self._recorder.path
        self.problem = (
            f"the recording has ended, the rest is not recorded: {said}; what came before is in {where}.hea"
        )
        self._close()

    def close(self) -> None:
        """End the recording."""
        if not self.problem:
            self._close()

    def _close(self) -> None:
        try:
            self._recorder.close()
        except OSError as error:
            # The record opens without its final header.
            self.problem = self.problem or (
                f"the recording is complete, but its header and annotations are not: {error.strerror}"
            )


def _cut(message: Cleaned | Gap, start: int, stop: int) -> Cleaned | Gap:
    """The part of a message that lies on samples start … stop-1."""
    if isinstance(message, Gap):
        return Gap(message.stream, start, stop)
    first, last = start - message.start, stop - message.start
    return Cleaned(
        message.stream,
        start,
        message.raw[:, first:last],
        message.cleaned[:, first:last],
        message.mean_square[:, first:last],
        None if message.reference is None else message.reference[:, first:last],
        message.marks[:, first:last],
        message.source_time[first:last],
        tuple(mark for mark in message.annotations if start <= mark.sample < stop),
        reasons=None if message.reasons is None else message.reasons[:, first:last],
    )
