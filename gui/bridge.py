"""The only crossing between engine and screen.

The screen asks when it likes; nothing here blocks it, and nothing here can slow the engine.
"""

from enum import Enum
from pathlib import Path

from engine.run.commands import UserMark
from engine.run.failure import EngineFailure
from engine.run.protocol import CleanSettings, Frame, Job, Joined, Outcome, Started, Told
from engine.run.supervised import SupervisedEngine
from streamer.errors import InputError
from streamer.noise import NoiseSettings


class Life(Enum):
    """State of the engine, as the screen shows it."""

    STARTING = "STARTING"
    PLAYING = "PLAYING"
    ENDED = "ENDED"
    HANGS = "ENGINE DOES NOT ANSWER"
    RESTARTS = "ENGINE RESTARTS"
    DEAD = "ENGINE STOPPED"

    @property
    def failed(self) -> bool:
        """Whether what is shown is no longer true."""
        return self in (Life.HANGS, Life.RESTARTS, Life.DEAD)


class Bridge:
    """One engine, seen from the screen.

    Parameters
    ----------
    job
        What it is to play.

    Attributes
    ----------
    started
        What it plays, once it does, with what has joined.
    told
        The newest line for the user that has not been shown yet; empty without one.
    outcome
        What the run came to, once it has ended; of an engine that died, what is known of it.
    failure
        What the engine died of, or could not start for.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.life = Life.STARTING
        self.started: Started | None = None
        self.told = ""
        self.outcome: Outcome | None = None
        self.failure: InputError | EngineFailure | None = None
        self._engine = SupervisedEngine(job)

    @property
    def pid(self) -> int | None:
        """Process id of the engine."""
        return self._engine.pid

    @property
    def reason(self) -> str:
        """Why the engine died or could not start; empty where it did not."""
        return str(self.failure or "")

    @property
    def deaths(self) -> tuple[str, ...]:
        """What each engine died of that was started again."""
        return self._engine.deaths

    def poll(self) -> list[Frame]:
        """Everything that came since the last call; `life` is up to date afterwards."""
        frames = list(self._engine.frames())
        if self.life not in (Life.ENDED, Life.DEAD):
            try:
                word = self._engine.heard()
            except (InputError, EngineFailure) as error:
                self._died(error)
                return frames
            if isinstance(word, Started):
                self.started, self.life = word, Life.PLAYING
            elif isinstance(word, Joined) and self.started:
                self.started = self.started.with_one_more(word.stream)
                self.told = f"{word.stream.info.name} has joined"
            elif isinstance(word, Told):
                self.told = word.text
            elif isinstance(word, Outcome):
                self.outcome, self.life = word, Life.ENDED
                frames += self._engine.frames()
            elif self._engine.restarting:
                self.life = Life.RESTARTS
            elif self.life in (Life.PLAYING, Life.HANGS):
                self.life = Life.HANGS if self._engine.hangs else Life.PLAYING
        return frames

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change the noise while it plays."""
        self._engine.set_noise(settings)

    def retune(self, wanted: CleanSettings) -> None:
        """Change network, backend, look-ahead or hop while it plays."""
        self._engine.retune(wanted)

    def pause(self, paused: bool) -> None:
        """Hold a played signal, or let it go on."""
        self._engine.pause(paused)

    def record(self, folder: Path | None) -> None:
        """Record into a folder; None ends the recording."""
        self._engine.record(folder)

    def mark(self, mark: UserMark) -> None:
        """Have a person's mark recorded and published."""
        self._engine.mark(mark)

    def close(self) -> None:
        """End the engine and wait for it; its outcome is kept where it still comes."""
        self._engine.stop()
        try:
            while self.life not in (Life.ENDED, Life.DEAD):
                word = self._engine.heard(1.0)
                if isinstance(word, Outcome):
                    self.outcome, self.life = word, Life.ENDED
        except (InputError, EngineFailure) as error:
            self._died(error)
        self._engine.close()

    def _died(self, error: InputError | EngineFailure) -> None:
        self.life, self.failure = Life.DEAD, error
        if isinstance(error, EngineFailure):
            self.outcome = error.outcome
