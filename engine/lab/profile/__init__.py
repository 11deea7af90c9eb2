"""The time that a hop, a stream and the LSL path take."""
