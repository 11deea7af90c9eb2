"""A GPU that is none: NVIDIA's driver, TensorRT and torch.cuda as `engine.backends` calls them.

All is on the CPU. Addresses are host memory, a stream runs what it is given at once, a graph is a
list of what it was given while it captured, and a plan is an ONNX graph that ONNX Runtime runs.
"""

import ctypes
import json
import sys
import time
import weakref
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from enum import IntEnum
from functools import partial
from importlib.machinery import ModuleSpec
from inspect import unwrap
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import onnxruntime as ort
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from engine.backends import cuda
from engine.backends.gpu import driver, find
from engine.backends.gpu.heartbeat import Heartbeat
from engine.backends.tensorrt import runtime as tensorrt
from engine.backends.tensorrt.plans import FOLDER_VARIABLE

CONTEXT = 0x1234_5678_9ABC
NOT_SUPPORTED = 801


def _taken(argument):
    """What C would see: the variable behind a pointer, the value of a number."""
    if isinstance(argument, ctypes._SimpleCData):
        return argument.value
    return getattr(argument, "_obj", argument)


class FakeLibrary:
    """What ctypes would load as libcuda; `broken` names a function that fails.

    `moved` counts the bytes that were copied to the device and back, `within` the copies inside it.
    """

    def __init__(self, capability=(8, 9), cuda=13010, devices=1):
        self.capability, self.cuda, self.devices = capability, cuda, devices
        self.broken = None
        self.capturing = None
        self.objects = {}
        self.launches = self.made = self.moved = self.within = 0
        for name in dir(self):
            if name.startswith("_cu"):
                setattr(self, name[1:], self._function(name[1:], getattr(self, name)))

    def _function(self, name, function):
        def call(*arguments):
            if name == self.broken:
                return NOT_SUPPORTED
            return function(*(_taken(argument) for argument in arguments)) or 0

        return call

    def _new(self, thing):
        self.made += 1
        self.objects[self.made] = thing
        return self.made

    def put(self, work):
        """Run it, or keep it for the graph that is being captured."""
        if self.capturing is None:
            work()
        else:
            self.capturing.append(work)

    def _cuInit(self, flags): ...

    def _cuDriverGetVersion(self, version):
        version.value = self.cuda

    def _cuDeviceGetCount(self, count):
        count.value = self.devices

    def _cuDeviceGet(self, device, ordinal):
        device.value = ordinal

    def _cuDeviceGetName(self, name, size, device):
        ctypes.memmove(name, b"Fake 4090\0", 10)

    def _cuDeviceGetAttribute(self, value, attribute, device):
        value.value = self.capability[{75: 0, 76: 1}[attribute]]

    def _cuDevicePrimaryCtxRetain(self, context, device):
        context.value = CONTEXT

    def _cuDevicePrimaryCtxRelease_v2(self, device): ...

    def _cuCtxSetCurrent(self, context):
        assert context == CONTEXT

    def _cuStreamCreate(self, stream, flags):
        stream.value = self._new("stream")

    def _cuStreamDestroy_v2(self, stream):
        assert self.objects.pop(stream) == "stream"

    def _cuStreamSynchronize(self, stream):
        assert self.capturing is None

    def _cuStreamBeginCapture_v2(self, stream, mode):
        self.capturing = []

    def _cuStreamEndCapture(self, stream, graph):
        graph.value, self.capturing = self._new(self.capturing), None

    def _cuGraphInstantiateWithFlags(self, executable, graph, flags):
        executable.value = self._new(self.objects[graph])

    def _cuGraphLaunch(self, executable, stream):
        self.launches += 1
        for work in self.objects[executable]:
            work()

    def _cuGraphDestroy(self, graph):
        del self.objects[graph]

    def _cuGraphExecDestroy(self, executable):
        del self.objects[executable]

    def _cuMemAlloc_v2(self, pointer, size):
        memory = ctypes.create_string_buffer(size)
        pointer.value = ctypes.addressof(memory)
        self.objects[pointer.value] = memory

    def _cuMemHostAlloc(self, pointer, size, flags):
        self._cuMemAlloc_v2(pointer, size)

    def _cuMemFree_v2(self, pointer):
        del self.objects[pointer]

    _cuMemFreeHost = _cuMemFree_v2

    def _cuMemcpyHtoDAsync_v2(self, device, host, size, stream):
        self.put(lambda: self._move(device, host, size))

    def _cuMemcpyDtoHAsync_v2(self, host, device, size, stream):
        self.put(lambda: self._move(host, device, size))

    def _move(self, target, source, size):
        self.moved += size
        ctypes.memmove(target, source, size)

    def _cuMemcpyDtoDAsync_v2(self, target, source, size, stream):
        self.within += 1
        self.put(lambda: ctypes.memmove(target, source, size))

    def _cuEventCreate(self, event, flags):
        event.value = self._new(SimpleNamespace(at=None))

    def _cuEventDestroy_v2(self, event):
        del self.objects[event]

    def _cuEventRecordWithFlags(self, event, stream, flags):
        assert flags == 1
        self.put(lambda: setattr(self.objects[event], "at", time.perf_counter_ns()))

    def _cuEventElapsedTime(self, milliseconds, earlier, later):
        milliseconds.value = (self.objects[later].at - self.objects[earlier].at) / 1e6

    def _cuGetErrorName(self, status, name):
        name.value = b"CUDA_ERROR_NOT_SUPPORTED" if status == NOT_SUPPORTED else None


