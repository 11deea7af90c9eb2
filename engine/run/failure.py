"""What the engine's process ends with where it ends by itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.run.protocol import Outcome


class EngineFailure(RuntimeError):
    """The engine process ended by itself; the message holds its reason.

    Attributes
    ----------
    outcome
        What is known of the run up to then; None where it had not begun.
    """

    def __init__(self, reason: str, outcome: "Outcome | None" = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
