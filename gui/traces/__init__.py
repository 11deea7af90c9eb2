"""The traces: paper, lanes, sweep."""
