"""The engine in a process of its own, so that no screen can slow it and no crash in it takes one down.

Concurrent activities, what each may block on, and what happens then:

- *engine process, main thread*: pulls the source, cleans, feeds recorder and figures. Blocks only
  on the source (waiting for its next chunk is its pace) and on the disk. Never on the screen.
- *engine process, a thread for each source* (where several play at real speed): pulls it, and hands
  its chunks to the main thread. Blocks on its source, and on the main thread where that does not
  keep up; never on another source.
- *engine process, control thread*: blocks on the control pipe. It hands over commands, and stops
  the run when the pipe closes, so that an engine never outlives the process that started it.
- *engine process, threads of liblsl* (with a live source or an LSL outlet): fill the inlet's buffer
  of a few seconds and send what the outlet was given. What overflows them is found as a gap.
- *engine process, a thread that sends* (`engine.run.words`): blocks when the parent does not read; what
  goes to the screen is latest-only, so that the oldest frame is then dropped.
- *parent, two threads*: one blocks on what the engine sends, one on what the engine does not take. An engine
  that was stopped or killed in the middle of a word holds up nothing else.
- *parent*: reads frames when it likes, and waits for the outcome. Ctrl-C reaches the parent alone,
  which asks the engine to stop; what was read by then is still cleaned and recorded.

An error in the engine ends the run and is raised in the parent, where it asks for the next answer.
So is that it died, with what is known of the run up to its last status. An engine that hangs raises
nothing while it plays: `EngineProcess.hangs` tells, and its last status is no longer true. One that hangs
when it is told to stop is ended, and counts as died.
"""

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path

from engine.run.commands import Pause, Record, Stop, UserMark
from engine.run.ctrl_c import ctrl_c_waits, hangup_ignored
from engine.run.engine_main import engine_main
from engine.run.failure import EngineFailure
from engine.run.known import Known
from engine.run.protocol import (
    Answer,
    CleanSettings,
    Frame,
    Job,
    Joined,
    Outcome,
    RecordBegun,
    Started,
    Told,
)
from engine.run.words import LOOK_S, Receiver, Sender, Silence
from streamer.noise import NoiseSettings

HANGS_S = 2.0
"""An engine that plays and tells a screen nothing for so long hangs."""
SILENT_S = 2.0
"""So does one that is held, or told to stop, and does not say for so long that it is there."""
STARTS_S = 10.0
"""One that is told to stop before it plays may take so long to say that it is there."""
_BUNDLES = 64


