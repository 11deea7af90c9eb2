"""Chunks in, cleaned samples out: windows, inference, overlap-add, guard, ledger, sinks."""

from streamer.sources import SOURCES

# The readers of files are the engine's, which streamer does not know; so it adds its line to the table.
SOURCES.setdefault("file", "engine.files.played")
