"""The ward's command."""
