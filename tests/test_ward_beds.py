"""Beds of a ward: where they belong, what is kept of them, and what is told of them."""

import numpy as np
import pytest
from ward_tools import FS, beds_of, message, started

from engine.messages import Gap
from engine.run.protocol import Job, Status
from streamer.errors import InputError
from streamer.lsl.settings import LslSettings
from streamer.partition import PARTITIONS, partition_of, worker_of
from streamer.settings import SourceSettings
from streamer.synthetic import SyntheticPatient
from ward.bed import KEPT_S, MISSING, STEP_MV, Bed
from ward.workers import share_out

EVERY = 2
"""Samples for one that is kept, at 360 Hz."""


def test_a_bed_has_its_partition_for_good():
    # By BLAKE2b of the name: another program gets the same ones.
    assert [partition_of(name) for name in ("bed-1/a", "bed-2/a", "Ann's bed/")] == [85, 91, 23]
    assert PARTITIONS == 256


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 64])
def test_every_bed_has_one_worker_and_every_worker_beds(workers):
    whose = [worker_of(f"bed-{number}/strap", workers) for number in range(2000)]
    assert set(whose) == set(range(workers))
    counts = np.bincount(whose)
    assert counts.max() < 2 * 2000 / workers


def test_a_ward_of_patients_is_shared_out_whole():
    job = Job(tuple(SourceSettings(seed=seed) for seed in range(50)), lsl_out="clean")
    jobs = share_out(job, 4)
    assert sorted(source.seed for each in jobs for source in each.sources) == list(range(50))
    assert [each.lsl_out for each in jobs] == ["clean-1", "clean-2", "clean-3", "clean-4"]


def test_streams_that_come_and_go_are_shared_by_name():
    job = Job((SourceSettings(kind="lsl", lsl=LslSettings(every=True, wait=True)),))
    assert [each.sources[0].lsl.share for each in share_out(job, 3)] == [(0, 3), (1, 3), (2, 3)]


def test_a_worker_without_a_bed_is_not_started():
    assert len(share_out(Job((SourceSettings(),)), 8)) == 1


def test_no_worker_is_no_ward():
    with pytest.raises(InputError, match="--workers 0 cannot work"):
        share_out(Job((SourceSettings(),)), 0)


# What is kept


def bed():
    return Bed(0, started("bed"), 0)


@pytest.mark.parametrize("sizes", [[1], [7], [16, 3], [1000]])
def test_what_is_kept_does_not_depend_on_how_it_came(sizes):
    values = np.random.default_rng(1).normal(0, 1, 3000).astype(np.float32)
    kept, at = bed(), 0
    while at < 3000:
        size = sizes[at % len(sizes)]
        kept.take(message("bed", at, values[at : at + size], 2 * values[at : at + size], mark=3))
        at += size
    trace = kept.read(0, 10_000)
    assert trace.first == 0
    np.testing.assert_allclose(trace.raw * STEP_MV, values[: trace.raw.size * EVERY : EVERY], atol=STEP_MV)
    np.testing.assert_allclose(trace.cleaned, 2 * trace.raw, atol=1)
    assert len(trace.raw) == 3000 / EVERY
    assert set(trace.marks) == {3}


def test_a_gap_is_missing_and_not_filled():
    kept = bed()
    kept.take(message("bed", 0, np.ones(100)))
    kept.take(Gap("id of bed", 100, 300))
    kept.take(message("bed", 300, np.ones(100)))
    raw = kept.read(0, 1000).raw
    assert (raw[50:150] == MISSING).all()
    assert (raw[:50] == 200).all()
    assert (raw[150:] == 200).all()


def test_a_hole_that_nobody_reported_is_missing_too():
    kept = bed()
    kept.take(message("bed", 0, np.ones(100)))
    kept.take(message("bed", 200, np.ones(100)))
    assert (kept.read(50, 100).raw == MISSING).all()


def test_missing_samples_and_far_ones_are_told_apart():
    kept = bed()
    kept.take(message("bed", 0, [np.nan, 0, 300, 0, -300, 0, 40, 0]))
    assert kept.read(0, 4).raw.tolist() == [MISSING, 32767, -32767, 8000]


def test_only_the_newest_minutes_are_kept():
    kept = bed()
    longest = round(KEPT_S * FS)
    ramp = (np.arange(longest + 3600) % 1000).astype(np.float32) / 100
    for at in range(0, ramp.size, 3600):
        kept.take(message("bed", at, ramp[at : at + 3600]))
    trace = kept.read(0, 1 << 31)
    assert trace.first == 3600 / EVERY
    assert len(trace.raw) == longest / EVERY
    np.testing.assert_allclose(trace.raw * STEP_MV, ramp[3600::EVERY], atol=STEP_MV)


def test_a_stream_that_begins_late_has_nothing_before():
    kept = bed()
    kept.take(message("bed", 7201, np.ones(99)))
    trace = kept.read(0, 1 << 31)
    assert trace.first == 3601
    assert (trace.raw == 200).all()


def test_a_bed_has_the_heart_rate_of_its_traces():
    kept = bed()
    ecg = SyntheticPatient(leads=("II",), seed=1).read(0, 7200).data[0]
    kept.take(message("bed", 0, ecg, np.zeros(7200)))
    kept.listen()
    assert kept.rates.raw == pytest.approx(70, abs=3)
    assert kept.rates.cleaned is None


def test_a_bed_has_no_cleaned_rate_where_the_network_is_unsure_of_its_beats():
    ecg = SyntheticPatient(leads=("II",), seed=1).read(0, 7200).data[0]
    for spread, rate in ((0.01, pytest.approx(70, abs=3)), (3.0, None)):
        kept = bed()
        kept.take(message("bed", 0, ecg, ecg, spread))
        kept.listen()
        assert kept.rates.cleaned == rate


# What is told


def status(**known):
    figures = dict.fromkeys(("seconds", "snr_in_db", "snr_out_db", "delay_p50_ms", "delay_p99_ms"), 0.0)
    counts = dict.fromkeys(("samples_in", "gaps", "gap_samples", "deadline_misses"), 0)
    return Status(**figures | counts | {"stream": "id of bed"} | known)


def test_a_change_is_told_once():
    beds = beds_of("bed")
    for each in (
        status(),
        status(state="LOST"),
        status(state="LOST"),
        status(state="LIVE", gaps=1, gap_samples=720),
        status(gaps=1, gap_samples=720, reasons={"II": "lead off"}),
        status(gaps=1, gap_samples=720),
    ):
        beds.take(0, each)
    assert [event.text for event in beds.events()] == [
        "has joined",
        "is LOST",
        "is LIVE",
        "has a gap of 2.0 s",
        "raw is shown (II: lead off)",
        "is cleaned again",
    ]
    assert [event.number for event in beds.events(after=3)] == [4, 5]


def test_a_worker_that_dies_is_told_of_its_beds_alone():
    beds = beds_of("bed")
    beds.plays(1, started("other"))
    beds.died(0, "the engine failed")
    assert [bed.dead for bed in beds.all] == ["the engine failed", ""]
    beds.plays(0, started("bed"))
    assert [bed.dead for bed in beds.all] == ["", ""]
    assert len(beds.all) == 2
