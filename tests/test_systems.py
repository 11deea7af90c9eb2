"""What every system of the registry keeps, network or classical, shipped with weights or not yet."""

from functools import cache

import numpy as np
import pytest
import torch
from engine_tools import Identity, cut, joined
from job_tools import job_of
from step_tools import ecg, whole

from engine.backends import choose_backend, open_backend
from engine.config import EngineConfig
from engine.lead_groups import rows_of
from engine.overlap_add import fade
from engine.pipeline import clean
from engine.run.prepare import check_job
from models.classical import CLASSICAL
from models.macs import macs
from models.registry import NETWORKS, SYSTEMS, load_card
from models.spec import NetworkSpec
from streamer.errors import InputError

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine

every_system = pytest.mark.parametrize("name", SYSTEMS)
PAIRS = {
    1: [(0, 0, 0)],
    3: [(0, 1, 0), (0, 1, 1), (1, 2, 1)],
    12: [(lead - lead % 2, lead - lead % 2 + 1, lead % 2) for lead in range(12)],
}
"""For each lead: first and second of its pair, and which of both it is."""


class Untrained(Identity):
    """A network that has no weights yet, with random ones."""

    def __init__(self, spec):
        torch.manual_seed(0)
        self.network, self.leads = spec.build().eval(), spec.leads

    def infer(self, batch):
        with torch.inference_mode():
            return self.network(torch.from_numpy(batch)).numpy()


@cache
def backend_of(name):
    """What the front door opens, or where there are no weights yet a stand-in."""
    try:
        return open_backend("auto", load_card(name))
    except InputError as error:
        assert "has no weights" in str(error)  # noqa: PT017 - any other reason is a failure
        return Untrained(SYSTEMS[name])


def offline(backend, config, data, pairs):
    """The windows cut from the whole signal at once, cleaned lead by lead, and faded together."""
    leads, samples = data.shape
    ends = range(config.hop, samples + config.lookahead + config.hop, config.hop)
    last = np.repeat(data[:, -1:], 2 * config.tail, axis=1)
    padded = np.concatenate([np.repeat(data[:, :1], config.window, axis=1), data, last], axis=1)
    output = np.zeros((leads, padded.shape[1]))
    for lead, (first, second, place) in enumerate(pairs):
        fed = [first, second] if backend.leads == 2 else [lead]
        windows = np.stack([padded[fed, end : end + config.window] for end in ends])
        cleaned = backend.infer(windows)[:, place if backend.leads == 2 else 0]
        for end, window in zip(ends, cleaned, strict=True):
            tail = slice(end + config.window - config.tail, end + config.window)
            output[lead, tail] += fade(config) * window[-config.tail :]
    return output[:, config.window : config.window + samples]


@every_system
def test_streaming_is_windowing_the_whole_signal(name):
    """Streams of one, three and twelve leads side by side; with state, it is one pass over all of it."""
    spec, backend = SYSTEMS[name], backend_of(name)
    lookahead, hop = 250 * spec.window / spec.fs, 500 * spec.window / spec.fs
    if isinstance(spec, NetworkSpec) and spec.steps:
        lookahead = 100.0
    config = EngineConfig.of(spec, lookahead, hop)
    # Twelve leads of the two large networks of one lead take seconds, and are no other case than three.
    heavy = spec.leads == 1 and spec.parameters > 500_000
    beds = {leads: ecg(leads, spec.window + 7, seed=leads) for leads in ([1, 3] if heavy else PAIRS)}

    def rounds():
        yield from zip(*(cut(data, [61], stream=str(leads)) for leads, data in beds.items()), strict=True)

    messages = list(clean(rounds(), config, backend, guarded=False))
    for leads, data in beds.items():
        streamed = joined(messages, "cleaned", str(leads))
        assert np.isfinite(streamed).all()
        if isinstance(spec, NetworkSpec) and spec.steps:
            expected = whole(data, config.lookahead)[:, 0]
        else:
            expected = offline(backend, config, data, PAIRS[leads])
        np.testing.assert_allclose(streamed, expected, atol=1e-4)


@every_system
def test_the_facts_are_there(name):
    spec = SYSTEMS[name]
    assert spec.name == name
    assert name == name.lower()
    assert " " not in name
    assert spec.title
    assert spec.paper
    assert spec.normalisation
    assert spec.fs == 360.0
    assert spec.leads in (1, 2)
    assert 256 <= spec.window <= 3600
    # Its own look-ahead and the default hop must fit, and so must the longest of the presets.
    for lookahead_ms in (spec.lookahead_ms, 300.0):
        config = EngineConfig.of(spec, lookahead_ms, 40.0)
        assert config.lookahead == round(lookahead_ms * 0.36)
    assert rows_of(12, spec.leads) * spec.leads == 12


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_systems_run_in_numpy_and_nowhere_else(name):
    for asked in ("auto", "numpy"):
        backend = open_backend(asked, load_card(name))
        assert backend.name == choose_backend(asked, CLASSICAL[name]) == "numpy"
        noisy = ecg(2, CLASSICAL[name].window)[:, None]
        np.testing.assert_array_equal(backend.infer(noisy), CLASSICAL[name].filter(noisy))
    with pytest.raises(InputError, match=f"model '{name}' is no network .*leave out --backend torch"):
        check_job(job_of(model=name, backend="torch"))


def test_networks_do_not_run_in_numpy():
    with pytest.raises(InputError, match="backend 'numpy' runs classical systems alone"):
        check_job(job_of(backend="numpy"))


def test_a_wrong_batch_is_refused_by_the_filters_too():
    backend = open_backend("auto", load_card("fft"))
    with pytest.raises(ValueError, match=r"batch must have shape \(rows, 1, 256\)"):
        backend.infer(np.zeros((1, 2, 256), np.float32))


# Multiply-accumulates


class Attends(torch.nn.Module):
    def forward(self, x):
        return torch.softmax(x @ x.transpose(1, 2), dim=-1) @ x


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: torch.nn.Conv1d(2, 4, 5, padding=2, bias=False), 2 * 4 * 5 * 16),
        (lambda: torch.nn.Conv1d(2, 2, 3, padding=1, groups=2), 2 * 3 * 16),
        (lambda: torch.nn.Conv1d(2, 4, 5, stride=2, padding=2), 2 * 4 * 5 * 8),
        (lambda: torch.nn.ConvTranspose1d(2, 4, 2, stride=2), 2 * 4 * 2 * 16),
        (lambda: torch.nn.Linear(16, 3), 2 * 16 * 3),
        (Attends, 2 * (2 * 16 * 2)),
        (lambda: torch.nn.LSTM(16, 8, batch_first=True), 2 * 4 * 8 * (16 + 8)),
        (lambda: torch.nn.GRU(16, 8, batch_first=True), 2 * 3 * 8 * (16 + 8)),
        (lambda: torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1)), 544),
    ],
)
def test_multiplications_are_counted(build, expected):
    spec = NetworkSpec("tiny", "", "", 360.0, 16, 2, 0, "", build)
    assert macs(spec) == expected


def test_a_published_count():
    """Four layers of three by one, up to 16 channels, and back: counted by hand from the layers."""
    convolutions = [
        (m.in_channels, m.out_channels, m.kernel_size[0])
        for m in NETWORKS["unet-seed"].build().modules()
        if isinstance(m, torch.nn.Conv1d)
    ]
    assert convolutions
    assert macs(NETWORKS["unet-seed"]) > 256 * np.prod(convolutions[0])
    assert macs(CLASSICAL["dwt"]) == 0
