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
- *engine process, queue feeder* (of `multiprocessing.Queue`): blocks when the screen does not read;
  the queue is bounded and latest-only, so the main thread then drops the oldest frame.
- *parent*: reads frames when it likes, and waits for the outcome. Ctrl-C reaches the parent alone,
  which asks the engine to stop; what was read by then is still cleaned and recorded.

An error in the engine ends the run and is raised in the parent, where it asks for the next answer.
An engine that hangs raises nothing: `EngineProcess.hangs` tells, and its last status is no longer true.
"""

import contextlib
import multiprocessing
import queue
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any

from engine.run.ctrl_c import ctrl_c_waits, hangup_ignored
from engine.run.failure import EngineFailure
from engine.run.protocol import (
    Answer,
    CleanSettings,
    Command,
    Frame,
    Job,
    Outcome,
    Pause,
    Record,
    Refused,
    Started,
    StartedStream,
    Stop,
)
from engine.run.session import Session
from engine.run.to_screen import ToScreen
from streamer.errors import InputError
from streamer.noise import NoiseSettings

HANGS_S = 2.0
"""An engine that plays and tells a screen nothing for so long hangs."""
_QUEUED = 64


class EngineProcess:
    """Starts a job in a process of its own, and talks to it.

    Use in a ``with``: leaving it stops the engine and waits for its end.
    """

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self._control, control = context.Pipe()
        # Python's own helper process, which this starts, would die of a lost terminal and complain.
        with hangup_ignored():
            self._frames: Any = _queue(context)
        # When it was last heard of, by the monotonic clock; None while it need not tell anything.
        self._heard_s: float | None = None
        self._plays = False
        # A daemon is ended with its parent even where the parent dies in a hurry.
        self._process = context.Process(
            target=_engine_main,
            args=(job, control, self._frames),
            name="ecg-stream engine",
            daemon=True,
        )
        try:
            # Ctrl-C reaches the engine too, which cannot ignore it before its first line runs.
            with ctrl_c_waits():
                self._process.start()
                control.close()
        except KeyboardInterrupt:
            # Nobody gets this object, so nobody could close it.
            self._process.kill()
            self._process.join()
            raise

    def __enter__(self) -> "EngineProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the engine and wait for its end; one that hangs is ended by force."""
        self.stop()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._control.close()

    @property
    def pid(self) -> int | None:
        """Process id of the engine."""
        return self._process.pid

    def wait_started(self) -> Started:
        """Block until the engine plays; raises what kept it from playing."""
        answer = self._receive()
        if not isinstance(answer, Started):
            raise EngineFailure(f"the engine sent {type(answer).__name__} before it started")
        return answer

    def finished(self, timeout_s: float = 0.0) -> Outcome | None:
        """The outcome, once there is one; None before. Raises what ended the engine."""
        answer = self.heard(timeout_s)
        return answer if isinstance(answer, Outcome) else None

    def heard(self, timeout_s: float = 0.0) -> Answer | None:
        """The engine's next answer, if one comes in time. Raises what ended the engine."""
        return self._receive() if self._control.poll(timeout_s) else None

    def _receive(self) -> Answer:
        try:
            answer = self._control.recv()
        except EOFError:
            self._process.join()
            raise EngineFailure(
                f"the engine process ended without a word (exit code {self._process.exitcode})"
            ) from None
        if isinstance(answer, BaseException):
            raise answer
        known: Answer = answer
        self._plays = isinstance(known, Started)
        self._heard_s = time.monotonic() if self._plays else None
        return known

    @property
    def hangs(self) -> bool:
        """Whether it plays and has told nothing for `HANGS_S`; read `frames` to the end before asking.

        While it is paused, or has been told to stop, it need not tell anything.
        """
        return self._heard_s is not None and time.monotonic() - self._heard_s > HANGS_S

    def frames(self) -> Iterator[Frame]:
        """Everything that waits for the screen; returns when nothing does."""
        while True:
            try:
                bundle = self._frames.get_nowait()
            except queue.Empty:
                return
            if self._heard_s is not None:
                self._heard_s = time.monotonic()
            yield from bundle

    def stop(self) -> None:
        """Ask the engine to end its run; its outcome still comes."""
        self._plays, self._heard_s = False, None
        self._send(Stop())

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change the noise while it plays."""
        self._send(settings)

    def retune(self, wanted: CleanSettings) -> None:
        """Change network, backend, look-ahead or hop while it plays."""
        self._send(wanted)

    def pause(self, paused: bool) -> None:
        """Hold a played signal, or let it go on; a live one goes on."""
        if self._plays:
            self._heard_s = None if paused else time.monotonic()
        self._send(Pause(paused))

    def record(self, folder: Path | None) -> None:
        """Record into a folder from now on; None ends the recording."""
        self._send(Record(folder))

    def _send(self, command: Command) -> None:
        # A pipe that is closed means that the engine has ended; `finished` says how.
        with contextlib.suppress(OSError):
            self._control.send(command)


def _queue(context: SpawnContext) -> Any:
    """The way to the screen; its locks are files in shared memory."""
    try:
        return context.Queue(_QUEUED)
    except OSError as error:
        raise EngineFailure(
            f"the engine cannot be started: this system gives no shared memory ({error}); make /dev/shm "
            "there and writable (in a container: --shm-size, or --tmpfs /dev/shm)"
        ) from error


def _engine_main(job: Job, control: Connection, frames: Any) -> None:
    # Ctrl-C, SIGHUP and often SIGTERM reach every process of a group; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A screen that is gone must not keep the engine from ending.
    frames.cancel_join_thread()
    stopped, playing = threading.Event(), _Playing()
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, frame: stopped.set())
    threading.Thread(target=_obey, args=(control, playing, stopped), daemon=True).start()
    try:
        session = Session(job, stopped.is_set)
        screen = ToScreen(session, frames)
        playing.session, playing.screen = session, screen
        control.send(_started(session))
        control.send(session.run(stopped.is_set, screen, screen.idle))
    except (InputError, KeyboardInterrupt) as error:
        control.send(error)
    except OSError as error:
        control.send(EngineFailure(f"the engine stopped: {error}"))
    except Exception:  # noqa: BLE001 - the last line of a process: whatever it was, the parent must hear it
        control.send(EngineFailure(f"the engine failed:\n{traceback.format_exc()}"))


def _started(session: Session) -> Started:
    return Started(tuple(StartedStream(each.info, session.setup(each)) for each in session.streams))


@dataclass
class _Playing:
    """The session and its screen, once they are there: it can be told to stop before."""

    session: Session | None = None
    screen: ToScreen | None = None


def _obey(control: Connection, playing: _Playing, stopped: threading.Event) -> None:
    while not stopped.is_set():
        try:
            command: Command = control.recv()
        except (EOFError, OSError):
            # Nobody is left who could stop the run later.
            command = Stop()
        session, screen = playing.session, playing.screen
        if isinstance(command, Stop):
            stopped.set()
        if session is None or screen is None:
            continue
        try:
            if isinstance(command, Stop):
                # A held player would never ask whether it should stop.
                session.pause(False)
            elif isinstance(command, CleanSettings):
                session.retune(command)
            elif isinstance(command, Pause):
                session.pause(command.paused)
            elif isinstance(command, Record):
                session.record(command.folder)
            else:
                session.set_noise(command)
        except (InputError, OSError) as error:
            screen.put([Refused(str(error))])
