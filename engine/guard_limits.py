"""Read off validation data how unsure a network may be: what stands on its card under ``guard``.

A limit lies just above whatever clean validation records come to, so that a clean ECG is not withheld.
Where validation noise alone, without a heart, still shows a rhythm, it is lowered until it shows none,
and the card says what that costs: nothing invented goes before nothing withheld.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import Backend, Batch
from engine.checks import Checks
from engine.config import EngineConfig
from engine.doubt import Limits
from engine.guard import guard
from engine.messages import Emitted, Mark
from engine.pipeline import unguarded
from engine.safety_cases import Case
from engine.safety_scores import Said, score
from engine.validation_signals import noise_alone, record_with_noise
from models.registry import ModelCard
from models.track_f import FS, VALIDATION_RECORDS
from streamer.chunk import Chunk, Samples

LOOKAHEADS_MS = (300.0, 100.0, 0.0)
HOP_MS = 100.0
RECORD_S, NOISE_S, WARMUP_S = 120.0, 90.0, 10.0
MARGIN = 1.1
"""A limit is so many times the greatest contradiction on clean records."""
STEP = 0.9
"""Where noise shows a rhythm the limit is lowered by this factor until it shows none, and once more."""
LOWEST = 0.1
"""Below this share of the greatest contradiction on clean records no limit is looked for."""
_CHUNK = 360


def find_limits(
    card: ModelCard, backend: Backend, data_dir: Path | None, tell: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """The entry ``guard`` of a network's card.

    Parameters
    ----------
    tell
        Told what has been measured.

    Returns
    -------
    dict
        ``contradiction``: a row for each of `LOOKAHEADS_MS`, with the limit, what it was read off,
        and what it comes to on the same data.
    """
    remembering = _Remembering(backend)
    clean = [
        record_with_noise(record, "none", 0.0, RECORD_S + WARMUP_S, data_dir) for record in VALIDATION_RECORDS
    ]
    noises = [signal for _, signal in noise_alone(NOISE_S + WARMUP_S, data_dir)]
    rows = []
    for lookahead_ms in LOOKAHEADS_MS:
        config = EngineConfig.from_ms(card.spec.fs, card.spec.window, lookahead_ms, HOP_MS)
        records = [list(unguarded(in_chunks(raw), config, remembering)) for raw in clean]
        alone = [list(unguarded(in_chunks(raw), config, remembering)) for raw in noises]
        normal = max(float(np.nanmax(contradictions(messages, config))) for messages in records)
        limit = MARGIN * normal
        runs = shown = sum(_runs(messages, config, limit) for messages in alone)
        while shown and limit > LOWEST * normal:
            limit *= STEP
            shown = sum(_runs(messages, config, limit) for messages in alone)
        if runs:
            limit *= STEP
        row = {
            "lookahead_ms": lookahead_ms,
            "limit": round(limit, 4),
            "greatest_on_clean": round(normal, 4),
            "runs_of_noise_at_first": runs,
            "runs_of_noise": sum(_runs(messages, config, limit) for messages in alone),
            "clean_bypassed_percent": round(
                100 * float(np.mean([_bypassed(messages, config, limit) for messages in records])), 2
            ),
        }
        tell(f"{card.spec.name}, look-ahead {lookahead_ms:g} ms: {row}")
        rows.append(row)
    return {
        "measured_on": "validation records and validation noise of Track F, hop 100 ms",
        "contradiction": rows[::-1],
    }


class _Remembering:
    """A backend that answers a window it has seen without asking again: look-aheads share windows."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._known: dict[bytes, Batch] = {}
        self.name, self.leads = backend.name, backend.leads
        self.transfers_ns, self.fixed_rows = (0, 0), ()

    def infer(self, batch: Batch) -> Batch:
        keys = [row.tobytes() for row in batch]
        new = [row for row, key in enumerate(keys) if key not in self._known]
        if new:
            answers = self._backend.infer(np.ascontiguousarray(batch[new]))
            self._known |= {keys[row]: answer.copy() for row, answer in zip(new, answers, strict=True)}
        return np.stack([self._known[key] for key in keys])

    def close(self) -> None:
        self._backend.close()


def in_chunks(raw: Samples) -> Iterator[list[Chunk]]:
    """A signal (leads, samples) as a device would send it."""
    for start in range(0, raw.shape[1], _CHUNK):
        data = raw[:, start : start + _CHUNK]
        yield [Chunk("validation", start, data, (start + np.arange(data.shape[1])) / FS, 0)]


def contradictions(messages: list[Any], config: EngineConfig) -> NDArray[np.float64]:
    """`Doubt.contradiction` of the first lead after the warm-up, hop by hop."""
    checks = Checks(config, 1, Limits(None))
    found = []
    for message in messages:
        checks.judge(message)
        if message.start >= WARMUP_S * FS:
            found.append(checks.doubt.contradiction[0])
    return np.array(found)


def _guarded(messages: list[Any], config: EngineConfig, limit: float) -> list[Emitted]:
    limits = Limits(((0.0, limit),))
    return [message for message in guard(messages, config, limits) if isinstance(message, Emitted)]


def _bypassed(messages: list[Any], config: EngineConfig, limit: float) -> float:
    """Share of hops after the warm-up that are not the network's word."""
    guarded = _guarded(messages, config, limit)
    return float(np.mean([(m.marks == Mark.BYPASSED).any() for m in guarded if m.start >= WARMUP_S * FS]))


def _runs(messages: list[Any], config: EngineConfig, limit: float) -> int:
    """Runs of beats over 3 s that leave where there is no heart."""
    said = Said()
    for message in _guarded(messages, config, limit):
        said.add(message)
    count = len(said.cleaned)
    raw = np.concatenate([message.raw for message in messages], axis=1)
    case = Case("noise", "alone", raw, beats=np.empty(0, np.int64), silent=((0, count),))
    runs: int = score(case, said, config)["runs_over_3_s"]
    return runs
