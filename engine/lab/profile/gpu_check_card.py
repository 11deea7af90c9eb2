"""The network of the GPU check, of the size that its goals were set for."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from models.registry import ModelCard, find_network

CHANNELS = (12, 24, 44, 66, 90)


@dataclass(frozen=True)
class MadeCard(ModelCard):
    """A network whose files lie in a folder of its own."""

    folder: Path = Path()

    @property
    def onnx_path(self) -> Path:
        """The graph."""
        return self.folder / f"{self.spec.name}.onnx"

    @property
    def weights_path(self) -> Path:
        """Its weights."""
        return self.folder / f"{self.spec.name}.safetensors"


def make_card(folder: Path) -> MadeCard:
    """The network of the check, with random weights, and its exported graph."""
    import torch
    from safetensors.torch import save_file

    from models.export import store
    from models.networks.unet import UNet

    torch.manual_seed(0)
    build = partial(UNet, CHANNELS)
    network = build()
    count = sum(parameter.numel() for parameter in network.parameters())
    spec = replace(find_network("unet"), name="gpu-check", parameters=count, build=build)
    card = MadeCard(spec, folder=folder)
    save_file(network.state_dict(), folder / "weights.safetensors")
    store(card, folder / "weights.safetensors")
    return card
