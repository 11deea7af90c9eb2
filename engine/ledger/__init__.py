"""Where each millisecond went, and what a run comes to."""
