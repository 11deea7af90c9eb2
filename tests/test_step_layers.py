"""Norms whose statistics depend on the look-ahead."""

import pytest
import torch
from step_tools import ecg, step, trained

from models.networks.lowdelay import LowDelay
from models.networks.step_layers import POINT_EVERY, POINTS, AimedNorm, shares
from models.training.statistics import gather, spread_out
from models.training.widen import widen
from streamer.errors import InputError

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine


@pytest.mark.parametrize("lookahead", [0, 4, 9, 50, 107, 108])
def test_points_share_a_look_ahead(lookahead):
    share = shares(torch.tensor(lookahead))
    assert float(share.sum()) == pytest.approx(1)
    assert (share >= 0).all()
    assert int((share > 0).sum()) <= 2
    assert float((share * torch.arange(POINTS) * POINT_EVERY).sum()) == pytest.approx(lookahead, abs=1e-4)


def noisy_leads(rows=4, samples=1440):
    return torch.from_numpy(ecg(rows, samples))[:, None]


def test_statistics_of_a_look_ahead_normalise_what_it_makes():
    """Each norm's output has its own weight and bias as deviation and mean, at every point."""
    torch.manual_seed(0)
    network = LowDelay()
    with torch.no_grad():
        network.aim[2].weight.mul_(30)  # a look-ahead that shifts features much
    batches = [noisy_leads()]
    gather(network, batches)
    norm, heard = network.answer[0].listen, []
    norm.conv.register_forward_hook(lambda _, __, out: heard.append(out))
    for lookahead in (0, 45, 108):
        heard.clear()
        with torch.no_grad():
            network.answers(batches[0], [lookahead])
        scale, offset = norm.norm.table().detach()[lookahead // POINT_EVERY][:, None].chunk(2)
        found = heard[0] * scale + offset
        assert float(found.mean(dim=(0, 2)).abs().max()) < 0.02
        assert float((found.std(dim=(0, 2)) - 1).abs().median()) < 0.03  # of hardly any variance: less
    means = norm.norm.running_mean
    assert (means[0] - means[-1]).abs().max() > 0.1


def test_a_network_of_one_set_of_statistics_answers_the_same_with_many():
    torch.manual_seed(0)
    network = LowDelay()
    gather(network, [noisy_leads()])
    one = {
        name: value[4].clone() if value.shape[:1] == (POINTS,) and "running" in name else value
        for name, value in network.state_dict().items()
    }
    many = LowDelay().eval()
    many.load_state_dict(spread_out(one))
    with torch.no_grad():
        for point in (0, 4, 12):
            assert torch.equal(
                many.answer[0].listen.norm.running_mean[point], one["answer.0.listen.norm.running_mean"]
            )
        at_four = step(network, noisy_leads(2, 720), lookahead=36)[0]
        torch.testing.assert_close(step(many, noisy_leads(2, 720), lookahead=36)[0], at_four)


def test_frozen_norms_answer_in_training_as_they_run():
    torch.manual_seed(0)
    network = LowDelay()
    gather(network, [noisy_leads()])
    network.freeze()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        training = network.train().answers(noisy_leads(), [50])[0][0]
        running = network.eval().answers(noisy_leads(), [50])[0][0]
    torch.testing.assert_close(training, running, rtol=1e-4, atol=1e-5)
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_norms_learn_the_points_near_a_look_ahead_alone():
    torch.manual_seed(0)
    network = LowDelay().train()
    network.answers(noisy_leads(), [50])
    norms = [module for module in network.modules() if isinstance(module, AimedNorm)]
    assert len(norms) == 8
    for norm in norms:
        learnt = (norm.running_mean != 0).any(dim=1)
        assert learnt.nonzero().flatten().tolist() == [5, 6]


# Wider networks


@pytest.mark.parametrize("lookahead", [0, 50, 108])
def test_a_widened_network_answers_as_the_narrow_one(lookahead):
    """Exactly, before its copies differ; a little otherwise, after."""
    narrow, signal = trained(), noisy_leads(2)
    for noise, apart in ((0.0, 1e-4), (0.02, 0.02)):
        wide = LowDelay(channels=114).eval()
        widen(narrow, wide, noise)
        with torch.no_grad():
            ours, theirs = (step(each, signal, lookahead=lookahead)[0] for each in (wide, narrow))
        found = float((ours - theirs).abs().max())
        assert found < apart
        assert (found > 1e-4) == bool(noise)


def test_copies_of_a_channel_learn_apart():
    narrow, wide = trained(), LowDelay(channels=114).eval()
    widen(narrow, wide)
    for name, value in wide.state_dict().items():
        if value.ndim < 2 or "running" in name or len(value) == len(narrow.state_dict()[name]):
            continue
        rows = value.flatten(1)
        assert len(torch.unique(rows, dim=0)) == len(rows), name


@pytest.mark.parametrize(
    ("options", "refusal"),
    [({"channels": 90}, "no more than the 96"), ({"channels": 120, "hidden": 144}, "keeps the GRU")],
)
def test_a_network_is_not_widened_to_less_or_with_another_memory(options, refusal):
    with pytest.raises(InputError, match=refusal):
        widen(trained(), LowDelay(**options))
