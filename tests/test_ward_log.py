"""A ward of several machines: what is sent is cleaned once each, whoever dies, to the bit."""

import numpy as np
import pytest
from log_tools import brokers
from ward_troubles import KINDS, figures_of, survives

from engine.in_process.stages import open_system


@pytest.fixture(scope="module")
def system():
    return open_system("lowdelay", 100.0, 40.0, waits=True)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with brokers(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


def test_a_killed_worker_a_paused_one_and_a_broker_that_dies_cost_nothing(broker, system, tmp_path):
    troubles, samples = survives(broker, system, tmp_path, 7, list(KINDS))
    assert [each.kind for each in troubles] == list(KINDS)
    assert samples > 0
    figures = figures_of(troubles)
    assert figures["count"] == len(KINDS)
    assert 0 < figures["p50"] <= figures["p99"] <= figures["most"]


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_fifty_troubles_at_random_cost_nothing(broker, system, tmp_path):
    rng = np.random.default_rng(50)
    survives(broker, system, tmp_path, 17, [str(kind) for kind in rng.choice(list(KINDS), 50)])
