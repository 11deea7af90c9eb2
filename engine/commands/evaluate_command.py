"""`ecg-stream evaluate`: every track of it, each in a function of its own."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from engine.commands.options import CORES, Backend, Hop, Jobs, Models, Noises, systems
from streamer.console.options import DataDir, literal, numbers, words
from streamer.console.output import err, goes_on, out, progress, say


def evaluate(
    track: Annotated[
        Literal["f", "s", "qtdb", "stress", "safety"],
        typer.Option(
            help="f: unseen patients, unseen noise. s: the seed table's protocol, filters and trained runs. "
            "qtdb: the literature's bench, as published (filters and trained runs) and streamed. "
            "stress: beats found in the official Noise Stress Test records. safety: beats invented, "
            "erased and bent, with the guard off and on."
        ),
    ] = "f",
    model: Models = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for the report [default: out/evaluate-TRACK].")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Compute nothing: print the tables of a folder of results, docs/results."),
    ] = None,
    noises: Noises = "bw,em,ma,emb",
    snrs: Annotated[str, typer.Option(help="SNRs in dB, comma-separated.")] = "-4,0,4,12",
    lookahead: Annotated[str, typer.Option(help="Look-aheads in ms, comma-separated.")] = "300",
    hop: Hop = 40.0,
    records: Annotated[str | None, typer.Option(help="Records of track f [default: all of DS2].")] = None,
    start: Annotated[float, typer.Option(help="Second of every record of track f to begin at.")] = 300.0,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            help="Seconds of every record [default: 60; qtdb: 120; stress: to the end]; safety: of every "
            "noise [3600].",
        ),
    ] = None,
    qrs: Annotated[bool, typer.Option("--qrs", help="Track f: find beats too, which takes long.")] = False,
    backend: Backend = "auto",
    cards: Annotated[
        bool, typer.Option("--cards", help="Track f: write the figures onto the shipped networks' cards.")
    ] = False,
    jobs: Jobs = CORES,
    data_dir: DataDir = None,
) -> None:
    """Score networks and filters. Ctrl-C loses nothing: the same command goes on where it was."""
    if report is not None:
        from engine.lab.evaluate.tables import tables

        say(tables(report), out)
        return
    folder = out_dir or Path("out") / f"evaluate-{track}"
    shared: dict[str, Any] = {
        "models": systems(model),
        "lookaheads_ms": tuple(numbers("lookahead", lookahead)),
        "hop_ms": hop,
        "backend": backend,
        "jobs": jobs,
        "data_dir": data_dir,
    }
    levels = tuple(numbers("snrs", snrs))
    with goes_on(folder):
        if track == "s":
            text = _evaluate_s(folder, words(noises), levels, data_dir)
        elif track == "qtdb":
            text = _evaluate_qtdb(folder, {**shared, "seconds": seconds or 120.0})
        elif track == "stress":
            text = _evaluate_stress(folder, {**shared, "seconds": seconds})
        elif track == "safety":
            text = _evaluate_safety(folder, {**shared, "seconds": seconds or 3600.0})
        else:
            tested = {"records": tuple(words(records))} if records else {}
            more = {"noises": tuple(words(noises)), "snrs": levels, "start": start, "qrs": qrs}
            text = _evaluate_f(folder, {**shared, **more, **tested, "seconds": seconds or 60.0}, cards)
    say(text, out)
    err.print(f"report: {folder}", markup=False)


def _evaluate_f(folder: Path, options: dict[str, Any], cards: bool) -> str:
    from engine.lab.evaluate.report import write_report
    from engine.lab.evaluate.track_f import EvaluateSettings
    from engine.lab.evaluate.track_f import evaluate as run

    settings = EvaluateSettings(**options)
    with progress() as show:
        results = run(settings, folder, show)
    report = write_report(results, settings, folder)
    if cards:
        from models.card_figures import add_figures

        err.print(f"on the cards of: {', '.join(add_figures(report)) or 'none'}")
    return (folder / "report.md").read_text(encoding="utf-8")


def _evaluate_s(folder: Path, noises: list[str], snrs: tuple[float, ...], data_dir: Path | None) -> str:
    from models.benches.track_s import Condition
    from models.benches.track_s_results import markdown, read_results, score_filters

    for noise in noises:
        for level in snrs:
            for mixing in ("new", "old") if noise == "emb" else ("new",):
                score_filters(folder, Condition(noise, level, literal(mixing)), data_dir)
    text = markdown(read_results(folder))
    (folder / "report.md").write_text(text, encoding="utf-8")
    return text


def _evaluate_qtdb(folder: Path, options: dict[str, Any]) -> str:
    from engine.lab.evaluate.qtdb import StreamedSettings, evaluate_qtdb
    from engine.lab.evaluate.qtdb_report import write_qtdb
    from models.benches.qtdb_results import read_results, score_filters

    settings = StreamedSettings(**options)
    with progress() as show:
        show("beats cut out: filters", 0, 1)
        score_filters(folder, settings.data_dir)
        results = evaluate_qtdb(settings, folder, show)
    return write_qtdb(read_results(folder), results, settings, folder)


def _evaluate_stress(folder: Path, options: dict[str, Any]) -> str:
    from engine.lab.evaluate.stress import StressSettings, evaluate_stress
    from engine.lab.evaluate.tables import write_stress

    settings = StressSettings(**options)
    with progress() as show:
        rows = evaluate_stress(settings, folder, show)
    return write_stress(rows, settings, folder)


def _evaluate_safety(folder: Path, options: dict[str, Any]) -> str:
    from engine.lab.safety.report import write_safety
    from engine.lab.safety.track import SafetySettings, evaluate_safety

    settings = SafetySettings(**options)
    with progress() as show:
        rows = evaluate_safety(settings, folder, show)
    return write_safety(rows, settings, folder)
