"""The NVIDIA driver through ctypes: the few calls that running a plan takes.

The driver's own library is on every machine that has an NVIDIA GPU, so a bedside box needs neither
torch (2 GB with CUDA) nor another package to run a plan. Functions, their types and their constants
are those of `cuda.h`, CUDA 13.0.
"""

import ctypes
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_size_t, c_uint, c_uint64, c_void_p
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
"""What every NVIDIA driver installs."""

# A suffix is the version of the function: the plain name is the one of CUDA 3 or 9.
_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "cuInit": (c_uint,),
    "cuDriverGetVersion": (POINTER(c_int),),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDevicePrimaryCtxRetain": (POINTER(c_void_p), c_int),
    "cuDevicePrimaryCtxRelease_v2": (c_int,),
    "cuCtxSetCurrent": (c_void_p,),
    "cuStreamCreate": (POINTER(c_void_p), c_uint),
    "cuStreamDestroy_v2": (c_void_p,),
    "cuStreamSynchronize": (c_void_p,),
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuStreamEndCapture": (c_void_p, POINTER(c_void_p)),
    "cuGraphInstantiateWithFlags": (POINTER(c_void_p), c_void_p, c_uint64),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphDestroy": (c_void_p,),
    "cuGraphExecDestroy": (c_void_p,),
    "cuMemAlloc_v2": (POINTER(c_uint64), c_size_t),
    "cuMemFree_v2": (c_uint64,),
    "cuMemHostAlloc": (POINTER(c_void_p), c_size_t, c_uint),
    "cuMemFreeHost": (c_void_p,),
    "cuMemcpyHtoDAsync_v2": (c_uint64, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoHAsync_v2": (c_void_p, c_uint64, c_size_t, c_void_p),
    "cuMemcpyDtoDAsync_v2": (c_uint64, c_uint64, c_size_t, c_void_p),
    "cuEventCreate": (POINTER(c_void_p), c_uint),
    "cuEventDestroy_v2": (c_void_p,),
    "cuEventRecordWithFlags": (c_void_p, c_void_p, c_uint),
    "cuEventElapsedTime": (POINTER(c_float), c_void_p, c_void_p),
    "cuGetErrorName": (c_int, POINTER(c_char_p)),
}
_NON_BLOCKING = 1
_CAPTURE_THREAD_LOCAL = 1
# Without it an event in a graph only orders its nodes and cannot be read.
_RECORD_EXTERNAL = 1


class Driver:
    """Calls functions of the driver's library by name; a failure is a RuntimeError that names it."""

    def __init__(self, library: Any) -> None:
        self._functions: dict[str, Any] = {}
        for name, arguments in _ARGUMENTS.items():
            function = getattr(library, name, None)
            if function is None:
                raise RuntimeError(f"{LIBRARY} has no {name}: the driver is older than CUDA 11.4")
            function.argtypes, function.restype = arguments, c_int
            self._functions[name] = function

    def __call__(self, function: str, *arguments: Any) -> None:
        """Call a function; the arguments are those of `cuda.h`."""
        status = self._functions[function](*arguments)
        if status:
            word = c_char_p()
            self._functions["cuGetErrorName"](status, byref(word))
            raise RuntimeError(f"{function}: {word.value.decode() if word.value else status}")


@cache
def load_driver() -> Driver:
    """The library of the driver.

    Raises
    ------
    OSError
        If there is none.
    """
    try:
        return Driver(ctypes.CDLL(LIBRARY))
    except OSError:
        raise OSError(f"{LIBRARY} cannot be loaded") from None


class Event:
    """A CUDA event in a captured graph; each launch records it anew."""

    def __init__(self, driver: Driver, stream: c_void_p) -> None:
        self._call, self._stream = driver, stream
        self.handle = c_void_p()
        driver("cuEventCreate", byref(self.handle), 0)

    def record(self) -> None:
        """Add the event to the graph that is being captured."""
        self._call("cuEventRecordWithFlags", self.handle, self._stream, _RECORD_EXTERNAL)

    def since(self, earlier: "Event") -> int:
        """Nanoseconds since an earlier event of a launch that is done; resolution 0.5 µs."""
        milliseconds = c_float()
        self._call("cuEventElapsedTime", byref(milliseconds), earlier.handle, self.handle)
        return round(1e6 * milliseconds.value)


