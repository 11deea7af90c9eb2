"""What cleaning took from an input that needed none, handed back."""

import numpy as np
import torch

from models.networks.hand_back import HandBack

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine

FS = 360
SPREAD_MV = 0.03


def silent(rows):
    layer = HandBack()
    return tuple(torch.zeros(rows, *shape) for shape in layer.shapes)


def handed(taken, layer=None):
    """What is added to (samples,) of a network that expects an error of `SPREAD_MV`."""
    row = torch.as_tensor(taken, dtype=torch.float32)[None, None]
    added, _ = (layer or HandBack())(row, torch.full_like(row, SPREAD_MV), silent(1))
    return added[0, 0].numpy()


def swings(mv, hz=20.0, seconds=8):
    return 2**0.5 * mv * np.sin(2 * np.pi * hz * np.arange(seconds * FS) / FS)


def test_what_is_far_below_the_expected_error_comes_back():
    taken = swings(SPREAD_MV / 20)
    left = (taken - handed(taken))[6 * FS :]
    assert np.sqrt(np.mean(left**2)) < 0.4 * SPREAD_MV / 20


def test_noise_does_not_come_back():
    for mv in (SPREAD_MV, 10 * SPREAD_MV):
        assert np.abs(handed(swings(mv))).max() < 0.01 * mv


def test_drift_does_not_come_back():
    """Half a millivolt of breathing above a clean heart."""
    assert np.abs(handed(swings(0.5, hz=0.3))).max() < 0.01


def test_a_burst_closes_the_gate_within_tens_of_milliseconds():
    taken = swings(SPREAD_MV / 20)
    burst = taken.copy()
    burst[6 * FS :] += swings(10 * SPREAD_MV)[6 * FS :]
    after = np.abs(handed(burst) - handed(taken))[6 * FS :]
    # What the gate gave before is less than a hundredth of the burst.
    assert after[round(0.03 * FS) :].max() < 0.01 * burst.max()


def test_nothing_comes_back_before_anything_is_known():
    taken = swings(SPREAD_MV / 20)
    added = np.abs(handed(taken))
    assert added[: FS // 2].max() < 0.2 * np.abs(taken).max()
    assert added[-FS:].max() > 0.5 * np.abs(taken).max()


def test_any_pieces_give_the_whole():
    rng = np.random.default_rng(0)
    taken = torch.from_numpy(rng.standard_normal((2, 1, 1440)).astype(np.float32)) * SPREAD_MV / 10
    spread = torch.from_numpy(rng.uniform(0.01, 0.1, (2, 1, 1440)).astype(np.float32))
    layer = HandBack()
    whole, _ = layer(taken, spread, silent(2))
    state, pieces, at = silent(2), [], 0
    for size in (4, 16, 400, 720, 300):
        piece, state = layer(taken[..., at : at + size], spread[..., at : at + size], state)
        pieces.append(piece)
        at += size
    torch.testing.assert_close(torch.cat(pieces, dim=2), whole, rtol=1e-3, atol=1e-6)
