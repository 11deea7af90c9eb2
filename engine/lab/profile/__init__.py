"""What a hop, a stream and the LSL path cost."""