class Severity(IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1


def _free(shape):
    """Axes without a number as -1."""
    return tuple(size if isinstance(size, int) else -1 for size in shape)


def fake_tensorrt(name, library):
    """A module with the API that both flavours share.

    `calls` lists what a run said, in order; `parse_errors`, `build_fails`, `refused` (how many
    plans the runtime refuses), `deaf` (a context method that returns False), `gain` (of the first
    output) and `rounding` (of the second one) break it.
    """
    trt = ModuleType(name)
    trt.__spec__ = ModuleSpec(name, None)
    trt.__version__ = "99.0"
    trt.calls, trt.builds = [], 0
    trt.parse_errors, trt.build_fails, trt.refused, trt.deaf = [], False, 0, None
    trt.gain, trt.rounding = 1.0, None
    trt.NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
    trt.BuilderFlag = SimpleNamespace(TF32="tf32", REQUIRE_USER_ALLOCATION="user")
    trt.MemoryPoolType = SimpleNamespace(WORKSPACE="workspace")
    trt.ComputeCapability = SimpleNamespace(SM89="8.9")
    trt.ILogger = type("ILogger", (), {"Severity": Severity})
    trt.Logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None})
    trt.IProgressMonitor = object

    class Parser:
        def __init__(self, network, logger):
            self.network = network

        def parse(self, graph):
            if not trt.parse_errors:
                session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
                self.network.graph = graph
                self.network.inputs = [
                    SimpleNamespace(name=each.name, shape=_free(each.shape)) for each in session.get_inputs()
                ]
            return not trt.parse_errors

        num_errors = property(lambda self: len(trt.parse_errors))

        def get_error(self, index):
            operator, node, text = trt.parse_errors[index]
            return SimpleNamespace(node_operator=lambda: operator, node_name=lambda: node, desc=lambda: text)

    class Network:
        num_inputs = property(lambda self: len(self.inputs))

        def get_input(self, index):
            return self.inputs[index]

    class Profile:
        def __init__(self):
            self.shapes = {}

        def set_shape(self, name, low, best, high):
            assert low == best == high
            assert -1 not in best
            self.shapes[name] = best

    class Config:
        def __init__(self):
            self.profiles, self.flags = [], set()

        def add_optimization_profile(self, profile):
            self.profiles.append(profile.shapes)
            return len(self.profiles) - 1

        def set_memory_pool_limit(self, pool, size): ...

        def set_flag(self, flag):
            self.flags.add(flag)

        def clear_flag(self, flag):
            self.flags.discard(flag)

        def set_compute_capability(self, capability, index):
            self.capability = capability

    class Builder:
        def __init__(self, logger):
            self.logger = logger

        def create_network(self, flags):
            assert flags == 2
            return Network()

        def create_builder_config(self):
            return Config()

        def create_optimization_profile(self):
            return Profile()

        def build_serialized_network(self, network, config):
            trt.builds += 1
            config.progress_monitor.phase_start("Building", None, 2)
            if not config.progress_monitor.step_complete("Building", 0):
                return None
            config.progress_monitor.phase_finish("Building")
            if trt.build_fails:
                self.logger.log(Severity.ERROR, "no tactic\n fits")
                return None
            return json.dumps(config.profiles).encode() + b"\n" + network.graph

    class Context:
        def __init__(self, profiles, session):
            self.profiles, self.session = profiles, session
            self.profile, self.shapes, self.addresses = 0, {}, {}

        def _said(self, name, *arguments):
            trt.calls.append((name, *arguments))
            return trt.deaf != name

        def set_optimization_profile_async(self, profile, stream):
            self.profile = profile
            return self._said("set_optimization_profile_async", profile)

        def set_input_shape(self, name, shape):
            assert tuple(shape) == tuple(self.profiles[self.profile][name])
            self.shapes[name] = shape
            return self._said("set_input_shape", name, shape)

        def set_tensor_address(self, name, address):
            assert set(self.shapes) == set(self.profiles[self.profile])
            self.addresses[name] = address
            return self._said("set_tensor_address", name)

        def is_stream_capturable(self):
            return self._said("is_stream_capturable")

        def execute_async_v3(self, stream):
            assert library.objects[stream] == "stream"
            library.put(self._execute)
            return self._said("execute_async_v3")

        def _execute(self):
            inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
            fed = {each.name: self._array(each, self.shapes.get(each.name, ())) for each in inputs}
            results = self.session.run(None, fed)
            results[0] = trt.gain * results[0]
            if trt.rounding:
                results[1] = results[1].astype(trt.rounding)
            for each, result in zip(outputs, results, strict=True):
                np.copyto(self._array(each, result.shape), result, casting="same_kind")

        def _array(self, tensor, shape):
            dtype = {"tensor(float)": np.float32, "tensor(int64)": np.int64}[tensor.type]
            size = np.dtype(dtype).itemsize * int(np.prod(shape))
            memory = (ctypes.c_char * size).from_address(self.addresses[tensor.name])
            return np.frombuffer(memory, dtype).reshape(shape)

    class Engine:
        def __init__(self, plan):
            head, _, graph = plan.partition(b"\n")
            self.profiles = json.loads(head)
            self.session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])

        def create_execution_context(self):
            return Context(self.profiles, self.session)

    class Runtime:
        def __init__(self, logger): ...

        def deserialize_cuda_engine(self, plan):
            if trt.refused:
                trt.refused -= 1
                return None
            return Engine(plan)

    trt.OnnxParser, trt.Builder, trt.Runtime = Parser, Builder, Runtime
    return trt


