"""`ecg-stream train`: on any of the three tracks, each in a function of its own."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from models.torch_needed import check_torch
from streamer.console.options import DataDir, literal, numbers, words
from streamer.console.output import err, goes_on, out
from streamer.errors import InputError

EPOCHS = 100
"""Passes over the training windows of the tracks S and qtdb."""


def train(
    names: Annotated[list[str] | None, typer.Argument(help="Networks to train.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Train every network.")] = False,
    track: Annotated[
        Literal["f", "s", "qtdb", "notebook"],
        typer.Option(
            help="f: unseen patients and noise. s: as the seed table was made, to compare with it. qtdb: as "
            "the literature's bench has it, notebook: as those of cdae-bam and cnn-autoencoder, likewise."
        ),
    ] = "f",
    out_dir: Annotated[
        Path, typer.Option("--out", help="Holds a folder for each run, train-NAME on Track F.")
    ] = Path("out"),
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps [default: 16000; lowdelay: 40000].")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Minutes per network, in place of --steps.")] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            help="Minutes for all networks together; one of sixteen times the arithmetic gets twice the "
            "time. Networks with a finished run in --out are left out."
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Windows per step [default: 64; lowdelay: 16].")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Peak learning rate [default: 2e-3; lowdelay: 1e-3].")
    ] = None,
    validate_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between validations [default: 500; lowdelay: 100].")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of weights and examples.")] = None,
    noise: Annotated[str, typer.Option(help="Track S: noises, comma-separated: bw, em, ma, emb.")] = "emb",
    snr: Annotated[str, typer.Option(help="Track S: SNRs in dB, comma-separated.")] = "-4",
    mixing: Annotated[str, typer.Option(help="Track S: how emb is made, new or old.")] = "new",
    noise_version: Annotated[
        str, typer.Option(help="Track qtdb: which halves of the noise, comma-separated: 1, 2.")
    ] = "1,2",
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="All tracks but f: passes over the training windows [default: 100; a notebook's own].",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 is torch's choice.")] = 0,
    data_dir: DataDir = None,
    begin: Annotated[
        Path | None,
        typer.Option(help="Track f: folder of a finished run to begin with its weights, or a .safetensors."),
    ] = None,
    widened: Annotated[
        int | None,
        typer.Option(
            "--widen",
            min=1,
            help="lowdelay: channels to widen the weights of --begin to, their answers unchanged at first.",
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="lowdelay: the whole training, for a GPU, in place of a short one.")
    ] = False,
    end: Annotated[
        bool,
        typer.Option(
            "--end", help="lowdelay: take no further step, make weights of what the run has come to."
        ),
    ] = False,
    blended: Annotated[
        bool,
        typer.Option(
            "--blend",
            help="lowdelay: make weights between those of --begin and those that the run came to, by what "
            "is best for validation patients.",
        ),
    ] = False,
    patients: Annotated[
        Path | None,
        typer.Option(
            help="Track f, a network of one lead: folder of more patients and noise [default: lowdelay the "
            "one that ECG_STREAM_PATIENTS names, others none]."
        ),
    ] = None,
    pack_file: Annotated[
        Path | None,
        typer.Option("--pack", help="Train on what `ecg-stream pack` wrote, in place of records."),
    ] = None,
) -> None:
    """Train networks; the same command goes on where Ctrl-C ended it.

    Examples
    --------
    - `ecg-stream train unet` the full run on Track F
    - `ecg-stream train --all --budget 600` all of them in ten hours
    - `ecg-stream train acdae --track s --noise emb --snr -4,0,4`
    - `ecg-stream train lowdelay --full --patients ../patients` on a GPU
    - `ecg-stream train lowdelay --end` weights of a run that goes on later
    - `ecg-stream train unet --pack track-f.pack --device cuda` where no records are
    - `ecg-stream train deepfilter --track qtdb --out docs/results/qtdb`
    - `ecg-stream train cdae-bam cnn-autoencoder --track notebook`
    """
    from models.registry import NETWORKS, find_network

    chosen = names or (list(NETWORKS) if every else [])
    if not chosen or (names and every):
        raise InputError("name the networks to train, or give --all for every one of them")
    for name in chosen:
        find_network(name)
    check_torch()
    if pack_file is not None:
        from models.training.pack import unpack

        if data_dir is not None:
            raise InputError("--pack takes the place of --data-dir; give one of them")
        data_dir = unpack(pack_file, out_dir / "packed")
    where: dict[str, Any] = {"data_dir": data_dir, "device": device, "threads": threads}
    with goes_on(out_dir):
        if track == "s":
            _train_s(chosen, out_dir, noise, snr, mixing, epochs or EPOCHS, seed, where)
        elif track == "qtdb":
            _train_qtdb(chosen, out_dir, noise_version, epochs or EPOCHS, seed, where)
        elif track == "notebook":
            _train_notebook(chosen, out_dir, epochs, seed, where)
        else:
            given = {"steps": steps, "batch": batch, "rate": rate, "seed": seed}
            given = {key: value for key, value in given.items() if value is not None}
            if validate_every is not None:
                given["validate_every"] = validate_every
            keeping = [name for name in chosen if find_network(name).steps]
            if keeping and (minutes is not None or (budget is not None and names)):
                raise InputError(f"{keeping[0]} is trained for --steps, and can be ended at any: --end")
            if (full or end or blended or widened) and not keeping:
                raise InputError("--full, --end, --blend and --widen are for lowdelay")
            if budget is None:
                for name in keeping:
                    chosen_ways = {"widened": widened or 0, "end": end, "blended": blended}
                    _train_steps(name, out_dir, given, begin, patients, where | chosen_ways, full=full)
            rest = [name for name in chosen if name not in keeping]
            if rest:
                _train_f(rest, out_dir, given, minutes, budget, begin, patients, where)


def _train_steps(
    name: str,
    out_dir: Path,
    given: dict[str, Any],
    begin: Path | None,
    patients: Path | None,
    where: dict[str, Any],
    *,
    full: bool,
) -> None:
    from models.training.step_settings import FULL, StepSettings
    from models.training.train_steps import train_steps

    settings = replace(FULL if full else StepSettings(), **given)
    folder = train_steps(
        name,
        out_dir / f"train-{name}",
        settings,
        begin=begin,
        patients=patients,
        **where,
    )
    _say(name, folder)


def _say(name: str, folder: Path) -> None:
    out.print(
        f"trained: {folder}; ship it with `ecg-stream export {name} --run {folder} --install`", markup=False
    )


def _train_f(
    names: list[str],
    out_dir: Path,
    given: dict[str, Any],
    minutes: float | None,
    budget: float | None,
    begin: Path | None,
    patients: Path | None,
    where: dict[str, Any],
) -> None:
    from models.macs import macs
    from models.registry import find_network
    from models.training.train import train as run
    from models.training.train_all import train_all
    from models.training.train_settings import TrainSettings

    settings = TrainSettings(minutes=minutes, **given)
    if (begin or patients) and (budget is not None or len(names) > 1):
        raise InputError("--begin and --patients are for one network, and not with --budget")
    if budget is None:
        folders = [
            run(name, out_dir / f"train-{name}", settings, begin=begin, patients=patients, **where)
            for name in names
        ]
    else:
        work = {name: float(macs(find_network(name))) for name in names}

        def note(name: str, given: float) -> None:
            err.print(f"{name}: {given:.1f} of {budget:g} minutes")

        folders = train_all(work, out_dir, settings, budget, note, **where)
    for name, folder in zip(names, folders, strict=False):
        _say(name, folder)


def _train_s(
    names: list[str],
    out_dir: Path,
    noise: str,
    snr: str,
    mixing: str,
    epochs: int,
    seed: int | None,
    where: dict[str, Any],
) -> None:
    from models.benches.track_s import Condition
    from models.training.train_s import TrackSSettings, train_s

    for kind in words(noise):
        for level in numbers("snr", snr):
            settings = TrackSSettings(Condition(kind, level, literal(mixing)), epochs)
            if seed is not None:
                settings = replace(settings, seed=seed)
            for name in names:
                row = train_s(name, out_dir, settings, **where)
                out.print(f"{name}, {kind} at {level:g} dB: {row['snr_out_db']:.2f} dB", highlight=False)


def _train_qtdb(
    names: list[str], out_dir: Path, versions: str, epochs: int, seed: int | None, where: dict[str, Any]
) -> None:
    from models.benches.qtdb import NoiseVersion
    from models.training.train_qtdb import QtdbSettings, train_qtdb

    known: dict[str, NoiseVersion] = {"1": 1, "2": 2}
    for word in words(versions):
        if word not in known:
            raise InputError(f"noise version {word!r} is unknown; allowed: 1, 2")
        settings = QtdbSettings(known[word], epochs)
        if seed is not None:
            settings = replace(settings, seed=seed)
        for name in names:
            row = train_qtdb(name, out_dir, settings, **where)
            beats = sum(record["beats"] for record in row["records"])
            ssd = sum(record["beats"] * record["ssd"] for record in row["records"]) / beats
            out.print(f"{name}, noise {word}: SSD {ssd:.2f} mV² over {beats} beats", highlight=False)


def _train_notebook(
    names: list[str], out_dir: Path, epochs: int | None, seed: int | None, where: dict[str, Any]
) -> None:
    from models.training.train_notebook import SEED, train_notebook

    for name in names:
        row = train_notebook(name, out_dir, epochs=epochs, seed=SEED if seed is None else seed, **where)
        figures = f"MSE {row['train_mse']:.4f}, of the test windows {row['test_mse']:.4f}"
        if "snr_out_db" in row:
            figures += f"; {row['snr_in_db']:.2f} → {row['snr_out_db']:.2f} dB"
        out.print(f"{name}: {figures}", highlight=False)
