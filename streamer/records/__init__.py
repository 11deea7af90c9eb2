"""Records on disk and from PhysioNet."""
