"""Track F: unseen patients, unseen noise, streamed through the engine; tables that can be trusted.

Every DS2 record is one bed of a ward that the engine cleans as a batch, at the look-ahead and hop
that are named. Classical filters see the same noisy signals.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from engine.backends import open_backend
from engine.backends.base import Backend
from engine.config import EngineConfig
from engine.messages import Gap
from engine.pipeline import clean
from models.classical import CLASSICAL
from models.metrics import Moments
from models.registry import load_card, sha256
from models.track_f import FS, LEAD, TEST_RECORDS
from streamer.chunk import Chunk
from streamer.open_source import SourceSettings, open_signal, play
from streamer.source import Player, Signal

WARMUP_S = 10.0
"""Seconds at the start of every record that are not scored."""
_BOOTSTRAPS = 2000


@dataclass(frozen=True)
class EvaluateSettings:
    """What to evaluate. Fields carry the names of the command's options.

    Parameters
    ----------
    start, seconds
        Stretch of every record that is played; the SNR holds over it.
    lookaheads_ms
        Every model is run at each of these.
    """

    models: tuple[str, ...]
    records: tuple[str, ...] = TEST_RECORDS
    noises: tuple[str, ...] = ("bw", "em", "ma", "emb")
    snrs: tuple[float, ...] = (-4.0, 0.0, 4.0, 12.0)
    lookaheads_ms: tuple[float, ...] = (300.0,)
    hop_ms: float = 40.0
    start: float = 300.0
    seconds: float = 60.0
    backend: str = "auto"
    threads: int = 2
    data_dir: Path | None = None


@dataclass(frozen=True)
class Score:
    """Figures of one system on one record under one condition; SNR in dB, mean removed."""

    system: str
    delay_ms: float | None
    noise: str
    snr: float | None
    own_drift: str
    record: str
    snr_in_db: float
    snr_out_db: float
    snr_out_above_2hz_db: float
    rmse_mv: float
    prd_percent: float
    correlation: float

    @property
    def improvement_db(self) -> float:
        """Output SNR less input SNR."""
        return self.snr_out_db - self.snr_in_db


Progress = Callable[[str, int, int], None]
"""Told what is being scored, how many parts are done, and of how many."""


def evaluate(settings: EvaluateSettings, progress: Progress) -> list[Score]:
    """Score every system under every condition.

    The last two conditions are clean input, with the record's own drift and without.
    """
    noisy = [(noise, snr, "remove") for noise in settings.noises for snr in settings.snrs]
    conditions = [*noisy, ("none", None, "keep"), ("none", None, "remove")]
    engines = [(name, lookahead) for name in settings.models for lookahead in settings.lookaheads_ms]
    backends = {
        name: open_backend(settings.backend, load_card(name), settings.threads) for name in settings.models
    }
    signals: dict[tuple[str, str], Signal] = {}
    scores: list[Score] = []
    total, done = len(conditions) * (1 + len(engines)), 0
    for noise, snr, own_drift in conditions:
        label = f"{noise} {snr:g} dB" if snr is not None else f"clean, own drift: {own_drift}"
        beds = _beds(settings, signals, noise, snr or 0.0, own_drift)
        progress(f"{label}: filters", done, total)
        heard = {record: _whole(bed) for record, bed in beds.items()}
        for system, filtered in CLASSICAL.items():
            for record, (raw, reference) in heard.items():
                figures = _figures(reference, raw, filtered(raw, FS))
                scores.append(Score(system, None, noise, snr, own_drift, record, *figures))
        done += 1
        for name, lookahead in engines:
            progress(f"{label}: {name} at {lookahead:g} ms", done, total)
            spec = load_card(name).spec
            config = EngineConfig.from_ms(spec.fs, spec.window, lookahead, settings.hop_ms)
            cleaned = _stream(beds, config, backends[name])
            for record, (raw, reference) in heard.items():
                figures = _figures(reference, raw, cleaned[record])
                delay = 1000 * config.delay_s
                scores.append(Score(name, delay, noise, snr, own_drift, record, *figures))
            done += 1
    progress("done", total, total)
    return scores


def _beds(
    settings: EvaluateSettings,
    signals: dict[tuple[str, str], Signal],
    noise: str,
    snr: float,
    own_drift: Any,
) -> dict[str, Player]:
    """A player per record, each with noise from a place of its own on the tape."""
    beds = {}
    for record in settings.records:
        source = SourceSettings(
            kind="replay",
            record=record,
            data_dir=settings.data_dir,
            leads=(LEAD,),
            start=settings.start,
            seconds=settings.seconds,
            speed=0,
            own_drift=own_drift,
            noise=noise,
            snr=snr,
            seed=int(record),
        )
        key = (record, own_drift)
        if key not in signals:
            signals[key] = open_signal(source)
        beds[record] = play(signals[key], source)
    return beds


def _whole(player: Player) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Everything that a player plays: noisy and reference, each (1, samples)."""
    chunks = list(player.chunks())
    reference = [chunk.clean for chunk in chunks if chunk.clean is not None]
    return np.concatenate([c.data for c in chunks], axis=1), np.concatenate(reference, axis=1)