class Tape(TorchDispatchMode):
    """What torch did while it captured.

    Like a CUDA graph it repeats the same work on the same memory, so what Python decided, or took
    for a number, stays as it was; and it keeps nothing alive that was there before.
    """

    def __init__(self):
        super().__init__()
        self.work, self.made = [], {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        result = func(*args, **(kwargs or {}))
        self.work.append((func, tree_map(self._held, (args, kwargs or {})), result))
        self.made.update({id(leaf): leaf for leaf in tree_leaves(result)})
        return result

    def _held(self, leaf):
        if isinstance(leaf, torch.Tensor) and id(leaf) not in self.made:
            return weakref.ref(leaf)
        return leaf

    def replay(self):
        """Do it again; returns how many numbers went between pinned memory and the rest."""
        moved = 0
        with torch.inference_mode():
            for func, held, result in self.work:
                args, kwargs = tree_map(self._alive, held)
                if func is torch.ops.aten.copy_.default and any(map(FakeCudaGraph.is_pinned, args[:2])):
                    moved += args[0].numel()
                pairs = zip(tree_leaves(result), tree_leaves(func(*args, **kwargs)), strict=True)
                for old, new in pairs:
                    if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)
        return moved

    @staticmethod
    def _alive(leaf):
        if isinstance(leaf, weakref.ref):
            leaf = leaf()
            assert leaf is not None, "the graph reads memory that was given back"
        return leaf


