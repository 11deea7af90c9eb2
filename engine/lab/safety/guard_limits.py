"""Derive from validation data the uncertainty that a network may have: the entry ``guard`` of its card.

The limits are found on validation data, which no test uses. With them, noise alone (no ECG) shows no run of
beats. Where this can be had above the greatest uncertainty on noiseless validation records, nothing of those
records is withheld; otherwise the card states how much is: not to invent beats comes before not to withhold
any.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import AnyBackend, Backend, Batch, keeps_state
from engine.config import EngineConfig
from engine.guard.checks import Checks
from engine.guard.limits import Limits
from engine.guard.stage import guard
from engine.lab.replay import play
from engine.lab.safety.beats import could_run
from engine.lab.safety.cases import Case
from engine.lab.safety.scores import Said, score
from engine.lab.safety.validation_signals import noise_alone, record_with_noise
from engine.marks import Mark
from engine.messages import Emitted
from engine.pipeline import unguarded
from models.benches.track_f import FS, VALIDATION_RECORDS
from models.card import GuardLimits, GuardRow
from models.registry import ModelCard

LOOKAHEADS_MS = (300.0, 100.0, 0.0)
HOP_MS = 200.0
RECORD_S, NOISE_S, WARMUP_S = 120.0, 1200.0, 10.0
MARGIN = 1.1
"""A limit of so many times the greatest contradiction on noiseless records withholds none of them."""
STATED = 0.42
"""Least value of the same for a network that predicts its own error, which noise raises before the output
becomes useless. At 0.35 a tenth of the hops of electrode motion at 0 dB are withheld, at this a twentieth."""
FREE = (
    *((doubted, 0.7 * doubted) for doubted in (2.0, 1.7, 1.4, 1.2, 1.0)),
    *((1.0, believed) for believed in (0.6, 0.5)),
)
"""Pairs of factors on that: above the first the output is withheld, below the second it is shown again. In
order of preference; these withhold nothing of noiseless records."""
DEAR = (
    *((doubted, 0.5) for doubted in (0.9, 0.8, 0.7, 0.6, 0.5)),
    *((both, both) for both in (0.4, 0.3, 0.2, 0.1)),
)
"""These withhold some of them."""
ROUND = 360
"""Samples that arrive together: a second, so that a call has many windows."""


def find_limits(
    card: ModelCard,
    backend: AnyBackend,
    data_dir: Path | None,
    tell: Callable[[str], None] = lambda text: None,
) -> GuardLimits:
    """What a network's card says of the guard.

    Parameters
    ----------
    tell
        Called with what has been measured.

    Returns
    -------
    GuardLimits
        A row for each of `LOOKAHEADS_MS`, with the limits, what they were read off, and what they
        come to on the same data.
    """
    remembering = backend if keeps_state(backend) else _Remembering(backend)
    reference = [
        record_with_noise(record, "none", 0.0, RECORD_S + WARMUP_S, data_dir) for record in VALIDATION_RECORDS
    ]
    noises = [signal for _, signal in noise_alone(NOISE_S + WARMUP_S, data_dir)]
    rows = []
    for lookahead_ms in LOOKAHEADS_MS:
        config = EngineConfig.of(card.spec, lookahead_ms, HOP_MS)
        records = [
            list(unguarded(play({"validation": raw}, ROUND), config, remembering)) for raw in reference
        ]
        alone = [list(unguarded(play({"validation": raw}, ROUND), config, remembering)) for raw in noises]
        greatest = max(float(np.nanmax(contradictions(messages, config))) for messages in records)
        harmless = max(MARGIN * greatest, STATED if keeps_state(backend) else 0.0)
        doubted, believed, _ = _find(harmless, partial(_runs, alone, config))
        limits = Limits(((lookahead_ms, doubted, believed),))
        row = GuardRow(
            lookahead_ms=lookahead_ms,
            doubted=round(doubted, 4),
            believed=round(believed, 4),
            greatest_on_clean=round(greatest, 4),
            clean_bypassed_percent=round(100 * _bypassed(records, config, limits), 2),
            runs_of_noise=_runs(alone, config, limits),
        )
        tell(f"{card.spec.name}, look-ahead {lookahead_ms:g} ms: {row}")
        rows.append(row)
    return GuardLimits(
        measured_on="validation records, and noise of training and validation, of Track F, hop 200 ms",
        contradiction=tuple(rows[::-1]),
    )


def _find(highest: float, runs: Callable[[Limits], int]) -> tuple[float, float, int]:
    """Withholding and showing limit: the first pair with which noise alone shows no run of beats.

    Of `FREE` the pair after it is taken, as a margin for worse noise. Where none suffices: the last one, and
    the runs that remain.
    """
    tried = [*FREE, *DEAR]
    for number, (doubted, believed) in enumerate(tried):
        left = runs(Limits(((0.0, doubted * highest, believed * highest),)))
        if not left:
            doubted, believed = tried[min(number + 1, max(number, len(FREE) - 1))]
            break
    return doubted * highest, believed * highest, left


class _Remembering:
    """A backend that caches its answers, because runs at several look-aheads share windows."""

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


def contradictions(messages: list[Any], config: EngineConfig) -> NDArray[np.float64]:
    """`Uncertainty.contradiction` of the first lead after the warm-up, hop by hop."""
    stateful = any(isinstance(message, Emitted) and message.answer.stateful for message in messages)
    checks = Checks(config, 1, Limits(None), stateful=stateful)
    found = []
    for message in messages:
        checks.judge_one(message)
        if message.start >= WARMUP_S * FS:
            found.append(checks.uncertainty.contradiction[0])
    return np.array(found)


def _bypassed(records: list[list[Any]], config: EngineConfig, limits: Limits) -> float:
    """Share of hops after the warm-up that are not the network's output."""
    guarded = (message for messages in records for message in guard(messages, config, limits))
    return float(
        np.mean(
            [
                (message.marks == Mark.BYPASSED).any()
                for message in guarded
                if isinstance(message, Emitted) and message.start >= WARMUP_S * FS
            ]
        )
    )


def _runs(noises: list[list[Any]], config: EngineConfig, limits: Limits) -> int:
    """Runs of beats longer than 3 s in the output for noise alone, of the first noise that has any."""
    for messages in noises:
        said = Said()
        for message in guard(messages, config, limits):
            if isinstance(message, Emitted):
                said.add(message)
        if not could_run(said.cleaned, said.shown):
            continue
        raw = np.concatenate([message.raw for message in messages], axis=1)
        case = Case("noise", "alone", raw, beats=np.empty(0, np.int64), silent=((0, raw.shape[1]),))
        runs: int = score(case, said, config)["runs_over_3_s"]
        if runs:
            return runs
    return 0
