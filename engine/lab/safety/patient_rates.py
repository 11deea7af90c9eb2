"""Seconds of real patients in which the heart rate on a screen is right, wrong, or withheld."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.guard.limits import limits_of
from engine.guard.wave_doubt import unsure_beats, unsure_of
from engine.lab.parts import Result
from engine.lab.replay import play
from engine.lab.safety.cases import noisy_record
from engine.marks import Mark
from engine.messages import Gap
from engine.pipeline import clean
from models.beat_matching import Beats
from models.benches.track_f import FS
from models.registry import load_card
from streamer.chunk import Samples
from streamer.heart_rate import DOUBTED_S, LISTENED_S, confirmed_rate, heart_rate
from streamer.qrs import find_qrs

NOISES = {"their own noise": ("none", 0.0), "electrode motion at 6 dB": ("em", 6.0)}
"""By what a table calls it: kind, and SNR in dB."""
SECONDS = 49
"""Of each patient; those before `LISTENED_S` are not judged."""
RIGHT_BPM = 5.0
_VERDICTS = ("right", "wrong", "withheld")


def patients_part(
    name: str,
    config: EngineConfig,
    backend_name: str,
    noise: str,
    records: tuple[str, ...],
    data_dir: Path | None,
) -> Result:
    """One system on patients side by side, as the engine releases them, with the guard.

    Returns
    -------
    dict
        ``system``, ``lookahead_ms``, ``noise``, ``patients``, ``seconds`` in which the annotated beats have a
        heart rate, and of ``raw`` and ``cleaned`` how many of them are right, wrong and withheld.
    """
    card = load_card(name)
    backend = open_backend(backend_name, card)
    signals, truths = {}, {}
    for record in records:
        signals[record], truths[record] = noisy_record(record, NOISES[noise], SECONDS, data_dir)
    pieces: dict[str, list[tuple[Samples, Samples, Any]]] = {record: [] for record in signals}
    for message in clean(play(signals), config, backend, limits=limits_of(card)):
        if isinstance(message, Gap):
            raise RuntimeError(f"{message.stream}: a signal without gaps came out with one")
        pieces[message.stream].append((message.cleaned[0].copy(), message.spread[0], message.marks[0].copy()))
    backend.close()
    counts = np.zeros((2, len(_VERDICTS)), np.int64)
    for record, raw in signals.items():
        cleaned, spread, marks = (np.concatenate(each) for each in zip(*pieces[record], strict=True))
        unsure = unsure_of(cleaned, spread, FS)
        counts += verdicts(raw[0], cleaned, marks == Mark.BYPASSED, truths[record], unsure)
    row: Result = {
        "system": name,
        "lookahead_ms": round(1000 * config.lookahead / config.fs),
        "noise": noise,
        "patients": len(signals),
    }
    raw_counts, cleaned_counts = (dict(zip(_VERDICTS, each.tolist(), strict=True)) for each in counts)
    return row | {"seconds": int(counts[0].sum()), "raw": raw_counts, "cleaned": cleaned_counts}


def verdicts(
    raw: Samples,
    cleaned: Samples,
    doubted: NDArray[np.bool_],
    beats: Beats,
    unsure: NDArray[np.bool_] | None = None,
) -> Any:
    """How many seconds of a lead are right, wrong and withheld, (raw and cleaned, 3).

    Parameters
    ----------
    raw, cleaned
        (samples,) mV at `FS`.
    doubted
        Where the guard passes raw, (samples,).
    beats
        Sample of every annotated beat.
    unsure
        Where a wave is smaller than the network's uncertainty, (samples,); None for nowhere.
    """
    counts = np.zeros((2, len(_VERDICTS)), np.int64)
    length, recent = round(LISTENED_S * FS), round(DOUBTED_S * FS)
    for stop in range(length, len(raw) + 1, round(FS)):
        window = slice(stop - length, stop)
        inside = beats[(beats >= window.start) & (beats < stop)] - window.start
        truth = heart_rate(inside, raw[window], FS)
        if truth is None:
            continue
        heard = heart_rate(find_qrs(raw[window], FS), raw[window], FS)
        found = find_qrs(cleaned[window], FS, raw[window])
        small = None if unsure is None else unsure_beats(found, unsure[window], FS)
        made = confirmed_rate(heard, found, cleaned[window], FS, small)
        shown = (heard, None if doubted[stop - recent : stop].any() else made)
        for row, rate in zip(counts, shown, strict=True):
            row[2 if rate is None else int(abs(rate - truth) > RIGHT_BPM)] += 1
    return counts


def patients_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """A table: seconds right, wrong and withheld, of raw and of cleaned."""
    if not rows:
        return ""
    lines = [
        "# Heart rates of patients",
        "",
        f"Of each second the rate of the newest {LISTENED_S:g} s, against the rate of the annotated beats in "
        f"them: right within {RIGHT_BPM:g} bpm, wrong, or withheld. MIT-BIH patients that no network saw, "
        f"{SECONDS} s each. Cleaned is what the engine releases, with the guard, by the rules of the screen.",
        "",
        "| system | noise | seconds | | right | wrong | withheld | right or withheld |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        for trace in ("raw", "cleaned"):
            shares = [row[trace][verdict] / row["seconds"] for verdict in _VERDICTS]
            cells = [f"{row['system']}, {row['lookahead_ms']:g} ms", row["noise"], f"{row['seconds']}", trace]
            cells += [f"{share:.1%}" for share in (*shares, 1 - shares[1])]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])
