"""Everything that measures the engine. Only the commands import it."""
