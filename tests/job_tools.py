"""Jobs, written as briefly as a test wants them."""

from dataclasses import fields

from engine.run.protocol import CleanSettings, Job
from streamer.settings import SourceSettings


def job_of(*sources, **settings):
    """A job of some sources, or of one made of `settings`; every setting by its name, wherever it stands."""

    def take(kind):
        return {field.name: settings.pop(field.name) for field in fields(kind) if field.name in settings}

    clean, run = CleanSettings(**take(CleanSettings)), take(Job)
    if not sources:
        sources = (SourceSettings(**take(SourceSettings)),)
    assert not settings, settings
    return Job(sources, clean, **run)
