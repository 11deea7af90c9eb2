"""States that stay on a device: no copy of them comes to the host, and the samples are as from there."""

import gc
import sys

import numpy as np
import pytest
import torch
from engine_tools import cut, indices, joined
from fake_gpu import FakeCudaGraph, fake_driver, fake_tensorrt, fake_torch_cuda
from step_tools import NAME, STEPS, backend, config, ecg

from engine.backends.adapters import adapt
from engine.backends.base import Runtime, keeps_places
from engine.backends.cuda import open_cuda
from engine.backends.onnxrt import OnnxRuntime
from engine.backends.places import Places
from engine.backends.reliable import Reliable
from engine.backends.tensorrt.plans import FOLDER_VARIABLE
from engine.backends.tensorrt.runtime import open_tensorrt
from engine.pipeline import Memory, clean, unguarded
from engine.snapshot import pack, unpack
from models.registry import load_card

torch.set_num_threads(1)

AS_ONNX_MV = 1e-4
"""What torch and ONNX Runtime differ by."""
ROWS = (1, 4)
CARD = load_card(NAME)


class Watched(Runtime):
    """Passes calls on; counts copies of states, and fails from the call with the number `fails_at` on."""

    def __init__(self, runtime, places, fails_at=None):
        self._runtime, self.fails_at, self.calls, self.copied = runtime, fails_at, 0, 0
        self.name, self.fixed_rows = runtime.name, runtime.fixed_rows
        self.places = Places(range(ROWS[-1], ROWS[-1] + places))
        self.all = len(self.places)

    def run(self, inputs):
        self.calls += 1
        if self.fails_at is not None and self.calls >= self.fails_at:
            raise RuntimeError("the GPU fell off the bus")
        return self._runtime.run(inputs)

    def read(self, places):
        self.copied += len(places)
        return self._runtime.read(places)

    def write(self, places, state):
        self.copied += len(places)
        self._runtime.write(places, state)


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A plan, and the driver's library that it runs on."""
    with pytest.MonkeyPatch.context() as patch:
        library = fake_driver(patch)
        patch.setitem(sys.modules, "tensorrt_rtx", fake_tensorrt("tensorrt_rtx", library))
        patch.setenv(FOLDER_VARIABLE, str(tmp_path_factory.mktemp("plans")))
        runtime = open_tensorrt(CARD, rows=ROWS, places=220)
    yield runtime, library
    runtime.close()


@pytest.fixture(scope="module")
def captured():
    with pytest.MonkeyPatch.context() as patch:
        fake_torch_cuda(patch)
        runtime = open_cuda(CARD, rows=ROWS, places=220)
    gc.collect()
    yield runtime
    runtime.close()


@pytest.fixture
def device(captured, monkeypatch):
    """Makes a device with so many places; the fake of torch.cuda does not stay beyond a test."""
    fake_torch_cuda(monkeypatch)

    def make(places=220, **options):
        return Watched(captured, places, **options)

    return make


def steps_of(runtime):
    return adapt(runtime, CARD.spec)


def in_turn(beds, size=16):
    """Rounds with a chunk of each of these (leads, samples), by name."""
    streams = [cut(data, [size], stream=name) for name, data in beds.items()]
    while chunks := [chunk for stream in streams if (chunk := next(stream, None))]:
        yield chunks


def assert_alike(found, expected, names):
    for name in names:
        np.testing.assert_array_equal(indices(found, name), indices(expected, name))
        for what in ("cleaned", "mean_square"):
            ours, theirs = joined(found, what, name), joined(expected, what, name)
            np.testing.assert_allclose(ours, theirs, atol=AS_ONNX_MV, err_msg=f"{what} of {name}")


def test_two_hundred_rows_step_without_a_copy_of_a_state(device):
    beds = {"one": ecg(100, 32), "other": ecg(100, 32, seed=1)}
    runtime = device()
    FakeCudaGraph.moved = FakeCudaGraph.launches = 0
    found = list(unguarded(in_turn(beds), config(lookahead=0), steps_of(runtime)))
    rows = FakeCudaGraph.launches * ROWS[-1]
    assert rows == 2 * 200
    # Samples, place, and word of a beginning there; answer with its spread, and two numbers back.
    per_row = 16 + 1 + 2 + 2 * 16 + 2
    assert FakeCudaGraph.moved == rows * per_row + FakeCudaGraph.launches
    assert per_row < STEPS.state / 100
    assert runtime.copied == 0
    assert_alike(found, list(unguarded(in_turn(beds), config(lookahead=0), backend())), beds)


