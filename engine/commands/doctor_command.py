"""`ecg-stream doctor`: what is installed, and what works."""

import os
import platform
from pathlib import Path

from streamer.console.installed import version_here
from streamer.console.output import out
from streamer.errors import InputError
from streamer.records.find import DATA_VARIABLE
from streamer.sources import SOURCES


def doctor() -> None:
    """Say what is installed, and which backends work here."""
    from importlib.metadata import PackageNotFoundError, version

    from rich.markup import escape
    from rich.table import Table

    from engine.backends import BACKENDS, choose_backend, explain_auto
    from engine.backends.gpu.find import find_gpu, why_no_gpu
    from engine.backends.tensorrt.plans import FOLDER_VARIABLE, plans_folder
    from engine.choices import networks
    from streamer.open_source import kind_of

    table = Table("part", "state", title=f"ecg-stream {version_here()}")

    def tell(part: str, state: str) -> None:
        # What is missing is named as pip wants it, in brackets, where rich would read markup.
        table.add_row(escape(part), escape(state))

    tell("Python", f"{platform.python_version()} on {platform.platform()}, {os.cpu_count()} CPUs")
    for package in (
        "numpy",
        "scipy",
        "onnxruntime",
        "wfdb",
        "pylsl",
        "torch",
        "onnx",
        "tensorrt",
        "tensorrt-rtx",
    ):
        try:
            tell(package, version(package))
        except PackageNotFoundError:
            tell(package, "not installed")
    tell("GPU", str(find_gpu() or why_no_gpu()))
    for name in BACKENDS[1:]:
        tell(f"backend {name}", _try_backend(name))
    tell("backend auto", explain_auto(choose_backend("auto")))
    tell("plans", f"{plans_folder()} ({FOLDER_VARIABLE} names another folder)")
    for name in SOURCES:
        source = kind_of(name)
        reason = source.why_not()
        tell(f"source {name}", f"no: {reason}" if reason else source.there())
    for name, reason in networks().items():
        tell(f"model {name}", f"no: {reason}" if reason else "works")
    data = os.environ.get(DATA_VARIABLE)
    folder = f"{data}{'' if Path(data).is_dir() else ' (does not exist)'}" if data else "not set"
    tell(DATA_VARIABLE, folder)
    out.print(table)


def _try_backend(name: str) -> str:
    """Load the default network and run it: installed is not yet working."""
    from engine.backends import open_backend, why_not
    from engine.config import EngineConfig
    from engine.pipeline import rehearse
    from models.registry import DEFAULT_NETWORK, load_card

    reason = why_not(name)
    if reason:
        return f"no: {reason}"
    try:
        card = load_card(DEFAULT_NETWORK)
        loaded = open_backend(name, card)
        rehearse(loaded, EngineConfig.of(card.spec, card.spec.lookahead_ms, 40.0))
        loaded.close()
    except (InputError, RuntimeError, ImportError, OSError) as error:
        return f"no: {error}"
    return "works"
