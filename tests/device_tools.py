"""Play a device until its end, and look at what came."""

import numpy as np

from streamer.open_source import open_source


def playing(source):
    """The chunks of a source, which can be closed."""
    return source.chunks()


def play(settings):
    """A source, and all its chunks until it ends."""
    source = open_source(settings)
    return source, list(source.chunks())


def samples(chunks):
    """Indices of all samples, and their values, (leads, samples)."""
    held = [chunk for chunk in chunks if chunk.data.shape[1]]
    places = [np.arange(chunk.start, chunk.stop) for chunk in held]
    return np.concatenate(places), np.concatenate([chunk.data for chunk in held], axis=1)
