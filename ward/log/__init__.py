"""A ward on several machines: samples on a log, workers that own parts of it, readers of what they clean."""