class Graph:
    """Work that was captured from a stream, to be launched with one call."""

    def __init__(self, driver: Driver, stream: c_void_p) -> None:
        self._call, self._stream = driver, stream
        self.handle = c_void_p()

    def launch(self) -> None:
        """Put all of it on the stream."""
        self._call("cuGraphLaunch", self.handle, self._stream)


class Stream:
    """One stream of our own on the GPU, its buffers, events and graphs.

    It lives in the GPU's primary context, which TensorRT uses too. A thread says `use` before it
    does anything with it; only one thread may use it at a time.
    """

    def __init__(self) -> None:
        self._call = load_driver()
        self._call("cuInit", 0)
        self._device, self._context, self._stream = c_int(), c_void_p(), c_void_p()
        self._call("cuDeviceGet", byref(self._device), 0)
        self._call("cuDevicePrimaryCtxRetain", byref(self._context), self._device)
        self.use()
        # The default stream waits for every other one, and they for it.
        self._call("cuStreamCreate", byref(self._stream), _NON_BLOCKING)
        self._pinned: list[c_void_p] = []
        self._memory: list[c_uint64] = []
        self._events: list[Event] = []
        self._graphs: list[Graph] = []

    @property
    def handle(self) -> int:
        """What other libraries take for the stream."""
        return self._stream.value or 0

    def use(self) -> None:
        """Make the stream's context that of the calling thread."""
        self._call("cuCtxSetCurrent", self._context)

    def pinned(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Zeros in host memory that the GPU reads and writes without a copy in between."""
        pointer, size = c_void_p(), math.prod(shape) * np.dtype(dtype).itemsize
        self._call("cuMemHostAlloc", byref(pointer), size, 0)
        self._pinned.append(pointer)
        memory = memoryview((ctypes.c_char * size).from_address(pointer.value or 0)).cast("B")
        array = np.frombuffer(memory, dtype).reshape(shape)
        array[:] = 0
        return array

    def memory(self, size: int) -> int:
        """Address of `size` bytes on the GPU."""
        pointer = c_uint64()
        self._call("cuMemAlloc_v2", byref(pointer), size)
        self._memory.append(pointer)
        return pointer.value

    def event(self) -> Event:
        """A new event of this stream."""
        self._events.append(Event(self._call, self._stream))
        return self._events[-1]

    def to_device(self, address: int, pinned: NDArray[Any]) -> None:
        """Copy a contiguous piece of a pinned array to the GPU."""
        self._call("cuMemcpyHtoDAsync_v2", address, pinned.ctypes.data, pinned.nbytes, self._stream)

    def to_host(self, pinned: NDArray[Any], address: int) -> None:
        """Fill a contiguous piece of a pinned array from the GPU."""
        self._call("cuMemcpyDtoHAsync_v2", pinned.ctypes.data, address, pinned.nbytes, self._stream)

    def within(self, target: int, source: int, size: int) -> None:
        """Copy `size` bytes from one address on the GPU to another one there."""
        self._call("cuMemcpyDtoDAsync_v2", target, source, size, self._stream)

    def synchronize(self) -> None:
        """Wait until everything on the stream is done."""
        self._call("cuStreamSynchronize", self._stream)

    @contextmanager
    def capture(self) -> Iterator[Graph]:
        """Make a graph of what is put on the stream meanwhile; nothing of it runs yet."""
        graph, captured = Graph(self._call, self._stream), c_void_p()
        self._call("cuStreamBeginCapture_v2", self._stream, _CAPTURE_THREAD_LOCAL)
        try:
            yield graph
        finally:
            # A stream that is left capturing would refuse everything that follows.
            self._call("cuStreamEndCapture", self._stream, byref(captured))
        self._call("cuGraphInstantiateWithFlags", byref(graph.handle), captured, 0)
        self._call("cuGraphDestroy", captured)
        self._graphs.append(graph)

    def close(self) -> None:
        """Give back everything; arrays and addresses that came from here are no longer valid."""
        self.use()
        self.synchronize()
        for graph in self._graphs:
            self._call("cuGraphExecDestroy", graph.handle)
        for event in self._events:
            self._call("cuEventDestroy_v2", event.handle)
        for pointer in self._pinned:
            self._call("cuMemFreeHost", pointer)
        for address in self._memory:
            self._call("cuMemFree_v2", address)
        self._call("cuStreamDestroy_v2", self._stream)
        self._call("cuDevicePrimaryCtxRelease_v2", self._device)