def test_two_hundred_rows_of_a_plan_step_without_a_copy_of_a_state(planned):
    beds = {"one": ecg(100, 32), "other": ecg(100, 32, seed=1)}
    runtime, library = Watched(planned[0], 220), planned[1]
    library.moved = library.within = library.launches = 0
    found = list(unguarded(in_turn(beds), config(lookahead=0), steps_of(runtime)))
    rows = library.launches * ROWS[-1]
    assert rows == 2 * 200
    # Samples and word of a beginning there; answer with its spread, and two numbers back.
    per_row = 16 + 2 + 2 * 16 + 2
    assert library.moved == 4 * rows * per_row + 8 * library.launches
    # Rows whose places follow one another are one copy on the device, from there and back.
    assert library.within == 2 * library.launches
    assert runtime.copied == 0
    assert_alike(found, list(unguarded(in_turn(beds), config(lookahead=0), backend())), beds)


def ward():
    """Rounds of streams that join late, leave early, have a gap, and leads that go wrong."""
    first, second, third = ecg(2, 400, seed=1), ecg(1, 400, seed=2) + np.float32(50), ecg(2, 160, seed=3)
    second[0, 200:] += 60  # an electrode jumps: this lead alone starts afresh
    first[1, 330:333] = np.nan
    late = [c for c in cut(first, [16], stream="first") if not 96 <= c.start < 160]
    rounds = [[chunk] for chunk in late]
    for at, chunk in enumerate(cut(second, [16], stream="second")):
        rounds[min(at, len(rounds) - 1)].append(chunk)
    for at, chunk in enumerate(cut(third, [16], stream="third")):
        rounds[at + 10].append(chunk)
    return rounds


BEDS = ("first", "second", "third")


@pytest.fixture(scope="module")
def expected():
    return list(unguarded(ward(), config(), backend()))


def test_rows_join_leave_and_begin_afresh_as_on_the_host(device, expected):
    runtime = device()
    found = list(unguarded(ward(), config(), steps_of(runtime)))
    assert_alike(found, expected, BEDS)
    assert runtime.copied == 0


@pytest.mark.parametrize("places", [220, 4])
def test_rows_of_a_plan_join_leave_begin_afresh_and_make_room_as_on_the_host(planned, expected, places):
    runtime = Watched(planned[0], places)
    found = list(unguarded(ward(), config(), steps_of(runtime)))
    assert_alike(found, expected, BEDS)
    assert (runtime.copied > 0) == (places == 4)


@pytest.mark.parametrize("places", [4, 1])
def test_more_leads_than_places_are_cleaned_the_same(device, expected, places):
    """Five leads for four places: some make room. For one: two leads find none, and come and go."""
    runtime = device(places)
    found = list(unguarded(ward(), config(), steps_of(runtime)))
    assert_alike(found, expected, BEDS)
    assert runtime.copied > 0


def test_a_lead_whose_answer_is_no_number_begins_afresh_alone(device):
    class Sick(Watched):
        def run(self, inputs):
            answer, told = super().run(inputs)
            if self.calls == 4:
                told[1] = np.inf
            return answer, told

    data = ecg(2, 320)
    runtime = Sick(device()._runtime, 220)
    found = joined(list(unguarded(in_turn({"a": data}), config(), steps_of(runtime))), "cleaned")
    alone = joined(list(unguarded(in_turn({"a": data}), config(), backend())), "cleaned")
    np.testing.assert_allclose(found[0], alone[0], atol=AS_ONNX_MV)
    assert np.abs(found[1, 64:128] - alone[1, 64:128]).max() > 100 * AS_ONNX_MV


