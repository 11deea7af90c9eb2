"""How well systems clean, streamed through the engine."""
