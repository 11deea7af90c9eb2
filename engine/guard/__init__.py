"""Whether a network is believed, and what leaves where it is not."""
