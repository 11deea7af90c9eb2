"""Settings that were asked for: whether they can be had, and a backend that is open for them."""

from dataclasses import dataclass

from engine.backends import choose_backend, open_reliable
from engine.backends.base import AnyBackend
from engine.config import EngineConfig
from engine.run.protocol import CleanSettings, Job
from models.registry import load_card


@dataclass(frozen=True)
class Prepared:
    """Settings in ms, the same in samples, and a backend that is open for them."""

    settings: CleanSettings
    config: EngineConfig
    backend: AnyBackend


def config_of(asked: CleanSettings) -> EngineConfig:
    """Window, hop and look-ahead in samples; raises InputError where the model cannot have them."""
    return EngineConfig.of(load_card(asked.model).spec, asked.lookahead_ms, asked.hop_ms)


def check_job(job: Job) -> None:
    """Raise InputError for what can be refused before anything is opened."""
    config_of(job.clean)
    choose_backend(job.clean.backend, load_card(job.clean.model).spec)


def prepare(asked: CleanSettings, threads: int) -> Prepared:
    """Open the backend that was asked for, so that a failing runtime does not end the run.

    Raises
    ------
    InputError
        If the settings cannot be used.
    """
    card = load_card(asked.model)
    return Prepared(asked, config_of(asked), open_reliable(asked.backend, card, threads))
