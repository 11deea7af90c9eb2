"""Everything that measures the engine; nothing outside imports it but the commands."""
