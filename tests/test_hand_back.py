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
    added, _, _ = (layer or HandBack())(row, torch.full_like(row, SPREAD_MV), silent(1))
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
    whole, error, _ = layer(taken, spread, silent(2))
    assert (error >= spread).all()
    state, pieces, at = silent(2), [], 0
    for size in (4, 16, 400, 720, 300):
        piece, stated, state = layer(taken[..., at : at + size], spread[..., at : at + size], state)
        pieces.append(torch.cat([piece, stated]))
        at += size
    torch.testing.assert_close(torch.cat(pieces, dim=2), torch.cat([whole, error]), rtol=1e-3, atol=1e-6)


def stated(taken):
    """Mean square of the error that is to be expected, in multiples of what the network alone expects."""
    row = torch.as_tensor(taken, dtype=torch.float32)[None, None]
    _, error, _ = HandBack()(row, torch.full_like(row, SPREAD_MV), silent(1))
    return float(error[..., 4 * FS :].square().mean()) / SPREAD_MV**2


def test_what_is_taken_at_the_pace_of_a_ventricular_beat_is_doubted():
    """Of ten times the expected error, at 3 Hz: the one-pole edges at 2 and 6 Hz leave about half between."""
    assert 1 + 0.35**2 * 100 * 0.35 < stated(swings(10 * SPREAD_MV, hz=3.0)) < 1 + 0.35**2 * 100 * 0.65


def test_hum_and_drift_that_are_taken_are_hardly_doubted():
    doubt = {hz: stated(swings(10 * SPREAD_MV, hz=hz)) - 1 for hz in (0.15, 3.0, 50.0)}
    assert doubt[50.0] < 0.2 * doubt[3.0]
    assert doubt[0.15] < 0.05 * doubt[3.0]
    assert abs(stated(swings(0)) - 1) < 1e-5


def test_what_is_larger_than_a_beat_is_doubted_no_more():
    jolt = np.exp(-np.arange(8 * FS) / (0.1 * FS))
    row = torch.as_tensor(10 * jolt, dtype=torch.float32)[None, None]
    _, error, _ = HandBack()(row, torch.full_like(row, SPREAD_MV), silent(1))
    assert float(error.max()) < 0.2
