"""What training makes small, by answers whose loss is known beforehand."""

import math

import pytest
import torch
from step_tools import NAME, STEPS

from models.registry import find_network
from models.training.objective import WindowObjective, denoising_loss
from models.training.step_objective import (
    FLOOR,
    SLOPE_SHARE,
    SPREAD_SHARE,
    TARGET_MS,
    TARGET_SHARE,
    StepObjective,
    snr_out_db,
)

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine

CONTEXT, SAMPLES = 432, 2160


def signals(rows=3):
    """Clean ECG-like signals that differ from sample to sample."""
    generator = torch.Generator().manual_seed(0)
    time_s = torch.arange(SAMPLES) / 360
    beats = torch.exp(-0.5 * (((time_s + torch.rand(rows, 1, generator=generator)) % 0.8 - 0.4) / 0.02) ** 2)
    return (beats + 0.02 * torch.randn(rows, SAMPLES, generator=generator))[:, None]


class Knows(torch.nn.Module):
    """Answers with what it was told, a look-ahead late, and with a constant spread."""

    def __init__(self, word, spread=0.1, late=0):
        super().__init__()
        self.word, self.spread, self.late = word, torch.as_tensor(spread), late
        self.asked, self.begun = [], []

    def answers(self, noisy, lookaheads, first=None):
        self.asked.append(tuple(lookaheads))
        self.begun.append(first)
        return [(self._answer(at), at) for at in lookaheads]

    def _answer(self, lookahead):
        answer = torch.zeros_like(self.word)
        behind = lookahead + self.late
        answer[..., behind:] = self.word[..., : self.word.shape[-1] - behind]
        return torch.cat([answer, self.spread * torch.ones_like(answer)], dim=1)


def objective():
    return StepObjective(STEPS.lookahead, 360.0, CONTEXT)


def loss(network, clean, lookahead=36):
    return objective().loss(network._answer(lookahead), clean, lookahead)


def expected_loss(clean, error, spread=0.1, lookahead=36):
    """Of an error that is the same everywhere: it has no slope."""
    scored = clean.roll(lookahead, dims=-1)[..., CONTEXT:]
    scale = scored.std(dim=-1) + 0.05
    own = 0.5 * ((error / scale) ** 2 + error / scale)
    width = spread / scale / math.sqrt(2)
    surprise = torch.log(width) + error / scale / width
    return (torch.log(own + FLOOR) + SLOPE_SHARE * math.log(5 * FLOOR) + SPREAD_SHARE * surprise).mean()


@pytest.mark.parametrize("lookahead", [0, 9, 36, 108])
def test_an_answer_is_compared_with_the_sample_of_a_look_ahead_ago(lookahead):
    clean = signals()
    right = loss(Knows(clean), clean, lookahead)
    torch.testing.assert_close(right, expected_loss(clean, 0.0, lookahead=lookahead), rtol=1e-4, atol=1e-5)
    for late in (1, 36):
        assert loss(Knows(clean, late=late), clean, lookahead) > right + 0.1


def test_an_error_costs_its_logarithm():
    clean = signals()
    for error in (0.01, 0.05, 0.3):
        found = loss(Knows(clean + error), clean)
        torch.testing.assert_close(found, expected_loss(clean, error), rtol=1e-4, atol=1e-4)


def test_a_clean_example_is_heard_beside_a_noisy_one():
    """Halving a small error is worth about as much as halving a large one."""
    clean = signals(1)

    def worth(error):
        return loss(Knows(clean + error), clean) - loss(Knows(clean + error / 2), clean)

    assert worth(0.03) > 0.3 * worth(0.5) > 0


def test_a_jagged_answer_costs_more_than_a_shifted_one_of_the_same_error():
    clean = signals()
    jagged = 0.03 * (-1.0) ** torch.arange(SAMPLES)
    assert loss(Knows(clean + jagged), clean) > loss(Knows(clean + 0.03), clean) + 0.1


def test_the_context_is_not_scored_and_every_sample_after_it_is():
    clean = signals()
    right = loss(Knows(clean), clean)
    inside = clean.clone()
    inside[..., : CONTEXT - 36] += 100
    torch.testing.assert_close(loss(Knows(inside), clean), right, rtol=0, atol=0)
    for at in (CONTEXT, CONTEXT + 500, SAMPLES - STEPS.lookahead - 1):
        wrong = clean.clone()
        wrong[..., at] += 100
        assert loss(Knows(wrong), clean) > right + 1


