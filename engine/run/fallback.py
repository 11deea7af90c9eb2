"""What a step of the ladder means: the pipeline that takes the network's place."""

from dataclasses import dataclass, replace

from engine.backends.base import AnyBackend, Backend, keeps_state
from engine.backends.filters import FilterBackend
from engine.config import EngineConfig
from engine.guard.stage import Instead
from engine.messages import Mark, Reason
from engine.run.ladder import LARGER_HOP, Step
from models.classical import CLASSICAL


@dataclass(frozen=True)
class Way:
    """How samples are cleaned: settings, runtime, and what to call them where it is no network."""

    config: EngineConfig
    backend: AnyBackend
    instead: Instead | None = None


def step_way(step: Step, config: EngineConfig, backend: AnyBackend) -> Way:
    """The pipeline of a step, where `config` and `backend` are those that were asked for."""
    if step is Step.NETWORK:
        return Way(config, backend)
    hop = min(LARGER_HOP * config.hop, config.window - config.lookahead)
    if keeps_state(backend):
        hop -= hop % backend.steps.multiple
    slower = replace(config, hop=hop)
    if step is Step.LARGER_HOP:
        return Way(slower, backend)
    if step is Step.FILTER:
        return Way(slower, _classical("butterworth-zero-phase", config), (Mark.FILTERED, Reason.OVERLOAD))
    return Way(slower, _classical("identity", config), (Mark.BYPASSED, Reason.OVERLOAD))


def broken_way(config: EngineConfig) -> Way:
    """Raw to the end, since no runtime is left."""
    return Way(config, _classical("identity", config), (Mark.BYPASSED, Reason.BACKEND))


def _classical(name: str, config: EngineConfig) -> Backend:
    """A classical system on windows as long as the network's."""
    return FilterBackend(replace(CLASSICAL[name], window=config.window))
