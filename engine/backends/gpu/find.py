"""Which GPU there is. Looking loads the driver's library alone and creates no context on the GPU."""

from ctypes import byref, c_int, create_string_buffer
from dataclasses import dataclass
from functools import cache

from engine.backends.gpu.driver import load_driver

# cuda.h: CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
_MAJOR, _MINOR = 75, 76


@dataclass(frozen=True)
class Gpu:
    """The first NVIDIA GPU that this process may use (`CUDA_VISIBLE_DEVICES` decides).

    Parameters
    ----------
    capability
        Compute capability, such as (8, 9).
    cuda
        Newest CUDA version that the driver serves.
    """

    name: str
    capability: tuple[int, int]
    cuda: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.name} (compute capability {dotted(self.capability)})"


def dotted(version: tuple[int, int]) -> str:
    """(8, 9) as 8.9."""
    return f"{version[0]}.{version[1]}"


def find_gpu() -> Gpu | None:
    """The GPU; None where there is none, and `why_no_gpu` says why."""
    found = _look()
    return found if isinstance(found, Gpu) else None


def why_no_gpu() -> str:
    """Why there is no GPU; empty where there is one."""
    found = _look()
    return "" if isinstance(found, Gpu) else f"no NVIDIA GPU here ({found})"


@cache
def _look() -> Gpu | str:
    try:
        driver = load_driver()
    except (OSError, RuntimeError) as error:
        return f"no driver: {error}"
    number, version, device, major, minor = (c_int() for _ in range(5))
    name = create_string_buffer(128)
    try:
        driver("cuInit", 0)
        driver("cuDeviceGetCount", byref(number))
        if not number.value:
            return "the driver shows none"
        driver("cuDriverGetVersion", byref(version))
        driver("cuDeviceGet", byref(device), 0)
        driver("cuDeviceGetName", name, len(name), device)
        driver("cuDeviceGetAttribute", byref(major), _MAJOR, device)
        driver("cuDeviceGetAttribute", byref(minor), _MINOR, device)
    except RuntimeError as error:
        return str(error)
    cuda = version.value // 1000, version.value % 1000 // 10
    return Gpu(name.value.decode(), (major.value, minor.value), cuda)
