"""What runs in the engine's process: a session, and a thread that obeys the parent."""

import logging
import signal
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection

from engine.run.commands import Command, Pause, Record, Stop, UserMark
from engine.run.failure import EngineFailure
from engine.run.protocol import CleanSettings, Job, Refused, Started
from engine.run.session import Session
from engine.run.to_screen import ToScreen
from engine.run.words import Sender
from streamer.errors import InputError


def engine_main(job: Job, commands: Connection, words: Connection) -> None:
    """Play a job, and tell `words` what comes of it.

    Parameters
    ----------
    commands, words
        Pipes from the parent and to it.
    """
    # Ctrl-C, SIGHUP and often SIGTERM reach every process of a group; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not job.logs:
        logging.disable()
    sender = Sender(words)
    stopped, playing = threading.Event(), _Playing()
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, frame: stopped.set())
    threading.Thread(target=_obey, args=(commands, playing, stopped, sender), daemon=True).start()
    try:
        session = Session(job, stopped.is_set)
        screen = ToScreen(session, sender)
        playing.session = session
        sender.tell(_started(session))
        sender.tell(session.run(stopped.is_set, screen, screen.idle, sender.post))
    except (InputError, EngineFailure, KeyboardInterrupt) as error:
        sender.tell(error)
    except OSError as error:
        sender.tell(EngineFailure(f"the engine stopped: {error}"))
    except Exception:  # noqa: BLE001 - the last line of a process: whatever it was, the parent must hear it
        sender.tell(EngineFailure(f"the engine failed:\n{traceback.format_exc()}"))


def _started(session: Session) -> Started:
    return Started(tuple(map(session.started, session.streams)), session.awaited)


@dataclass
class _Playing:
    """The session, once it is there: it can be told to stop before."""

    session: Session | None = None


def _obey(commands: Connection, playing: _Playing, stopped: threading.Event, sender: Sender) -> None:
    while not stopped.is_set():
        try:
            command: Command = commands.recv()
        except (EOFError, OSError):
            # Nobody is left who could stop the run later.
            command = Stop()
        session = playing.session
        if isinstance(command, Stop):
            stopped.set()
        if session is None:
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
                session.record(command.folder, sender.tell)
            elif isinstance(command, UserMark):
                session.mark(command)
            else:
                session.set_noise(command)
        except (InputError, OSError) as error:
            sender.put([Refused(str(error))])
