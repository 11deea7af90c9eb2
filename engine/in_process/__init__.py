"""The engine's stages in the caller's own process: samples are pushed in, what is ready comes back."""