def _stream(
    beds: dict[str, Player], config: EngineConfig, backend: Backend
) -> dict[str, NDArray[np.float32]]:
    """Clean all beds at once, in step; returns each record's output, (1, samples)."""
    names = {bed.info.source_id: record for record, bed in beds.items()}
    parts: dict[str, list[NDArray[np.float32]]] = {record: [] for record in beds}

    def rounds() -> Iterator[Sequence[Chunk]]:
        yield from zip(*(bed.chunks() for bed in beds.values()), strict=True)

    for message in clean(rounds(), config, backend):
        if isinstance(message, Gap):
            raise RuntimeError(f"{message.stream}: a record without gaps came out with one")
        parts[names[message.stream]].append(message.cleaned)
    return {record: np.concatenate(pieces, axis=1) for record, pieces in parts.items()}


def _figures(
    reference: NDArray[np.float32], raw: NDArray[np.float32], output: NDArray[np.float32]
) -> tuple[float, float, float, float, float, float]:
    """Figures of `Score`, in its order, of a stretch less its warm-up."""
    settled = slice(round(WARMUP_S * FS), None)
    above = signal.butter(4, 2.0, "highpass", fs=FS, output="sos")
    fine = [signal.sosfiltfilt(above, x, axis=-1).astype(np.float32) for x in (reference, output)]
    before = Moments.of(reference[:, settled], raw[:, settled])
    after = Moments.of(reference[:, settled], output[:, settled])
    return (
        float(before.snr_db[0]),
        float(after.snr_db[0]),
        float(Moments.of(fine[0][:, settled], fine[1][:, settled]).snr_db[0]),
        float(after.rmse_mv[0]),
        float(after.prd_percent[0]),
        float(after.correlation[0]),
    )


