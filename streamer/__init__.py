"""Sources of samples: live, replayed or synthetic ECG, handed out as `Chunk`s."""
