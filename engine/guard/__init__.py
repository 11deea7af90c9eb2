"""Whether a network is believed, and what leaves the engine where it is not."""
