"""A network that keeps state, the way tests look at it: whole records at once, and by steps."""

from functools import cache

import numpy as np
import torch
from engine_tools import cut

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.pipeline import unguarded
from models.registry import NETWORKS, load_card
from models.storage import load_weights
from streamer.synthetic import SyntheticPatient

STEPWISE = [name for name, spec in NETWORKS.items() if spec.steps]
"""Networks of the registry that keep state."""
NAME = "lowdelay"
STEPS = NETWORKS[NAME].steps
SECOND = 360


@cache
def backend(runtime="onnx", name=NAME):
    return open_backend(runtime, load_card(name))


@cache
def trained(name=NAME):
    """The shipped network in torch."""
    card = load_card(name)
    network = card.network.build().eval()
    load_weights(network, card.weights_path)
    return network


@cache
def stirred(spec):
    """An untrained network whose batch norms have statistics of their own, as after training."""
    torch.manual_seed(0)
    network = spec.build()
    # Ten rows of a window each: the statistics of what it will see.
    noisy = torch.from_numpy(ecg(10, spec.window))[:, None]
    with torch.no_grad():
        for _ in range(3):
            step(network, noisy)
    return network.eval()


def step(network, samples, state=None, lookahead=36):
    """One step of torch, from the beginning of a stream unless a state is given."""
    if state is None:
        state = network.initial_state(samples[:, :, 0])
    return network(samples, state, torch.tensor(lookahead))


def ecg(leads, samples, seed=0):
    """ECG of as many leads with wander, hiss and offsets, (leads, samples) mV."""
    block = SyntheticPatient(fs=360.0, leads=("II",), seed=seed).read(0, samples)
    rng = np.random.default_rng(seed)
    gain, offset = rng.uniform(0.5, 1.5, (leads, 1)), rng.uniform(-1, 1, (leads, 1))
    wander = 0.2 * np.sin(np.arange(samples) / 150 + rng.uniform(0, 6, (leads, 1)))
    hiss = 0.05 * rng.standard_normal((leads, samples))
    return (gain * block.data + offset + wander + hiss).astype(np.float32)


def whole(data, lookahead, network=None):
    """Answer for (leads, samples) in one forward pass, its last value standing in for the future.

    Returns (leads, 2, samples): cleaned and spread of each sample.
    """
    samples = data.shape[1]
    padded = -(-(samples + lookahead) // STEPS.multiple) * STEPS.multiple
    data = np.concatenate([data, np.repeat(data[:, -1:], padded - samples, axis=1)], axis=1)
    with torch.inference_mode():
        answer, _ = step(network or trained(), torch.from_numpy(data)[:, None], lookahead=lookahead)
    return answer.numpy()[:, :, lookahead : lookahead + samples]


def config(hop=16, lookahead=36):
    return EngineConfig(360.0, NETWORKS[NAME].window, hop, lookahead)


def streamed(data, hop=16, lookahead=36, sizes=(61,), runtime="onnx"):
    """What the engine makes of (leads, samples), before the guard."""
    rounds = ([chunk] for chunk in cut(data, sizes))
    return list(unguarded(rounds, config(hop, lookahead), backend(runtime)))


class Recorded:
    """Passes every step on, and remembers how many rows it had."""

    name, leads, transfers_ns, fixed_rows, steps = "recorded", 1, (0, 0), (), STEPS

    def __init__(self, fixed_rows=()):
        self.fixed_rows, self.rows, self.states = fixed_rows, [], []

    def step(self, samples, state, lookahead):
        self.rows.append(len(samples))
        answer, after = backend().step(samples, state, lookahead)
        self.states.append(after)
        return answer, after

    def close(self):
        pass
