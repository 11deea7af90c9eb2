"""Networks of two leads get pairs from any stream, and every lead comes back in its place."""

import numpy as np
import pytest
from engine_tools import FS, Identity, cut, joined

from engine.config import EngineConfig
from engine.lead_groups import group_leads, rows_of, ungroup_leads
from engine.marks import Mark
from engine.pipeline import clean

CONFIG = EngineConfig(FS, 40, 8, 8)


class Pairs(Identity):
    """Returns its input, and notes which leads it was given, each known by its level."""

    leads = 2

    def __init__(self):
        self.seen = []

    def infer(self, batch):
        assert batch.shape[1:] == (2, CONFIG.window)
        assert batch.dtype == np.float32
        assert batch.flags.c_contiguous
        self.seen.append(np.round(batch.mean(axis=-1)).astype(int).tolist())
        return batch.copy()


class Partner(Pairs):
    """Adds a tenth of the partner: whoever sat beside a lead is seen in its output."""

    def infer(self, batch):
        return super().infer(batch) + 0.1 * batch[:, ::-1]


def signals(leads, samples=160, seed=0):
    """Lead n lies at about n mV and never stands still."""
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, (leads, samples))
    return (np.arange(leads)[:, None] + noise).astype(np.float32)


def run(data, backend):
    return list(clean(([chunk] for chunk in cut(data, [CONFIG.hop])), CONFIG, backend, guarded=False))


@pytest.mark.parametrize(
    ("leads", "pairs"),
    [
        (1, [[0, 0]]),
        (2, [[0, 1]]),
        (3, [[0, 1], [1, 2]]),
        (5, [[0, 1], [2, 3], [3, 4]]),
        (12, [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]),
    ],
)
def test_leads_are_paired_in_the_order_of_the_stream(leads, pairs):
    backend = Pairs()
    messages = run(signals(leads), backend)
    assert rows_of(leads, 2) == len(pairs)
    assert set(map(str, backend.seen)) == {str(pairs)}
    np.testing.assert_allclose(joined(messages, "cleaned"), signals(leads), atol=1e-5)


@pytest.mark.parametrize(
    ("leads", "partners"),
    [(1, [0]), (2, [1, 0]), (3, [1, 0, 1]), (12, [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10])],
)
def test_each_lead_takes_its_own_output_cleaned_beside_its_partner(leads, partners):
    output = joined(run(signals(leads), Partner()), "cleaned")
    np.testing.assert_allclose((output - signals(leads)) / 0.1, signals(leads)[partners], atol=1e-4)


def test_a_lead_alone_takes_the_first_output():
    rows = np.arange(2 * 40, dtype=np.float32).reshape(1, 2, 40)
    np.testing.assert_array_equal(ungroup_leads(rows, signals(1, 40)), rows[0, :1])


def test_streams_of_any_number_of_leads_share_a_batch():
    backend = Partner()
    beds = {name: signals(leads, seed=leads) for name, leads in (("a", 1), ("b", 3), ("c", 2))}

    def rounds():
        yield from zip(*(cut(data, [CONFIG.hop], stream=name) for name, data in beds.items()), strict=True)

    together = list(clean(rounds(), CONFIG, backend, guarded=False))
    assert {len(batch) for batch in backend.seen} == {4}
    for name, data in beds.items():
        np.testing.assert_array_equal(
            joined(together, "cleaned", name), joined(run(data, Partner()), "cleaned")
        )


def test_a_lead_that_is_lost_leaves_its_partner_as_if_it_were_alone():
    """It is held at its last value: when the window holds nothing else the network gets the partner twice."""
    data = signals(2, 400)
    data[1, 60:] = np.nan
    messages = run(data, Partner())
    output, alone = joined(messages, "cleaned"), joined(run(data[:1], Partner()), "cleaned")
    assert np.isnan(output[1, 60:]).all()
    assert (joined(messages, "marks")[1, 60:] == Mark.MISSING).all()
    settled = 60 + CONFIG.window + CONFIG.tail
    np.testing.assert_array_equal(output[0, settled:], alone[0, settled:])
    assert np.isfinite(output[0]).all()
    assert (output[0, :40] != alone[0, :40]).all()


@pytest.mark.parametrize("silent", [0, 1, 2])
def test_a_silent_lead_is_not_shown_what_its_partner_says(silent):
    """An electrode that is off has no ECG: nothing is invented for it."""
    data = signals(3)
    data[silent] = 7.0
    output = joined(run(data, Pairs()), "cleaned")
    np.testing.assert_array_equal(output[silent], 0)
    others = [lead for lead in range(3) if lead != silent]
    np.testing.assert_allclose(output[others], data[others], atol=1e-5)


def test_a_network_of_one_lead_gets_a_view_of_the_window():
    window = signals(3)[:, 5:45]
    rows = group_leads(window, 1)
    assert rows.shape == (3, 1, 40)
    assert np.shares_memory(rows, window)
    assert np.shares_memory(ungroup_leads(rows, window), rows)


def test_three_leads_together_are_a_defect():
    with pytest.raises(ValueError, match="a network takes 1 or 2 leads together, not 3"):
        group_leads(signals(3), 3)
