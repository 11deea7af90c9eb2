"""Track safety: whether a network invents, erases or distorts beats, and whether the guard prevents it.

Every case of `engine.lab.safety.cases` goes through the network once; its output is scored without the guard
and as the guard releases it. Samples that the guard passed raw are not counted as the network's output.
"""

from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import Any

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.guard.limits import limits_of
from engine.guard.stage import guard
from engine.lab.parts import Part, Progress, Result, data_sha256, fingerprint, run_parts
from engine.lab.replay import play
from engine.lab.safety.cases import case_names, make_case
from engine.lab.safety.scores import Said, score
from engine.messages import Emitted
from engine.pipeline import unguarded
from models.benches.track_f import FS
from models.registry import load_card
from streamer.errors import InputError
from streamer.records.find import find_record


@dataclass(frozen=True)
class SafetySettings:
    """What to run. Fields carry the names of the command's options; `seconds` of every noise."""

    models: tuple[str, ...]
    lookaheads_ms: tuple[float, ...] = (300.0,)
    hop_ms: float = 40.0
    seconds: float = 3600.0
    backend: str = "auto"
    jobs: int = 1
    data_dir: Path | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.seconds < float("inf"):
            raise InputError(f"seconds of noise must be a number from 1 on, got {self.seconds:g}")


def evaluate_safety(settings: SafetySettings, out: Path, progress: Progress) -> list[dict[str, Any]]:
    """Score every system on every case; a row per system, look-ahead, case, and guard on or off."""
    data = data_sha256(find_record(kind, "nstdb", settings.data_dir) for kind in ("bw", "em", "ma"))
    parts = []
    for name in settings.models:
        weights, limits = fingerprint(name), limits_of(load_card(name)).contradiction
        for lookahead in settings.lookaheads_ms:
            for group, case in case_names():
                key = {
                    "track": "safety",
                    "system": name,
                    "weights": weights,
                    "limits": limits,
                    "lookahead_ms": lookahead,
                    "case": [group, case],
                    "settings": [settings.hop_ms, settings.seconds, settings.backend],
                    "data": data,
                }
                label = f"{group}, {case}: {name} at {lookahead:g} ms"
                parts.append(Part(label, key, safety_part, (settings, name, lookahead, group, case)))
    results = run_parts(parts, out / "parts", settings.jobs, progress)
    return [row for result in results for row in result["rows"]]


def safety_part(settings: SafetySettings, name: str, lookahead_ms: float, group: str, case: str) -> Result:
    """One system on one case, without and with the guard."""
    card = load_card(name)
    spec = card.spec
    config = EngineConfig.of(spec, lookahead_ms, settings.hop_ms)
    made = make_case(group, case, settings.seconds, settings.data_dir)
    backend = open_backend(settings.backend, card)
    bare, guarded = tee(unguarded(play({"case": made.raw}), config, backend))
    limits = limits_of(card)
    said = {"off": Said(), "on": Said()}
    # In step, so that no more than a hop waits between them.
    for pair in zip(guard(bare, config, limits, enabled=False), guard(guarded, config, limits), strict=True):
        for one, message in zip(said.values(), pair, strict=True):
            if isinstance(message, Emitted):
                one.add(message)
    backend.close()
    about = {
        "system": name,
        "lookahead_ms": lookahead_ms,
        "group": group,
        "case": case,
        "seconds": made.raw.shape[1] / FS,
    }
    rows = [{**about, "guard": label, **score(made, one, config)} for label, one in said.items()]
    return {"rows": rows}
