"""Everything that can be chosen by name, and the card that says what it is.

The facts of a network (paper, window, rate) stand here; what came out of its training (figures,
time, machine) stands in the JSON card beside its weights.
"""

import hashlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.card import Trained, read_card
from models.classical import CLASSICAL
from models.published import PUBLISHED
from models.spec import ClassicalSpec, NetworkSpec, StepSpec
from streamer.errors import InputError

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = Path(__file__).parent / "weights"
DEFAULT_NETWORK = "lowdelay"


def _build_low_delay(**options: Any) -> "nn.Module":
    from models.networks.lowdelay import LowDelay

    return LowDelay(**options)


def _build_low_delay_products() -> "nn.Module":
    from models.networks.lowdelay_products import LowDelayProducts

    return LowDelayProducts()


def _build_unet() -> "nn.Module":
    from models.networks.unet import UNet

    return UNet()


NETWORKS = {
    spec.name: spec
    for spec in (
        NetworkSpec(
            name="lowdelay",
            title="causal network with a fixed look-ahead, which keeps its state",
            paper="ours: models/networks/lowdelay.py",
            fs=360.0,
            window=720,
            leads=1,
            parameters=530_759,
            normalisation="none; gains of 1/3 to 3 were trained",
            build=_build_low_delay,
            exported=_build_low_delay_products,
            steps=StepSpec(
                multiple=4, longest=720, state=10_251, led_by=2, lookahead=108, context=720, learns=3600
            ),
            more_patients=True,
            lookahead_ms=100.0,
        ),
        NetworkSpec(
            name="unet",
            title="single-lead U-Net with a dilated bottom",
            paper="after Ronneberger, Fischer & Brox, MICCAI 2015, doi 10.1007/978-3-319-24574-4_28",
            fs=360.0,
            window=720,
            leads=1,
            parameters=928_337,
            normalisation="each window by its own mean and standard deviation",
            build=_build_unet,
        ),
        *PUBLISHED,
    )
}


SYSTEMS: dict[str, NetworkSpec | ClassicalSpec] = {**NETWORKS, **CLASSICAL}
"""Everything that ``--model`` takes."""


def add_network(module: str) -> None:
    """Make the network known whose facts are ``SPEC`` in a module: to training, export and ``--model``.

    Raises
    ------
    InputError
        If there is a system of that name already.
    """
    spec: NetworkSpec = import_module(module).SPEC
    if spec.name in SYSTEMS:
        raise InputError(f"{module}: there is a model {spec.name!r} already; choose another name")
    NETWORKS[spec.name] = SYSTEMS[spec.name] = spec


def find_system(name: str) -> NetworkSpec | ClassicalSpec:
    """Look a network or a classical system up by name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in SYSTEMS:
        raise InputError(f"model {name!r} is unknown; there are: {', '.join(SYSTEMS)}")
    return SYSTEMS[name]


def find_network(name: str) -> NetworkSpec:
    """Look a network up by name: what can be trained and exported.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    why = "has nothing to train or export" if name in CLASSICAL else "is unknown"
    raise InputError(f"model {name!r} {why}; there are: {', '.join(NETWORKS)}")


@dataclass(frozen=True)
class ModelCard:
    """A system ready to run.

    Parameters
    ----------
    spec
        Its facts.
    trained
        What the card beside a network's weights says; None for what has no weights.
    """

    spec: NetworkSpec | ClassicalSpec
    trained: Trained | None = None

    @property
    def network(self) -> NetworkSpec:
        """`spec`, where it is a network's: what torch can build."""
        if isinstance(self.spec, ClassicalSpec):
            raise TypeError(f"{self.spec.name} is no network")
        return self.spec

    @property
    def onnx_path(self) -> Path:
        """The graph, without its weights, that every backend but torch runs (`models.graphs`)."""
        return WEIGHTS / f"{self.spec.name}.onnx"

    @property
    def weights_path(self) -> Path:
        """The weights, of the graph and of the network in torch (`models.storage`)."""
        return WEIGHTS / f"{self.spec.name}.safetensors"

    @property
    def card_path(self) -> Path:
        """The JSON that `trained` is read from."""
        return WEIGHTS / f"{self.spec.name}.json"

    def check_files(self) -> None:
        """Refuse model files that are not, to the bit, those that the card was written for, if there is one.

        Raises
        ------
        InputError
            If one is missing, or another one.
        """
        install = f"install ecg-stream again, or run `ecg-stream export {self.spec.name} --run … --install`"
        known = self.trained
        for path, expected in (
            (self.weights_path, known.weights_sha256 if known else None),
            (self.onnx_path, known.onnx_sha256 if known else None),
        ):
            if not path.is_file():
                raise InputError(f"model {self.spec.name!r} has no {path}; {install}")
            found = sha256(path)
            if expected is not None and found != expected:
                raise InputError(
                    f"model file {path} is not the one that was shipped: its SHA-256 begins {found[:12]}, "
                    f"its card says {expected[:12]}; {install}"
                )


def load_card(name: str) -> ModelCard:
    """Card of a classical system, or of a network that is shipped with weights.

    Raises
    ------
    InputError
        If the name is unknown, no weights are there yet, or their card is no card (`models.card`).
    """
    spec = find_system(name)
    card = ModelCard(spec)
    if isinstance(spec, ClassicalSpec):
        return card
    if not card.card_path.is_file():
        raise InputError(
            f"model {name!r} has no weights in {WEIGHTS}; run `ecg-stream train {name}`, "
            f"then `ecg-stream export {name} --run out/train-{name} --install`"
        )
    return ModelCard(spec, read_card(card.card_path))


def sha256(path: Path) -> str:
    """Fingerprint of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
