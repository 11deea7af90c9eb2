import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.benches.track_f import TEST_RECORDS, TRAIN_RECORDS, VALIDATION_RECORDS
from models.registry import find_network
from models.training import data as training_data
from models.training import train as training
from models.training.data import (
    CLEAN_SHARE,
    SAME_LEAD_SHARE,
    SEGMENT,
    SNR_RANGE_DB,
    Corpus,
    load_corpus,
    noisy_batch,
)
from models.training.objective import denoising_loss
from models.training.run_state import Plan, RunState
from models.training.train import VALIDATIONS, plan_steps, train
from models.training.train_all import share, train_all
from models.training.train_settings import TrainSettings, command, rate_at
from streamer.errors import InputError
from streamer.noise import KINDS, noise_blocks
from streamer.records.nstdb import load_tape
from streamer.records.record import clean_reference, read_record

NO_BEATS = np.empty(0, np.int64)
SETTINGS = TrainSettings(steps=6, batch=4, validate_every=2)

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine


@pytest.fixture(scope="module")
def small_track(made_physionet):
    """Track F with two patients to train on and one to validate; returns the data folder."""

    def one_batch(corpus, window, leads):
        return [noisy_batch(corpus, 4, window, torch.Generator().manual_seed(1), leads)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_data, "TRAIN_RECORDS", ("100", "101"))
        patch.setattr(training_data, "VALIDATION_RECORDS", ("114",))
        patch.setattr(training, "_validation_batches", one_batch)
        yield made_physionet


@pytest.fixture(scope="module")
def finished(small_track, tmp_path_factory):
    """A run that nothing disturbed. No test changes it."""
    out = tmp_path_factory.mktemp("run") / "finished"
    return train("unet", out, SETTINGS, data_dir=small_track, device="cpu", threads=1)


