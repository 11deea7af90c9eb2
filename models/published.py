"""The published networks and their facts, as `NetworkSpec`; the sources stand in each network's file.

All of them stream at 360 Hz. Where a network is convolutional its window here is a stream's choice,
and `deviations` says so.
"""

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from models.spec import NetworkSpec

if TYPE_CHECKING:
    from torch import nn

FS = 360.0
Z_SCORE = "each lead of each window by its own mean and standard deviation"
TWO_SECONDS = "window of 2 s instead of {} samples"


def _make(made_by: tuple[str, str], **options: Any) -> "nn.Module":
    """The bare network, as for Track S."""
    module, name = made_by
    network: nn.Module = getattr(import_module(f"models.networks.{module}"), name)(**options)
    return network


def _make_normalised(made_by: tuple[str, str], **options: Any) -> "nn.Module":
    """The network for a stream: its scale is taken out and put back inside the graph."""
    from models.networks.normalise import Normalised

    return Normalised(_make(made_by, **options))


def _published(
    name: str,
    title: str,
    paper: str,
    made_by: tuple[str, str],
    *,
    window: int,
    leads: int,
    parameters: int,
    deviations: str = "",
    corrected: bool = False,
    corrected_parameters: int = 0,
    **options: Any,
) -> NetworkSpec:
    """Facts of one network; `corrected` ones take the switch ``replica``."""
    replica: dict[str, Any] = {"replica": True} if corrected else {}
    return NetworkSpec(
        name=name,
        title=title,
        paper=paper,
        fs=FS,
        window=window,
        leads=leads,
        parameters=corrected_parameters or parameters,
        normalisation=Z_SCORE,
        build=partial(_make_normalised, made_by, **options),
        deviations=deviations,
        replica=partial(_make, made_by, **options, **replica),
        replica_parameters=parameters,
    )


_DANCE = "github.com/mallocobject/DANCE at a39f1e9 (no publication)"
_SIGNED_MEAN = "thresholds from the mean magnitude instead of the signed mean"

PUBLISHED = (
    _published(
        "ude-dr",
        "Ude-net and DR-net, two stages as one network",
        "Qiu et al., Physiol. Meas. 42(11), 2021, doi 10.1088/1361-6579/ac34ea",
        ("ude_dr", "UdeDR"),
        window=720,
        leads=1,
        parameters=276_545 + 228_612,
        deviations=TWO_SECONDS.format(3600),
    ),
    _published(
        "ra-lenet",
        "U-shaped transformer with R-wave attention and local enhancement",
        "Zhu, Zhu & Liu, IJCNN 2024, doi 10.1109/IJCNN60899.2024.10650979",
        ("ra_lenet", "RALENet"),
        window=256,
        leads=2,
        parameters=1_087_282,
        corrected=True,
        corrected_parameters=1_098_940,
        deviations=(
            "R-wave bias wherever tokens are near instead of in the window's middle; local enhancement "
            "of all channels instead of one (so 1,098,940 parameters instead of 1,087,282); tokens "
            "split side by side instead of half a window apart"
        ),
    ),
    _published(
        "cnn-autoencoder",
        "small convolutional autoencoder",
        "github.com/rajeshkumar-niet/ECG at 70ec1fb (no publication)",
        ("cnn_autoencoder", "CNNAutoencoder"),
        window=720,
        leads=1,
        parameters=4_337,
        corrected=True,
        deviations=(
            "linear head and z-score instead of a sigmoid and the recording's minimum and maximum; "
            + TWO_SECONDS.format(2048)
        ),
    ),
    _published(
        "cdae-bam",
        "convolutional autoencoder with a gated bottleneck",
        "github.com/rafid29mehda/ECG-Denoising-CDAE-BAM at 9989ec0 (no publication)",
        ("cdae_bam", "CDAEBAM"),
        window=256,
        leads=1,
        parameters=18_049,
    ),
    _published(
        "cdae-cbam",
        "convolutional autoencoder with block attention",
        "Chorney et al., Biomed. Signal Process. Control 86, 2023, doi 10.1016/j.bspc.2023.105242",
        ("cdae_cbam", "CDAECBAM"),
        window=512,
        leads=1,
        parameters=216_804,
    ),
    _published(
        "ags-unet",
        "U-Net with shrinkage and gated skips",
        "github.com/mallocobject/AGS-UNet at fb326a0 (no publication)",
        ("ags_unet", "AGSUNet"),
        window=256,
        leads=2,
        parameters=169_923,
        corrected=True,
        deviations=f"no LeakyReLU on the output; {_SIGNED_MEAN}",
    ),
    _published(
        "ciadnet",
        "U-Net with channel and spatial shrinkage",
        _DANCE,
        ("ciadnet", "CIADNet"),
        window=256,
        leads=2,
        parameters=180_338,
        corrected=True,
        deviations=_SIGNED_MEAN,
    ),
    _published(
        "ciadnet-channel",
        "CIADNet with channel shrinkage alone",
        _DANCE,
        ("ciadnet", "CIADNet"),
        window=256,
        leads=2,
        parameters=179_618,
        corrected=True,
        deviations=_SIGNED_MEAN,
        shrinks="channel",
    ),
    _published(
        "ciadnet-spatial",
        "CIADNet with spatial shrinkage alone",
        _DANCE,
        ("ciadnet", "CIADNet"),
        window=256,
        leads=2,
        parameters=159_058,
        shrinks="spatial",
    ),
    _published(
        "unet-seed",
        "the plain U-Net that CIADNet is compared with",
        _DANCE,
        ("seed_unet", "SeedUNet"),
        window=256,
        leads=2,
        parameters=157_858,
    ),
    _published(
        "dacnn",
        "autoencoder with adaptive ReLU and dual attention",
        "He et al., EMBC 2021, doi 10.1109/EMBC46164.2021.9630123",
        ("dacnn", "DACNN"),
        window=256,
        leads=2,
        parameters=286_745,
    ),
    _published(
        "acdae",
        "autoencoder with channel attention and skips",
        "Singh & Sharma, IEEE Trans. Instrum. Meas. 71, 2022, doi 10.1109/TIM.2022.3197757",
        ("acdae", "ACDAE"),
        window=256,
        leads=2,
        parameters=201_006,
    ),
    _published(
        "fcn-dae",
        "fully convolutional autoencoder, 32-fold compression",
        "Chiang et al., IEEE Access 7, 2019, doi 10.1109/ACCESS.2019.2912036",
        ("fcn_dae", "FCNDAE"),
        window=1024,
        leads=1,
        parameters=80_223,
    ),
    _published(
        "deepfilter",
        "parallel kernels, linear and not, dilated (LANLD)",
        "Romero et al., Biomed. Signal Process. Control 70, 2021, doi 10.1016/j.bspc.2021.102992",
        ("deepfilter", "DeepFilter"),
        window=512,
        leads=1,
        parameters=68_719,
    ),
    _published(
        "drnn",
        "one LSTM and a small network on its states",
        "Antczak, 2018, arXiv 1807.11551",
        ("drnn", "DRNN"),
        window=512,
        leads=1,
        parameters=25_281,
    ),
)
