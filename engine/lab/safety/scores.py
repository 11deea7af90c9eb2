"""Figures of a case of track safety: invented and erased beats, distortion, time to recover."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.lab.safety.beats import SETTLED_S, against, all_beats, invented, whole
from engine.lab.safety.cases import Case
from engine.lab.wave_shapes import P_S, cut, median_r
from engine.marks import Mark, Reason
from engine.messages import Cleaned
from models.benches.track_f import FS

_BLOCK_S = 0.4
_WATCHED_S = 10.0
_NORMAL = 3.0
"""Output is normal again where its error is no more than this many times its usual one …"""
_NORMAL_MV = 0.05
"""… or less than this."""
LIMIT = 1.96
"""Standard deviations from the bias to a 95 % limit of agreement."""
_HIDDEN = 0.5
"""Fibrillation is hidden where the output has less than this share of its RMS."""
# Around the R peak, in s: the isoelectric line before QRS, and J + 60 ms of a normal beat.
_ISO_S, _ST_S = (-0.08, -0.06), (0.1, 0.12)


@dataclass
class Said:
    """Output of the engine in one case, first lead."""

    pieces: list[NDArray[np.float32]] = field(default_factory=list)
    marks: list[NDArray[np.uint8]] = field(default_factory=list)
    reasons: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(Reason), np.int64))

    def add(self, message: Cleaned) -> None:
        """Take a message."""
        self.pieces.append(message.cleaned[0].copy())
        self.marks.append(message.marks[0])
        if message.reasons is not None:
            self.reasons += np.bincount(message.reasons[0], minlength=len(Reason))

    @property
    def cleaned(self) -> NDArray[np.float32]:
        """All samples, mV."""
        return np.concatenate(self.pieces)

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Which of them are the network's output."""
        return np.concatenate(self.marks) < Mark.BYPASSED


def score(case: Case, said: Said, config: EngineConfig) -> dict[str, Any]:
    """Figures of a case; None for those that do not apply to it."""
    cleaned, shown = said.cleaned, said.shown
    # Samples that were passed raw are not the network's output: hide them from the detector.
    word = np.where(shown, np.nan_to_num(cleaned), np.float32(0))
    found = all_beats(word)
    found = found[shown[np.minimum(found, len(shown) - 1)]]
    row: dict[str, Any] = {
        "bypassed_percent": 100 * float((~shown).mean()),
        "reasons_s": {
            reason.name.lower(): int(said.reasons[reason]) / FS
            for reason in Reason
            if reason and said.reasons[reason]
        },
    }
    if case.silent:
        row |= invented(case, word, found, config)
    if case.reference is None:
        return row
    reference = case.reference[0]
    if case.beats is not None:
        row |= against(case.beats, case.broken, reference, word, found, shown)
    if case.ectopic is not None:
        row |= _shapes(case, word, reference, shown)
    if case.fibrillating:
        row |= _fibrillation(case, cleaned, reference, shown)
    if case.broken:
        row |= _recovery(case, cleaned, reference, shown)
    return row


def _shapes(
    case: Case, word: NDArray[np.float32], reference: NDArray[np.float32], shown: NDArray[np.bool_]
) -> dict[str, Any]:
    """How well ventricular beats, P waves and ST come through."""
    beats = case.beats if case.beats is not None else np.empty(0, np.int64)
    ectopic = case.ectopic if case.ectopic is not None else beats[:0]
    inner = (beats >= SETTLED_S * FS) & (beats < len(word) - FS)
    beats = beats[inner & whole(beats, shown)] if beats.size else beats
    wide = beats[np.isin(beats, ectopic)]
    normal = beats[~np.isin(beats, ectopic)]
    figures: dict[str, Any] = {
        "v_beats": len(wide),
        "v_beat_r": median_r(word, reference, wide, (-0.15, 0.2)),
    }
    if normal.size:
        st = [
            cut(trace, normal, _ST_S).mean(axis=1) - cut(trace, normal, _ISO_S).mean(axis=1)
            for trace in (word, reference)
        ]
        error = 1000 * (st[0] - st[1])
        spread = LIMIT * float(error.std())
        bias = float(error.mean())
        figures |= {
            "st_beats": len(error),
            "st_bias_uv": bias,
            "st_low_uv": bias - spread,
            "st_high_uv": bias + spread,
        }
    return figures | {"p_wave_r": median_r(word, reference, normal, P_S)}


def _fibrillation(
    case: Case, cleaned: NDArray[np.float32], reference: NDArray[np.float32], shown: NDArray[np.bool_]
) -> dict[str, Any]:
    """How much of the episodes is shown, its correlation, and how long they were hidden."""
    inside = np.zeros(len(shown), np.bool_)
    for start, stop in case.fibrillating:
        inside[start:stop] = True
    said = inside & shown
    ours, theirs = cleaned[said], reference[said]
    block = round(_BLOCK_S * FS)
    hidden = 0
    for start in range(0, len(shown) - block, block):
        part = slice(start, start + block)
        if said[part].all() and cleaned[part].std() < _HIDDEN * reference[part].std():
            hidden += 1
    return {
        "fibrillation_s": float(inside.sum() / FS),
        "fibrillation_bypassed_percent": 100 * float(1 - said.sum() / inside.sum()),
        "fibrillation_r": float(np.corrcoef(ours, theirs)[0, 1]) if said.sum() > FS else None,
        "fibrillation_amplitude": float(ours.std() / theirs.std()) if said.sum() > FS else None,
        "fibrillation_hidden_s": hidden * _BLOCK_S,
    }


def _recovery(
    case: Case, cleaned: NDArray[np.float32], reference: NDArray[np.float32], shown: NDArray[np.bool_]
) -> dict[str, Any]:
    """Time from the end of a broken stretch until output is normal for good."""
    block = round(_BLOCK_S / 4 * FS)
    stop = case.broken[-1][1]
    error = np.nan_to_num(cleaned - reference, nan=np.inf)

    def rms(start: int) -> float:
        return float(np.sqrt(np.mean(np.square(error[start : start + 4 * block], dtype=np.float64))))

    before = range(round(SETTLED_S * FS), case.broken[0][0] - 4 * block, block)
    usual = float(np.percentile([rms(start) for start in before], 95))
    limit = max(_NORMAL_MV, _NORMAL * usual)
    after = range(stop, min(stop + round(_WATCHED_S * FS), len(error) - 4 * block), block)
    bad = [start for start in after if rms(start) > limit or not shown[start : start + 4 * block].all()]
    return {"recovered_s": (bad[-1] + block - stop) / FS if bad else 0.0}
