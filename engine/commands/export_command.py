"""`ecg-stream export`: weights as a graph or a plan."""

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from streamer.console.options import words
from streamer.console.output import check_writable, out, progress
from streamer.errors import InputError


def export(
    name: Annotated[str, typer.Argument(help="Network to export.")],
    format: Annotated[
        Literal["onnx", "tensorrt"], typer.Option(help="onnx, or tensorrt: a plan for one kind of GPU.")
    ] = "onnx",
    run: Annotated[
        Path | None, typer.Option(help="Folder of a training run [default: the shipped weights].")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="File to write [default: NAME.onnx], or for a plan also a folder: it then gets the name "
            "that runs look for in the folder that ECG_STREAM_PLANS names."
        ),
    ] = None,
    install: Annotated[
        bool,
        typer.Option("--install", help="Make the run's weights the ones that the package ships."),
    ] = False,
    precision: Annotated[
        Literal["fp32", "fp16"], typer.Option(help="fp32, or fp16: convolutions in half precision.")
    ] = "fp32",
    flavour: Annotated[
        str,
        typer.Option(help="Library for a plan: rtx (needs no GPU here) or classic (builds on the GPU)."),
    ] = "rtx",
    compute_capability: Annotated[
        str | None, typer.Option(help="GPU that a plan is for, such as 8.9 [default: the one here].")
    ] = None,
    rows: Annotated[
        str | None, typer.Option(help="Batch sizes of a plan. [default: those that runs look for]")
    ] = None,
) -> None:
    """Turn weights into an ONNX graph or a TensorRT plan.

    A graph is run beside the network, and how far the two differ is printed.
    """
    from models.registry import find_network, load_card
    from models.torch_needed import check_torch

    spec = find_network(name)
    target = output or Path(f"{name}.onnx" if format == "onnx" else ".")
    if format == "tensorrt":
        _export_plan(name, target, run, flavour, compute_capability, precision, rows)
        return
    check_torch()
    from models.export import export_onnx
    from models.install import install_run

    if install:
        if run is None:
            raise InputError("--install needs --run, the folder of the training run to install")
        difference = install_run(spec, run)
        out.print(f"installed {name}; differs from torch by {difference:.1e} mV")
        return
    check_writable(target)
    weights = run / "weights.safetensors" if run else load_card(name).weights_path
    difference = export_onnx(spec, weights, target, precision)
    out.print(f"{target}: differs from torch by {difference:.1e} mV", markup=False)


def _export_plan(
    name: str,
    target: Path,
    run: Path | None,
    flavour: str,
    capability: str | None,
    precision: str,
    rows: str | None,
) -> None:
    from tempfile import TemporaryDirectory

    from engine.backends.gpu.shapes import FIXED_ROWS
    from engine.backends.tensorrt.export import export_plan
    from models.graphs import graph_of
    from models.registry import find_network, load_card
    from models.torch_needed import check_torch

    check_writable(target / "plan" if target.is_dir() else target)
    if run:
        check_torch()
        from models.export import export_onnx

        with TemporaryDirectory() as folder:
            export_onnx(find_network(name), run / "weights.safetensors", Path(folder, "graph.onnx"))
            graph = Path(folder, "graph.onnx").read_bytes()
    else:
        graph = graph_of(load_card(name))
    begun = time.perf_counter()
    with progress() as show:
        file = export_plan(
            name,
            graph,
            target,
            flavour=flavour,
            capability=_capability(capability) if capability else None,
            precision=precision,
            rows=FIXED_ROWS if rows is None else _counts(rows),
            progress=show,
        )
    out.print(
        f"{file}: {file.stat().st_size / 1e6:.1f} MB, built in {time.perf_counter() - begun:.1f} s",
        soft_wrap=True,
    )


def _capability(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise InputError(f"--compute-capability {text!r} is none; give it as in 8.9")
    return int(major), int(minor)


def _counts(text: str) -> tuple[int, ...]:
    if not all(part.isdecimal() for part in words(text)):
        raise InputError(f"--rows {text!r} is no list of batch sizes such as 1,8,64")
    return tuple(int(part) for part in words(text))
