"""What a step of the ladder means: the pipeline that takes the network's place."""

from dataclasses import dataclass, replace

from engine.backends.base import AnyBackend, keeps_state
from engine.backends.filters import open_filter
from engine.config import EngineConfig
from engine.guard.stage import StandIn
from engine.marks import Mark, Reason
from engine.run.ladder import LARGER_HOP, Rung
from models.classical import CLASSICAL

_IDENTITY = CLASSICAL["identity"]
_FILTER = CLASSICAL["butterworth-zero-phase"]


@dataclass(frozen=True)
class Cleaner:
    """How samples are cleaned: settings, runtime, and what to call them where it is no network."""

    config: EngineConfig
    backend: AnyBackend
    stand_in: StandIn | None = None


def fallback_for(step: Rung, config: EngineConfig, backend: AnyBackend) -> Cleaner:
    """The pipeline of a step, where `config` and `backend` are those that were asked for."""
    if step is Rung.NETWORK:
        return Cleaner(config, backend)
    hop = min(LARGER_HOP * config.hop, config.window - config.lookahead)
    if keeps_state(backend):
        hop -= hop % backend.steps.multiple
    slower = replace(config, hop=hop)
    if step is Rung.LARGER_HOP:
        return Cleaner(slower, backend)
    if step is Rung.FILTER:
        return Cleaner(slower, open_filter(_FILTER, config.window), (Mark.FILTERED, Reason.OVERLOAD))
    return Cleaner(slower, open_filter(_IDENTITY, config.window), (Mark.BYPASSED, Reason.OVERLOAD))


def raw_to_the_end(config: EngineConfig) -> Cleaner:
    """Raw to the end, since no runtime is left."""
    return Cleaner(config, open_filter(_IDENTITY, config.window), (Mark.BYPASSED, Reason.BACKEND))
