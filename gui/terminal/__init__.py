"""What a run looks like without a window."""
