"""A run in the terminal: live view, report and picture."""
