"""The window and the terminal view of a run."""