def log(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def checkpoint(run):
    return torch.load(run / "checkpoint.pt", weights_only=True)


def assert_same_checkpoint(one, other):
    """All but the time that it took."""
    assert one["progress"][:3] == other["progress"][:3]
    torch.testing.assert_close(
        {k: v for k, v in one.items() if k in ("network", "best_weights", "generator")},
        {k: v for k, v in other.items() if k in ("network", "best_weights", "generator")},
        rtol=0,
        atol=0,
    )
    torch.testing.assert_close(one["optimiser"]["state"], other["optimiser"]["state"], rtol=0, atol=0)


# A run


def test_a_run_leaves_weights_a_log_and_a_report(finished):
    network = find_network("unet").build()
    network.load_state_dict(load_file(finished / "weights.safetensors"))
    lines = log(finished)
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert all(np.isfinite([line["loss"], line["validation"], line["seconds"]]).all() for line in lines)
    report = json.loads((finished / "training.json").read_text())
    assert report["settings"] == asdict(SETTINGS)
    assert report["steps_planned"] == report["steps_run"] == 6
    assert (finished / "loss.png").stat().st_size > 5000
    assert report["best_validation_loss"] == min(line["validation"] for line in lines)
    assert checkpoint(finished)["progress"][0] == 6
    assert not list(finished.glob("*.tmp"))


def test_the_command_of_a_run_is_in_its_report(finished):
    words = json.loads((finished / "training.json").read_text())["command"].split()
    assert words[:3] == ["ecg-stream", "train", "unet"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options == {
        "--steps": "6", "--validate-every": "2", "--batch": "4", "--rate": "0.002", "--seed": "0",
    }  # fmt: skip
    assert "--minutes 2.5 " in command("unet", replace(SETTINGS, minutes=2.5)) + " "


def test_the_seed_decides(finished, small_track, tmp_path):
    def weights(name, **changes):
        settings = replace(SETTINGS, **changes)
        run = train("unet", tmp_path / name, settings, data_dir=small_track, device="cpu", threads=1)
        return (run / "weights.safetensors").read_bytes()

    assert weights("again") == (finished / "weights.safetensors").read_bytes()
    assert weights("other", seed=1) != (finished / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("stopped_at", [1, 2, 3])
def test_a_stopped_run_goes_on_as_if_nothing_had_been(
    finished, small_track, tmp_path, monkeypatch, stopped_at
):
    """Ctrl-C while it validates for the nth time: the steps since the last checkpoint are lost."""
    validate, calls = training._validate, []

    def interrupted(*given):
        calls.append(given)
        if len(calls) == stopped_at:
            raise KeyboardInterrupt
        return validate(*given)

    run = tmp_path / "stopped"
    monkeypatch.setattr(training, "_validate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train("unet", run, SETTINGS, data_dir=small_track, device="cpu", threads=1)
    assert not (run / "weights.safetensors").exists()
    torch.manual_seed(12345)
    train("unet", run, SETTINGS, data_dir=small_track, device="cpu", threads=1)

    assert (run / "weights.safetensors").read_bytes() == (finished / "weights.safetensors").read_bytes()
    assert_same_checkpoint(checkpoint(run), checkpoint(finished))
    assert [(line["step"], line["validation"]) for line in log(run)] == [
        (line["step"], line["validation"]) for line in log(finished)
    ]


def test_a_finished_run_is_not_trained_again(finished, small_track):
    before = (finished / "weights.safetensors").read_bytes()
    train("unet", finished, SETTINGS, data_dir=small_track, device="cpu", threads=1)
    assert (finished / "weights.safetensors").read_bytes() == before
    assert len(log(finished)) == 3


# A budget in minutes


def test_a_plan_fills_its_time():
    plan = plan_steps(600.0, 0.5, 2.0)
    assert plan.steps == VALIDATIONS * plan.validate_every
    took = plan.steps * 0.5 + VALIDATIONS * 2.0
    assert 600 - VALIDATIONS * 0.5 < took <= 600


def test_too_few_minutes_are_refused_with_what_is_needed():
    with pytest.raises(
        InputError, match=r"0\.5 minutes are too few: a step takes 3\.00 s .* at least 1\.3 m"
    ):
        plan_steps(30.0, 3.0, 2.0)


def test_a_run_of_minutes_keeps_its_plan_when_it_goes_on(small_track, tmp_path, monkeypatch):
    """The machine is twice as fast after the stop: the steps stay what they were."""
    settings = replace(SETTINGS, minutes=1.0)
    plans = iter([Plan(4, 2), Plan(8, 4)])
    monkeypatch.setattr(training, "plan_steps", lambda *_: next(plans))
    validate, calls = training._validate, []

    def interrupted(*given):
        calls.append(given)
        if len(calls) == 3:  # the first times the run
            raise KeyboardInterrupt
        return validate(*given)

    monkeypatch.setattr(training, "_validate", interrupted)
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train("unet", run, settings, data_dir=small_track, device="cpu", threads=1)
    assert checkpoint(run)["plan"] == {"steps": 4, "validate_every": 2}
    train("unet", run, settings, data_dir=small_track, device="cpu", threads=1)
    assert [line["step"] for line in log(run)] == [2, 4]
    assert json.loads((run / "training.json").read_text())["steps_planned"] == 4


def test_timing_a_run_changes_nothing_of_it(small_track, tmp_path, monkeypatch, finished):
    """Of the same number of steps, the timed run and the untimed one learn the same."""
    monkeypatch.setattr(training, "plan_steps", lambda *_: Plan(6, 2))
    settings = replace(SETTINGS, minutes=1.0)
    run = train("unet", tmp_path / "run", settings, data_dir=small_track, device="cpu", threads=1)
    assert (run / "weights.safetensors").read_bytes() == (finished / "weights.safetensors").read_bytes()


def test_the_budget_is_split_by_work():
    shares = share(60.0, [1e6, 16e6, 1e6])
    assert shares == pytest.approx([15.0, 30.0, 15.0])


def test_a_budget_goes_on_with_what_is_not_finished(tmp_path, monkeypatch):
    """One network is finished, one was begun with 20 minutes; the third gets what is left."""
    given = {}

    def fake_train(name, out, settings, **_):
        given[name] = settings.minutes
        out.mkdir(exist_ok=True)
        line = {"step": 1, "seconds": 60 * settings.minutes}
        (out / "log.jsonl").write_text(json.dumps(line) + "\n")
        return out

    monkeypatch.setattr("models.training.train_all.train", fake_train)
    done, begun = tmp_path / "train-done", tmp_path / "train-begun"
    done.mkdir()
    begun.mkdir()
    (done / "training.json").write_text("{}")
    (done / "log.jsonl").write_text(json.dumps({"step": 9, "seconds": 600.0}) + "\n")
    torch.save({"settings": {"minutes": 20.0}}, begun / "checkpoint.pt")
    work = {"done": 1.0, "begun": 1.0, "heavy": 16.0, "light": 1.0}
    told = []
    runs = train_all(work, tmp_path, SETTINGS, 60.0, lambda *note: told.append(note))
    assert given == {"begun": 20.0, "heavy": pytest.approx(20.0), "light": pytest.approx(10.0)}
    assert [name for name, _ in told] == ["begun", "heavy", "light"]
    assert runs == [tmp_path / f"train-{name}" for name in given]


@pytest.mark.parametrize("changes", [{"steps": 7}, {"seed": 3}, {"rate": 1e-3}, {"batch": 8}])
def test_other_settings_do_not_go_on(finished, small_track, changes):
    before = (finished / "checkpoint.pt").read_bytes()
    with pytest.raises(InputError, match=r"belongs to a run of 'unet' with other settings .* another --out"):
        train("unet", finished, replace(SETTINGS, **changes), data_dir=small_track, device="cpu")
    assert (finished / "checkpoint.pt").read_bytes() == before


def test_a_checkpoint_is_whole_or_the_old_one(finished, monkeypatch):
    """A disk that fills up, or a kill, while the new one is written."""
    old = (finished / "checkpoint.pt").read_bytes()
    network = find_network("unet").build()
    optimiser = torch.optim.AdamW(network.parameters())
    state = RunState("unet", network, optimiser, rate_at, SETTINGS, torch.device("cpu"), Plan(6, 2))

    def broken(content, path):
        path.write_bytes(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="no space left"):
        state.save(finished / "checkpoint.pt")
    assert (finished / "checkpoint.pt").read_bytes() == old
    state.resume(finished / "checkpoint.pt")
    assert state.step == 6


def test_it_stops_early_and_keeps_the_best(small_track, tmp_path, monkeypatch):
    """Of the losses 3, 1, 2, 2 … the second is best, and two without a better one are enough."""
    losses, kept = iter([3.0, 1.0, 2.0, 2.0, 0.5]), []

    def validate(network, *_):
        kept.append({k: v.clone() for k, v in network.state_dict().items()})
        return next(losses)

    monkeypatch.setattr(training, "_validate", validate)
    settings = TrainSettings(steps=10, batch=4, validate_every=1, patience=2)
    run = train("unet", tmp_path / "run", settings, data_dir=small_track, device="cpu", threads=1)
    assert json.loads((run / "training.json").read_text())["steps_run"] == 4
    torch.testing.assert_close(load_file(run / "weights.safetensors"), kept[1], rtol=0, atol=0)


def test_an_unknown_network_is_refused(tmp_path):
    with pytest.raises(InputError, match="model 'vnet' is unknown"):
        train("vnet", tmp_path / "run", SETTINGS)
    assert not (tmp_path / "run").exists()


def test_the_loss_falls_on_one_batch():
    """Forwards, loss and backwards together can learn by heart what never changes."""
    torch.manual_seed(0)
    network = find_network("unet").build()
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
    noisy, clean = noisy_batch(corpus(), 4, 720, torch.Generator().manual_seed(0))
    losses = []
    for _ in range(25):
        loss = denoising_loss(network(noisy), clean, torch.ones(720))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


# The loss


def test_the_loss_is_relative_to_the_clean_window():
    clean = torch.sin(torch.arange(720) / 20)[None, None]
    ones = torch.ones(720)
    scale = clean.std() + 0.05
    expected = 0.5 * ((0.3 / scale) ** 2 + 0.3 / scale)
    torch.testing.assert_close(denoising_loss(clean + 0.3, clean, ones), expected)
    assert denoising_loss(clean, clean, ones) == 0
    # A lead of ten times the size with ten times the error is as bad.
    loud = denoising_loss(10 * (clean + 0.3), 10 * clean, ones)
    torch.testing.assert_close(loud, expected, rtol=0.2, atol=0)


def test_the_loss_weighs_time():
    clean = torch.zeros(1, 1, 4)
    error = torch.tensor([[[1.0, 0, 0, 0]]])
    weight = torch.tensor([0.25, 1.0, 1.0, 1.0])
    early = denoising_loss(error, clean, weight)
    late = denoising_loss(error.flip(-1), clean, weight)
    torch.testing.assert_close(4 * early, late)


# What it is trained on


def corpus(drift=0.0, samples=3 * SEGMENT):
    """Four leads that lie above zero, and noise of unit power; `drift` tells raw from clean."""
    rng = np.random.default_rng(0)
    clean = 1 + np.abs(rng.standard_normal((4, samples))).astype(np.float32)
    noise = {kind: rng.standard_normal((2, samples)).astype(np.float32) for kind in KINDS}
    tapes = {kind: torch.from_numpy(tape) for kind, tape in noise.items()}
    return Corpus(
        torch.from_numpy(clean + np.float32(drift)), torch.from_numpy(clean), tapes, 4 * (NO_BEATS,)
    )


def long_batch(batch=600, seed=0, drift=0.0):
    """Examples as long as the stretch over which their SNR is set, but for one sample."""
    noisy, clean = noisy_batch(corpus(drift), batch, SEGMENT - 1, torch.Generator().manual_seed(seed))
    return noisy[:, 0].double(), clean[:, 0].double()


def begins_with_a_constant(noisy):
    return noisy[:, 0] == noisy[:, 1]


def test_a_batch_has_its_shape_and_follows_from_its_generator():
    def batch(seed):
        return noisy_batch(corpus(), 5, 720, torch.Generator().manual_seed(seed))

    for one, again, other in zip(batch(1), batch(1), batch(2), strict=True):
        assert one.shape == (5, 1, 720)
        assert one.dtype == torch.float32
        assert torch.isfinite(one).all()
        assert one.equal(again)
        assert not one.equal(other)


def test_the_noise_is_as_loud_as_it_should_be():
    noisy, clean = long_batch()
    noise = noisy - clean
    silent = noise.std(dim=1) < 1e-6
    usual = ~silent & ~begins_with_a_constant(noisy)
    snr_db = 10 * torch.log10(clean[usual].var(dim=1) / noise[usual].var(dim=1))
    low, high = SNR_RANGE_DB
    assert low - 0.1 < snr_db.min() < low + 1
    assert high - 1 < snr_db.max() < high + 0.1
    assert abs(snr_db.mean() - (low + high) / 2) < 1.5
    share = silent.double().mean().item()
    assert share == pytest.approx(CLEAN_SHARE, abs=0.04)


def test_half_of_the_examples_keep_their_drift():
    noisy, clean = long_batch(drift=40.0)
    moved = ((noisy - clean).mean(dim=1) / clean.mean(dim=1)).abs() > 5
    assert moved.double().mean() == pytest.approx(0.5, abs=0.08)


def test_sign_and_gain_vary_alike_in_noisy_and_clean():
    noisy, clean = long_batch()
    level = clean.mean(dim=1)
    assert (level > 0).double().mean() == pytest.approx(0.5, abs=0.08)
    assert level.abs().log().std() == pytest.approx(0.35, abs=0.05)
    usual = ~begins_with_a_constant(noisy)
    torch.testing.assert_close(noisy.mean(dim=1)[usual], level[usual], rtol=0.3, atol=0.1)


def test_some_examples_begin_as_a_stream_does():
    noisy, _ = long_batch()
    begins = begins_with_a_constant(noisy)
    assert 0.01 < begins.double().mean() < 0.1
    for row in noisy[begins]:
        change = torch.nonzero(row != row[0])[0, 0]
        assert (row[:change] == row[0]).all()


# Two leads


def pairs(samples=3 * SEGMENT):
    """Records whose second lead is ten times the first; noise whose channels are each other's negative."""
    rng = np.random.default_rng(0)
    first = rng.standard_normal((3, 1, samples)).astype(np.float32)
    clean = torch.from_numpy(np.concatenate([first, 10 * first], axis=1).reshape(6, samples))
    tape = rng.standard_normal(samples).astype(np.float32)
    tapes = {kind: torch.from_numpy(np.stack([tape, -tape])) for kind in KINDS}
    return Corpus(clean, clean, tapes, 6 * (NO_BEATS,))


def test_two_leads_are_one_record_at_one_moment_with_both_channels():
    noisy, clean = noisy_batch(pairs(), 400, SEGMENT - 1, torch.Generator().manual_seed(0), 2)
    assert noisy.shape == clean.shape == (400, 2, SEGMENT - 1)
    same = (clean[:, 0] == clean[:, 1]).all(dim=1)
    assert same.double().mean() == pytest.approx(SAME_LEAD_SHARE, abs=0.06)
    torch.testing.assert_close(noisy[same][:, 0], noisy[same][:, 1], rtol=0, atol=0)
    both = clean[~same]
    torch.testing.assert_close(both[:, 1], 10 * both[:, 0], rtol=1e-5, atol=1e-6)
    noise = (noisy - clean)[~same]
    loud = (noise[:, 0].std(dim=1) > 0.01) & (noisy[~same][:, 0, 0] != noisy[~same][:, 0, 1])
    assert loud.sum() > 150
    for first, second in noise[loud]:
        assert torch.corrcoef(torch.stack([first, second]))[0, 1] < -0.99


def test_each_lead_of_a_pair_has_the_example_s_snr():
    noisy, clean = noisy_batch(pairs(), 200, SEGMENT - 1, torch.Generator().manual_seed(1), 2)
    noise = noisy - clean
    usual = (noise[:, 0].std(dim=1) > 0.01) & (noisy[:, 0, 0] != noisy[:, 0, 1])
    snr_db = 10 * torch.log10(clean[usual].var(dim=2) / noise[usual].var(dim=2))
    torch.testing.assert_close(snr_db[:, 0], snr_db[:, 1], rtol=0, atol=0.05)


def test_pairs_hold_both_leads_in_every_part(small_track):
    for part, records in {"train": ("100", "101"), "validation": ("114",)}.items():
        corpus = load_corpus(part, small_track, leads=2)
        assert len(corpus.clean) == 2 * len(records)
        for row, name in enumerate(records):
            data = read_record(small_track / "mitdb" / name, ("MLII", "V5")).data
            np.testing.assert_array_equal(corpus.clean[2 * row : 2 * row + 2], clean_reference(data, 360.0))


def test_a_corpus_is_made_of_its_part(small_track):
    train_part, validation = load_corpus("train", small_track), load_corpus("validation", small_track)
    assert train_part.raw.shape == train_part.clean.shape == (4, 60 * 360)  # both leads of both
    assert validation.raw.shape == (1, 60 * 360)  # MLII alone
    record = read_record(small_track / "mitdb" / "114", ("MLII",))
    np.testing.assert_array_equal(validation.clean.numpy(), clean_reference(record.data, 360.0))
    np.testing.assert_allclose(validation.raw.numpy(), record.data - np.median(record.data), atol=1e-6)
    for part, loaded in {"train": train_part, "validation": validation}.items():
        for kind in KINDS:
            tape = load_tape(kind, part, 360.0, small_track)
            np.testing.assert_allclose(loaded.noise[kind].std(dim=1, correction=0), 1, rtol=1e-3)
            np.testing.assert_allclose(
                loaded.noise[kind].numpy() * tape.std(axis=1, keepdims=True), tape, atol=1e-5
            )


@pytest.mark.data
@pytest.mark.parametrize("leads", [1, 2])
def test_training_opens_no_record_of_the_test(physionet, monkeypatch, leads):
    """Neither its patients, nor the stress records' ones, nor 201, who is also 202."""
    opened = []

    def spy(path, *given):
        opened.append(path.name)
        return read_record(path, *given)

    monkeypatch.setattr(training_data, "read_record", spy)
    # Other tests here stand on few made records.
    monkeypatch.setattr(training_data, "TRAIN_RECORDS", TRAIN_RECORDS)
    monkeypatch.setattr(training_data, "VALIDATION_RECORDS", VALIDATION_RECORDS)
    for part in ("train", "validation"):
        corpus = load_corpus(part, physionet, leads)
        assert len(corpus.clean) % leads == 0
    assert len(opened) == len(set(opened)) == 19
    assert not set(opened) & {*TEST_RECORDS, "118", "119", "201"}
    # MLII comes first, though in record 114 it is the second signal.
    second = "V5"
    both = read_record(physionet / "mitdb" / "114", ("MLII", second)[:leads]).data
    np.testing.assert_array_equal(corpus.clean[:leads], clean_reference(both, 360.0))


@pytest.mark.parametrize("kind", KINDS)
def test_training_noise_lies_ten_seconds_from_test_noise(kind):
    duration_s = 650_000 / 360
    test = noise_blocks(kind, "test", duration_s)
    for part in ("train", "validation"):
        for start, stop in noise_blocks(kind, part, duration_s):
            assert all(stop + 10 <= first or last + 10 <= start for first, last in test)


def test_a_corpus_can_move_to_a_device():
    moved = corpus().to(torch.device("meta"))
    assert {moved.raw.device.type, moved.clean.device.type} == {"meta"}
    assert {tape.device.type for tape in moved.noise.values()} == {"meta"}


def test_a_checkpoint_that_is_none_is_refused_in_words(finished, small_track, tmp_path):
    whole = (finished / "checkpoint.pt").read_bytes()
    for content in (whole[: len(whole) // 2], b"no checkpoint", b""):
        (tmp_path / "checkpoint.pt").write_bytes(content)
        with pytest.raises(InputError, match="no whole checkpoint; give another --out"):
            train("unet", tmp_path, SETTINGS, data_dir=small_track, device="cpu", threads=1)
