"""What training makes small, by answers whose loss is known beforehand."""

import math

import pytest
import torch
from step_tools import NAME, STEPS

from models.registry import NETWORKS, find_network
from models.training.objective import (
    PRESETS_MS,
    SPREAD_SHARE,
    TARGET_MS,
    StepObjective,
    WindowObjective,
    denoising_loss,
    objective_of,
)

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine

PRESETS = [0, 9, 36, 108]
CPU = torch.device("cpu")


def signals(rows=3):
    """Clean ECG-like signals that differ from sample to sample."""
    generator = torch.Generator().manual_seed(0)
    time_s = torch.arange(STEPS.learns) / 360
    beats = torch.exp(-0.5 * (((time_s + torch.rand(rows, 1, generator=generator)) % 0.8 - 0.4) / 0.02) ** 2)
    return (beats + 0.02 * torch.randn(rows, STEPS.learns, generator=generator))[:, None]


class Knows(torch.nn.Module):
    """Answers with what it was told, a look-ahead late, and with a constant spread."""

    def __init__(self, word, spread=0.1, late=0):
        super().__init__()
        self.word, self.spread, self.late = word, torch.as_tensor(spread), late
        self.asked = []

    def answers(self, noisy, lookaheads):
        self.asked.append(tuple(lookaheads))
        return [(self._answer(noisy, at), at) for at in lookaheads]

    def _answer(self, noisy, lookahead):
        answer = torch.zeros_like(self.word)
        behind = lookahead + self.late
        answer[..., behind:] = self.word[..., : self.word.shape[-1] - behind]
        return torch.cat([answer, self.spread * torch.ones_like(answer)], dim=1)


def objective():
    return StepObjective(STEPS, 360.0, CPU)


def surprise(reference, spread, error=0.0):
    """What the spread costs where every error is as large."""
    width = spread / (reference.std(dim=-1) + 0.05) / math.sqrt(2)
    return SPREAD_SHARE * (torch.log(width) + error / spread * math.sqrt(2)).mean()


def learn(network, reference, seed=0):
    return objective().learn(network, reference, reference, torch.Generator().manual_seed(seed))


def judge(network, reference):
    return objective().judge(network, reference, reference)


@pytest.mark.parametrize("way", [learn, judge])
def test_an_answer_is_compared_with_the_sample_of_a_look_ahead_ago(way):
    reference = signals()
    right = way(Knows(reference), reference)
    torch.testing.assert_close(right, surprise(reference, 0.1), rtol=1e-4, atol=1e-6)
    for late in (1, 36):
        assert way(Knows(reference, late=late), reference) > right + 0.01


@pytest.mark.parametrize("way", [learn, judge])
def test_an_error_costs_what_the_loss_of_windows_says(way):
    reference, error = signals(), 0.05
    expected = denoising_loss(reference + error, reference, torch.ones(STEPS.learns)) + surprise(
        reference, 0.1, error
    )
    torch.testing.assert_close(way(Knows(reference + error), reference), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("way", [learn, judge])
def test_the_context_is_not_scored_and_every_sample_after_it_is(way):
    reference = signals()
    right = way(Knows(reference), reference)
    # By the longest look-ahead earlier, so that no answer has it after the context.
    inside = reference.clone()
    inside[..., : STEPS.context - STEPS.lookahead] += 100
    torch.testing.assert_close(way(Knows(inside), reference), right, rtol=0, atol=0)
    for at in (STEPS.context, STEPS.context + 500, STEPS.learns - STEPS.lookahead - 1):
        wrong = reference.clone()
        wrong[..., at] += 100
        assert way(Knows(wrong), reference) > right + 1


def test_the_spread_is_best_at_the_mean_absolute_error_times_the_root_of_two():
    """Of a Laplace distribution that is its standard deviation."""
    reference = signals(rows=1)
    error = torch.distributions.Laplace(0.0, 0.07).sample(reference.shape)
    scored = error[..., STEPS.context - 36 : STEPS.learns - 36]
    best = math.sqrt(2) * scored.abs().mean().item()
    assert best == pytest.approx(math.sqrt(2) * 0.07, rel=0.1)

    def loss(spread):
        answer = Knows(reference + error, spread)._answer(reference, 36)
        return objective()._loss(answer, reference, 36)

    spread = torch.tensor(best, requires_grad=True)
    loss(spread).backward()
    assert abs(spread.grad.item() * best) < 1e-4
    for other in (0.9, 1.1):
        assert loss(torch.tensor(other * best)) > loss(torch.tensor(best)) + 1e-5 * SPREAD_SHARE


def test_the_error_does_not_learn_from_the_spread():
    """A network must not become worse so that its spread is right."""
    reference = signals()
    gradients = []
    for spread in (0.01, 1.0):
        word = (reference + 0.05).requires_grad_()
        objective()._loss(Knows(word, spread)._answer(reference, 36), reference, 36).backward()
        gradients.append(word.grad)
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=0)


def test_validation_asks_for_the_presets():
    assert [round(0.36 * ms) for ms in PRESETS_MS] == PRESETS
    network, reference = Knows(signals()), signals()
    judge(network, reference)
    assert network.asked == [tuple(PRESETS)]


def test_every_training_step_asks_for_the_target_and_for_any_other():
    network, reference = Knows(signals(1)), signals(1)
    goal, draw = objective(), torch.Generator().manual_seed(0)
    for _ in range(400):
        goal.learn(network, reference, reference, draw)
    assert all(len(asked) == 2 for asked in network.asked)
    target, other = zip(*network.asked, strict=True)
    assert set(target) == {round(0.36 * TARGET_MS)}
    assert 0 <= min(other) <= max(other) <= STEPS.lookahead
    presets = [each for each in other if each in (0, 9, 108)]
    assert set(presets) == {0, 9, 108}
    assert 0.5 < len(presets) / len(other) < 0.75
    assert len(set(other)) > 60


def test_the_seed_draws_the_look_aheads():
    asked = []
    for seed in (1, 1, 2, 3, 4):
        network = Knows(signals(1))
        learn(network, signals(1), seed)
        asked.append(network.asked)
    assert asked[0] == asked[1]
    assert len({str(each) for each in asked}) > 1


def test_every_network_learns_by_the_objective_of_its_contract():
    for spec in NETWORKS.values():
        expected = StepObjective if spec.steps else WindowObjective
        assert type(objective_of(spec, 0.5, CPU)) is expected


def test_a_training_step_reaches_every_parameter():
    """The whole network in half precision, forwards and backwards."""
    torch.manual_seed(0)
    network = find_network(NAME).build()
    reference = signals(2)
    noisy = reference + 0.2 * torch.randn(reference.shape, generator=torch.Generator().manual_seed(1))
    loss = objective().learn(network, noisy, reference, torch.Generator().manual_seed(0))
    assert torch.isfinite(loss)
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name
