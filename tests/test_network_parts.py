"""The parts that published networks are made of, and the defects that their replicas keep."""

import pytest
import torch
from torch.nn.functional import interpolate

from models.networks.ags_unet import AGSUNet
from models.networks.ciadnet import ChannelShrink
from models.networks.cnn_autoencoder import CNNAutoencoder
from models.networks.drnn import DRNN
from models.networks.parts import LinearUpsample, Repeat, soft_threshold
from models.networks.ra_lenet import Block, LocalEnhancement, RWaveBias, Split
from models.networks.ude_dr import UdeDR

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("factor", [2, 5])
@pytest.mark.parametrize("samples", [1, 2, 36])
def test_linear_upsampling_is_torch_s_own(factor, samples):
    x = noise(2, 3, samples)
    expected = interpolate(x, scale_factor=factor, mode="linear", align_corners=False)
    torch.testing.assert_close(LinearUpsample(factor)(x), expected, atol=1e-12, rtol=0)


def test_repeating_is_nearest_upsampling():
    x = noise(2, 3, 9)
    assert Repeat()(x).equal(interpolate(x, scale_factor=2, mode="nearest"))


def test_the_soft_threshold_moves_towards_zero():
    x = torch.tensor([-3.0, -0.5, 0.0, 0.5, 3.0])
    assert soft_threshold(x, torch.tensor(1.0)).tolist() == [-2, 0, 0, 0, 2]


def test_only_the_replica_s_threshold_amplifies():
    """A channel of negative mean has a negative threshold in the original: all of it grows."""
    x = noise(4, 8, 32) - 3
    for signed in (True, False):
        shrink = ChannelShrink(8, signed=signed).double()
        with torch.inference_mode():
            grows = shrink(x).abs() > x.abs()
        assert bool(grows.any()) is signed


def test_only_the_replica_of_ags_unet_presses_negative_samples():
    x = noise(2, 2, 256).float()
    torch.manual_seed(0)
    replica = AGSUNet(replica=True).eval()
    plain = AGSUNet(replica=True).eval()
    plain.load_state_dict(replica.state_dict())
    plain.last = torch.nn.Identity()
    with torch.inference_mode():
        pressed, linear = replica(x), plain(x)
    assert (linear < 0).any()
    torch.testing.assert_close(pressed, torch.where(linear < 0, 0.01 * linear, linear))
    assert isinstance(AGSUNet().last, torch.nn.Identity)


def test_only_the_replica_of_the_autoencoder_stays_between_zero_and_one():
    x = 50 * noise(4, 1, 64).float()
    torch.manual_seed(0)
    with torch.inference_mode():
        replica, corrected = CNNAutoencoder(replica=True)(x), CNNAutoencoder()(x)
    assert ((replica > 0) & (replica < 1)).all()
    assert (corrected < 0).any()


def test_the_r_wave_bias_is_everywhere_but_in_the_replica():
    for replica in (True, False):
        bias = RWaveBias(2, 64, 8, replica=replica)
        with torch.no_grad():
            # The table's entry for distance d is d.
            bias.table += torch.arange(-7, 8)[:, None]
            matrix = bias()[1]
        row, column = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
        distance = (row - column).float()
        inside = (row >= 28) & (row < 36) & (column >= 28) & (column < 36)
        near = inside if replica else distance.abs() < 8
        assert matrix.equal(torch.where(near, distance, 0.0))


def test_the_corrected_split_keeps_neighbours_together():
    x = noise(1, 4, 8)
    for replica in (True, False):
        split = Split(8, replica=replica).double()
        split.mix = torch.nn.Identity()
        halves = x.unflatten(-1, (2, 4))
        order = halves.transpose(1, 2) if replica else halves
        assert split(x).equal(order.flatten(1, 2))


def test_the_replica_enhances_its_first_channel_alone():
    x = noise(1, 16, 8)
    for replica in (True, False):
        torch.manual_seed(0)
        enhancement = LocalEnhancement(8, replica=replica).double()
        assert enhancement.along.weight.shape == (1 if replica else 32, 1, 3)
        hidden = []
        enhancement.narrow.register_forward_pre_hook(lambda _, given, seen=hidden: seen.append(given[0]))
        with torch.inference_mode():
            enhancement(x)
            changed = x.clone()
            changed[:, 8] += 1
            enhancement(changed)
        neighbour = (hidden[0] - hidden[1])[0, 7].abs() > 0
        assert neighbour.tolist() == ([True] + 31 * [False] if replica else 32 * [True])


def test_attention_is_torch_s_own():
    block = Block(16, 32, replica=False).double()
    x, bias = noise(2, 32, 16), noise(4, 32, 32, seed=1)
    with torch.inference_mode():
        h = block.norm(4 * x + block.position)
        layers = (block.query, block.key, block.value)
        heads = [layer(h).unflatten(-1, (4, 4)).transpose(1, 2) for layer in layers]
        attended = torch.nn.functional.scaled_dot_product_attention(*heads, attn_mask=bias)
        h = x + block.project(attended.transpose(1, 2).flatten(2))
        torch.testing.assert_close(block(x, bias), h + block.feed(block.norm2(h)))


def test_the_second_bias_of_the_recurrent_network_stays_zero():
    network = DRNN()
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.1)
    network(noise(2, 1, 20).float()).square().mean().backward()
    optimiser.step()
    assert not network.recurrent.bias_hh_l0.any()
    assert network.recurrent.bias_ih_l0.any()


def test_the_two_stages_have_the_published_sizes():
    stages = UdeDR()
    sizes = [sum(p.numel() for p in stage.parameters()) for stage in (stages.ude, stages.dr)]
    assert sizes == [276_545, 228_612]