class EngineProcess:
    """Starts a job in a process of its own, and talks to it.

    Use in a ``with``: leaving it stops the engine and waits for its end. For one thread.
    """

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        words, engine_words = context.Pipe(duplex=False)
        engine_commands, commands = context.Pipe(duplex=False)
        if os.name == "posix":
            # Python's own helper process would die of a lost terminal and complain.
            with hangup_ignored():
                resource_tracker.ensure_running()
        # A daemon is ended with its parent even where the parent dies in a hurry.
        self._process = context.Process(
            target=engine_main,
            args=(job, engine_commands, engine_words),
            name="ecg-stream engine",
            daemon=True,
        )
        try:
            # Ctrl-C reaches the engine too, which cannot ignore it before its first line runs.
            with ctrl_c_waits():
                self._process.start()
                # Who holds them too would never hear that the engine has ended.
                engine_commands.close()
                engine_words.close()
        except KeyboardInterrupt:
            # Nobody gets this object, so nobody could close it.
            self.kill()
            raise
        self._words, self._commands = Receiver(words), Sender(commands, alive=False)
        self._answers: deque[Answer | BaseException] = deque()
        self._bundles: deque[list[Frame]] = deque(maxlen=_BUNDLES)
        self.known = Known(job)
        self._playing = self._held = self._stopping = self._hung = False
        # Whether nothing more can come, and whether nothing more is waited for.
        self._gone = self._ended = False
        # Since it last sent a frame, and since it last sent anything.
        self._no_frame, self._no_word = Silence(), Silence()

    def __enter__(self) -> "EngineProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the engine and wait for its end; one that hangs is ended by force."""
        self.stop()
        ends = time.monotonic() + 10
        while self._process.is_alive() and not self._silent and time.monotonic() < ends:
            self._process.join(0.1)
            self._sort()
        self.kill()
        self._words.close()
        self._commands.close()

    def kill(self) -> None:
        """End the engine at once; what it has sent can still be read."""
        self._process.kill()
        self._process.join()

    @property
    def pid(self) -> int | None:
        """Process id of the engine."""
        return self._process.pid

    def wait_started(self) -> Started:
        """Block until the engine plays; raises what kept it from playing."""
        answer = self._answer(None)
        if not isinstance(answer, Started):
            raise EngineFailure(f"the engine sent {type(answer).__name__} before it started")
        return answer

    def finished(self, timeout_s: float = 0.0) -> Outcome | None:
        """The outcome, once there is one; None before. Raises what ended the engine."""
        answer = self.heard(timeout_s)
        return answer if isinstance(answer, Outcome) else None

    def heard(self, timeout_s: float = 0.0) -> Answer | None:
        """The engine's next answer, if one comes in time. Raises what ended the engine."""
        return self._answer(timeout_s)

    def _answer(self, timeout_s: float | None) -> Answer | None:
        ends = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = LOOK_S if ends is None else ends - time.monotonic()
            self._sort(0.0 if self._answers else min(max(left_s, 0.0), LOOK_S))
            if self._answers:
                return self._take(self._answers.popleft())
            if self._gone:
                self._process.join()
                raise self.failure(
                    f"the engine process ended without a word (exit code {self._process.exitcode})"
                )
            if self._silent:
                raise self.failure("the engine did not answer any more and was ended")
            if ends is not None and left_s <= 0:
                return None

    def _take(self, answer: Answer | BaseException) -> Answer:
        if isinstance(answer, EngineFailure):
            raise self.failure(str(answer))
        if isinstance(answer, BaseException):
            raise answer
        if not isinstance(answer, Joined | Told):
            self._playing, self._ended = isinstance(answer, Started), isinstance(answer, Outcome)
        self._no_frame.broken()
        return answer

    def failure(self, reason: str) -> EngineFailure:
        """End the engine at once, if it has not ended; what to raise then."""
        # What is known includes what is on disk, into which nobody may write then.
        self.kill()
        self._playing, self._ended = False, True
        return EngineFailure(reason, self.known.outcome(reason))

    def _sort(self, timeout_s: float = 0.0) -> None:
        """Take what has come: frames for the screen, and answers."""
        try:
            words = self._words.take(timeout_s)
        except EOFError:
            self._gone = True
            return
        if words:
            self._no_word.broken()
        for word in words:
            if isinstance(word, list):
                self._no_frame.broken()
                self.known.take(word)
                self._bundles.append(word)
            elif isinstance(word, RecordBegun):
                self.known.records(word)
            elif word is not None:
                # Noted here: the frames of what begins to play come behind it.
                if isinstance(word, Started | Joined):
                    self.known.plays(word.streams if isinstance(word, Started) else (word.stream,))
                self._answers.append(word)

    @property
    def hangs(self) -> bool:
        """Whether it plays and has told nothing for `HANGS_S`.

        While it is held it need only say that it is there; of one that was told to stop, `heard` tells.
        """
        if not self._playing or self._stopping:
            return False
        self._sort()
        return self._no_word.seconds > SILENT_S if self._held else self._no_frame.seconds > HANGS_S

    @property
    def _silent(self) -> bool:
        """Whether it was told to stop, and says nothing."""
        if not self._stopping or self._gone or self._ended:
            return False
        # One that already hung then has had its time; one that starts imports for seconds at a stretch.
        return self._hung or self._no_word.seconds > (SILENT_S if self._playing else STARTS_S)

    def frames(self) -> Iterator[Frame]:
        """Everything that waits for the screen; returns when nothing does."""
        self._sort()
        while self._bundles:
            yield from self._bundles.popleft()

    def stop(self) -> None:
        """Ask the engine to end its run; its outcome still comes."""
        if not self._stopping:
            self._hung, self._stopping = self.hangs, True
            self._no_word.broken()
        self._commands.post(Stop())

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change the noise while it plays."""
        self._commands.post(settings)

    def retune(self, wanted: CleanSettings) -> None:
        """Change network, backend, look-ahead or hop while it plays."""
        self._commands.post(wanted)

    def pause(self, paused: bool) -> None:
        """Hold a played signal, or let it go on; a live one goes on."""
        self._held = paused
        self._no_frame.broken()
        self._no_word.broken()
        self._commands.post(Pause(paused))

    def record(self, folder: Path | None) -> None:
        """Record into a folder from now on; None ends the recording."""
        self._commands.post(Record(folder))

    def mark(self, mark: UserMark) -> None:
        """Have a person's mark recorded and published."""
        self._commands.post(mark)
