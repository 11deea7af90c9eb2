"""Chunks in, cleaned samples out: windows, inference, overlap-add, guard, ledger, sinks."""