def interval(values: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over records."""
    draws = np.random.default_rng(seed).choice(values, (_BOOTSTRAPS, len(values)))
    low, high = np.percentile(draws.mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def summarise(scores: list[Score]) -> list[dict[str, Any]]:
    """One row per system and condition: mean, interval, worst record and 10th percentile."""
    groups: dict[tuple[Any, ...], list[Score]] = {}
    for score in scores:
        key = (score.system, score.delay_ms, score.noise, score.snr, score.own_drift)
        groups.setdefault(key, []).append(score)
    rows = []
    for (system, delay_ms, noise, snr, own_drift), members in groups.items():
        out = np.array([member.snr_out_db for member in members])
        gain = np.array([member.improvement_db for member in members])
        worst = int(np.argmin(gain))
        low, high = interval(out)
        rows.append(
            {
                "system": system,
                "delay_ms": delay_ms,
                "noise": noise,
                "snr": snr,
                "own_drift": own_drift,
                "records": len(members),
                "snr_in_db": float(np.mean([m.snr_in_db for m in members])),
                "snr_out_db": float(out.mean()),
                "snr_out_low_db": low,
                "snr_out_high_db": high,
                "snr_out_p10_db": float(np.percentile(out, 10)),
                "snr_out_above_2hz_db": float(np.mean([m.snr_out_above_2hz_db for m in members])),
                "improvement_db": float(gain.mean()),
                "worst_improvement_db": float(gain[worst]),
                "worst_record": members[worst].record,
                "rmse_mv": float(np.mean([m.rmse_mv for m in members])),
                "prd_percent": float(np.mean([m.prd_percent for m in members])),
                "correlation": float(np.mean([m.correlation for m in members])),
            }
        )
    return rows


def write_report(scores: list[Score], settings: EvaluateSettings, out: Path) -> None:
    """Write ``scores.csv``, ``summary.json``, ``report.md`` and ``snr.png`` into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "scores.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(scores[0])))
        writer.writeheader()
        writer.writerows(asdict(score) for score in scores)
    rows = summarise(scores)
    manifest = _manifest(settings)
    report = {"manifest": manifest, "rows": rows}
    (out / "summary.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (out / "report.md").write_text(_markdown(rows, manifest), encoding="utf-8")
    _plot(rows, out / "snr.png")


def _manifest(settings: EvaluateSettings) -> dict[str, Any]:
    """What the figures were made from: settings, weights and code."""
    plain = asdict(replace(settings, data_dir=None))
    del plain["data_dir"]
    code = hashlib.sha256()
    for package in ("streamer", "engine", "models"):
        root = Path(__file__).parents[1] / package
        for path in sorted(root.rglob("*.py")):
            code.update(path.read_bytes())
    return {
        "settings": plain,
        "graph_sha256": {name: sha256(load_card(name).onnx_path) for name in settings.models},
        "code_sha256": code.hexdigest(),
        "version": version("ecg-stream"),
    }


def _markdown(rows: list[dict[str, Any]], manifest: dict[str, Any]) -> str:
    settings = manifest["settings"]
    lines = [
        "# Track F",
        "",
        f"{len(settings['records'])} DS2 records, lead {LEAD}, {settings['seconds']:g} s each from "
        f"second {settings['start']:g}, the first {WARMUP_S:g} s not scored; noise from the test part "
        "of NSTDB. SNR in dB, mean removed, against the zero-phase 0.5 Hz reference; mean over "
        "records with its 95 % bootstrap interval.",
        "",
        "| noise | SNR in | system | delay ms | SNR out | 95 % | >2 Hz | gain | worst record | RMSE mV | r |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        condition = row["noise"] if row["snr"] is not None else f"clean, own drift {row['own_drift']}"
        delay = "" if row["delay_ms"] is None else f"{row['delay_ms']:.0f}"
        lines.append(
            f"| {condition} | {row['snr_in_db']:.1f} | {row['system']} | {delay} "
            f"| {row['snr_out_db']:.2f} | {row['snr_out_low_db']:.2f} … {row['snr_out_high_db']:.2f} "
            f"| {row['snr_out_above_2hz_db']:.2f} | {row['improvement_db']:+.2f} "
            f"| {row['worst_improvement_db']:+.2f} ({row['worst_record']}) "
            f"| {row['rmse_mv']:.4f} | {row['correlation']:.4f} |"
        )
    return "\n".join(lines) + "\n"


def _plot(rows: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    noises = list(dict.fromkeys(row["noise"] for row in rows if row["snr"] is not None))
    if not noises:
        return
    figure = Figure(figsize=(4 * len(noises), 4), layout="constrained")
    for axes, noise in zip(figure.subplots(1, len(noises), squeeze=False)[0], noises, strict=True):
        chosen = [row for row in rows if row["noise"] == noise]
        for label in dict.fromkeys((row["system"], row["delay_ms"]) for row in chosen):
            points = [row for row in chosen if (row["system"], row["delay_ms"]) == label]
            delay = "" if label[1] is None else f", {label[1]:.0f} ms"
            axes.plot(
                [p["snr"] for p in points],
                [p["snr_out_db"] for p in points],
                marker="o",
                ms=3,
                ls="--" if label[0] == "identity" else "-",
                label=f"{label[0]}{delay}",
            )
        axes.set_title(noise)
        axes.set_xlabel("SNR in (dB)")
        axes.set_ylabel("SNR out (dB)")
        axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)