@pytest.mark.parametrize("goes_on", ["device", "host"])
def test_a_snapshot_is_one_copy_that_any_backend_goes_on_from(device, goes_on):
    rounds = ward()
    runtime, before = device(), Memory(config())

    class Cut(Exception):
        pass

    def given():
        yield from rounds[:16]
        raise Cut

    left = []
    steps = steps_of(runtime)
    with pytest.raises(Cut):
        left += clean(given(), config(), steps, memory=before, guarded=False)
    packed = pack(before.snapshot(), {})
    assert runtime.copied == 5
    after = Memory(config())
    after.restore(unpack(packed, {}))
    other = steps_of(device()) if goes_on == "device" else backend()
    left += clean(rounds[16:], config(), other, memory=after, guarded=False)
    whole = list(clean(ward(), config(), backend(), guarded=False))
    for name in BEDS:
        ours, theirs = joined(left, "cleaned", name), joined(whole, "cleaned", name)
        np.testing.assert_allclose(ours, theirs[:, -ours.shape[1] :], atol=AS_ONNX_MV)


def test_another_hop_and_look_ahead_take_over_with_every_place_free_again(device):
    runtime = device(4)
    steps = steps_of(runtime)
    data = ecg(4, 160)
    for hop, lookahead in ((16, 36), (36, 0), (4, 108)):
        chosen = config(hop, lookahead)
        found = list(unguarded(in_turn({"a": data}), chosen, steps))
        assert len(runtime.places) == runtime.all
        assert_alike(found, list(unguarded(in_turn({"a": data}), chosen, backend())), "a")
    assert runtime.copied == 0


def test_states_of_a_device_that_fails_are_gone_and_the_next_runtime_goes_on(device):
    runtime = device(fails_at=6)
    reliable = Reliable(runtime, CARD.spec, [lambda: OnnxRuntime(CARD)])
    steps = steps_of(reliable)
    assert keeps_places(steps)
    data = ecg(2, 480)
    found = list(unguarded(in_turn({"a": data}), config(), steps))
    assert not keeps_places(steps)
    assert reliable.name == "onnx"
    assert "fell off the bus" in reliable.failures[0]
    cleaned = joined(found, "cleaned")
    np.testing.assert_array_equal(indices(found), np.arange(480))
    lost = ~np.isfinite(cleaned).all(axis=0)
    assert lost.sum() == 16
    # Afresh from there on: as a stream that begins with the hop after.
    first = int(np.flatnonzero(lost)[-1]) + 1 + config().lookahead
    fresh = joined(list(unguarded(in_turn({"a": data[:, first:]}), config(), backend())), "cleaned")
    np.testing.assert_allclose(cleaned[:, first:], fresh, atol=AS_ONNX_MV)


def test_what_was_placed_is_not_asked_of_a_runtime_that_took_over(device):
    """It may take over while states are read, between two steps: the next step gives no numbers."""
    runtime = device()
    reliable = Reliable(runtime, CARD.spec, [lambda: OnnxRuntime(CARD)])
    steps = steps_of(reliable)
    places = reliable.places.claim(2)
    runtime.read = lambda places: (_ for _ in ()).throw(RuntimeError("lost"))
    assert np.isnan(steps.read(places)).all()
    answer, told = steps.step_placed(
        np.zeros((2, 1, 16), np.float32), places, np.zeros((2, 2), np.float32), 0
    )
    assert np.isnan(answer).all()
    assert np.isnan(told).all()
    assert len(reliable.failures) == 1
    assert not reliable.broken


def test_wrong_places_are_refused_with_what_was_expected(device):
    steps = steps_of(device())
    samples, begin = np.zeros((2, 1, 16), np.float32), np.zeros((2, 2), np.float32)
    with pytest.raises(ValueError, match=r"places must be int64 of shape \(2,\), got int64 of \(1,\)"):
        steps.step_placed(samples, np.array([9]), begin, 0)
    with pytest.raises(ValueError, match=r"begin must have shape \(2, 2\)"):
        steps.step_placed(samples, np.array([9, 10]), begin[:1], 0)
    with pytest.raises(ValueError, match="state must have shape"):
        steps.write(np.array([9, 10]), np.zeros((1, STEPS.state), np.float32))


def test_places_are_given_out_once_and_taken_back():
    places = Places(range(4, 7))
    assert places.claim(2).tolist() == [4, 5]
    assert places.claim(2) is None
    places.release([4])
    assert places.claim(2).tolist() == [4, 6]
    assert len(places) == 0