class FakeCudaGraph:
    """torch.cuda.CUDAGraph; `launches` counts the replays of all, `moved` the numbers that they copied
    from and to pinned memory.
    """

    launches = moved = 0
    pinned: ClassVar = weakref.WeakSet()

    def __init__(self):
        self.tape = Tape()

    def replay(self):
        FakeCudaGraph.launches += 1
        FakeCudaGraph.moved += self.tape.replay()

    @classmethod
    def is_pinned(cls, tensor):
        memory = tensor.untyped_storage().data_ptr()
        return any(memory == each.untyped_storage().data_ptr() for each in cls.pinned)


def fake_torch_cuda(monkeypatch):
    """Put torch.cuda on the CPU; copies take 0.25 ms each."""

    class Stream:
        def wait_stream(self, other): ...

        def synchronize(self): ...

    class Event:
        def __init__(self, enable_timing, external):
            assert enable_timing
            assert external

        def record(self): ...

        def elapsed_time(self, later):
            return 0.25

    @contextmanager
    def graph(captured, stream, capture_error_mode):
        with captured.tape:
            yield

    zeros = torch.zeros
    fakes = {
        "is_available": lambda: True,
        "Stream": Stream,
        "current_stream": Stream,
        "stream": lambda stream: nullcontext(),
        "Event": Event,
        "CUDAGraph": FakeCudaGraph,
        "graph": graph,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda module: module)

    def make_zeros(*shape, pin_memory=False, device=None, **rest):
        made = zeros(*shape, **rest)
        if pin_memory:
            FakeCudaGraph.pinned.add(made)
        return made

    monkeypatch.setattr(torch, "zeros", make_zeros)
    # The backend sets these for good.
    for name in ("allow_tf32", "benchmark"):
        monkeypatch.setattr(torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))


def fake_driver(monkeypatch, library=None):
    """Have the driver's library be this one, and the GPU what it says."""
    library = library or FakeLibrary()
    loaded = driver.Driver(library)
    for module in (find, driver):
        monkeypatch.setattr(module, "load_driver", lambda: loaded)
    # What is found is remembered; this asks anew, every time.
    monkeypatch.setattr(find, "_look", unwrap(find._look))
    return library


def stand_in_tensorrt(monkeypatch, folder):
    """An 8.9 card with the RTX library, for one and four rows."""
    library = fake_driver(monkeypatch)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", fake_tensorrt("tensorrt_rtx", library))
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    _open_for_few_rows(monkeypatch, tensorrt)


def stand_in_cuda(monkeypatch, folder):
    """A card that torch uses, for one and four rows."""
    fake_driver(monkeypatch)
    fake_torch_cuda(monkeypatch)
    monkeypatch.setattr("importlib.metadata.version", lambda package: "2.13.0+cu130")
    _open_for_few_rows(monkeypatch, cuda)


def _open_for_few_rows(monkeypatch, module):
    entry = module.BACKEND
    monkeypatch.setattr(module, "BACKEND", replace(entry, open=partial(entry.open, rows=(1, 4))))
    # Here a beat would take the CPU from the test.
    monkeypatch.setattr("engine.backends.Heartbeat", partial(Heartbeat, interval_s=600.0))


STAND_INS = {"tensorrt": stand_in_tensorrt, "cuda": stand_in_cuda}
"""What lets a backend run here that needs a GPU: takes a MonkeyPatch and an empty folder."""
