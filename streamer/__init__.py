"""Where samples come from: live, replayed or synthetic ECG, cut into `Chunk`s."""