def test_the_spread_is_best_at_the_mean_absolute_error_times_the_root_of_two():
    """Of a Laplace distribution that is its standard deviation."""
    clean = signals(rows=1)
    torch.manual_seed(0)
    error = torch.distributions.Laplace(0.0, 0.07).sample(clean.shape)
    scored = error[..., CONTEXT - 36 : SAMPLES - 36]
    best = math.sqrt(2) * scored.abs().mean().item()
    assert best == pytest.approx(math.sqrt(2) * 0.07, rel=0.15)
    spread = torch.tensor(best, requires_grad=True)
    loss(Knows(clean + error, spread), clean).backward()
    assert abs(spread.grad.item() * best) < 1e-4
    for other in (0.9, 1.1):
        right, wrong = (loss(Knows(clean + error, best * times), clean) for times in (1, other))
        assert wrong > right + 1e-5 * SPREAD_SHARE


def test_the_error_does_not_learn_from_the_spread():
    """A network must not become worse so that its spread is right."""
    clean = signals()
    gradients = []
    for spread in (0.01, 1.0):
        word = (clean + 0.05).requires_grad_()
        loss(Knows(word, spread), clean).backward()
        gradients.append(word.grad)
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=0)


def test_a_step_asks_for_one_look_ahead_often_the_target_else_any():
    network, clean = Knows(signals(1)), signals(1)
    goal, draw = objective(), torch.Generator().manual_seed(0)
    for _ in range(1000):
        goal.learn(network, clean, clean, draw)
    assert all(len(asked) == 1 for asked in network.asked)
    asked = [each for (each,) in network.asked]
    assert 0 == min(asked) < max(asked) == STEPS.lookahead
    target = asked.count(round(0.36 * TARGET_MS)) / len(asked)
    assert target == pytest.approx(TARGET_SHARE, abs=0.06)
    assert len(set(asked)) > 100
    # As a stream begins, or as one that has run for long.
    begins = [bool((first == clean[:, :, 0]).all()) for first in network.begun]
    assert sum(begins) / len(begins) == pytest.approx(0.5, abs=0.1)


def test_the_seed_draws_the_look_aheads():
    asked = []
    for seed in (1, 1, 2, 3, 4):
        network = Knows(signals(1))
        objective().learn(network, signals(1), signals(1), torch.Generator().manual_seed(seed))
        asked.append(network.asked)
    assert asked[0] == asked[1]
    assert len({str(each) for each in asked}) > 1


def test_a_training_step_reaches_every_parameter_but_the_scale_of_the_spread():
    """The whole network, forwards and backwards, with norms that learn and with frozen ones."""
    torch.manual_seed(0)
    network = find_network(NAME).build()
    clean = signals(2)
    noisy = clean + 0.2 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    for _ in range(2):
        network.zero_grad()
        found = objective().learn(network.train(), noisy, clean, torch.Generator().manual_seed(0))
        assert torch.isfinite(found)
        found.backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().max() > 0, name
        network.freeze()


def test_the_snr_that_is_left():
    clean = signals()
    error = 0.01 * (-1.0) ** torch.arange(SAMPLES)
    scored = clean.roll(36, dims=-1)[..., CONTEXT:]
    expected = (10 * torch.log10(scored.var(dim=-1) / 1e-4)).mean().item()
    found = snr_out_db(Knows(clean + error)._answer(36), clean, 36, CONTEXT)
    assert found == pytest.approx(expected, abs=0.05)


def test_windows_are_judged_by_the_loss_of_their_tail_and_context():
    """The last samples weigh four times as much as those before."""
    clean = torch.zeros(1, 1, 720)
    goal = WindowObjective(720, 360, torch.device("cpu"))
    wrong = [clean.clone() for _ in range(2)]
    wrong[0][..., 100] += 0.1
    wrong[1][..., -100] += 0.1
    early, late = (goal.judge(torch.nn.Identity(), each, clean) for each in wrong)
    torch.testing.assert_close(late, 4 * early)
    assert denoising_loss(clean, clean, torch.ones(720)) == 0
