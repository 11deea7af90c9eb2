"""What the engine's process ends with where it ends by itself."""


class EngineFailure(RuntimeError):
    """The engine process ended by itself; the message holds its reason."""
