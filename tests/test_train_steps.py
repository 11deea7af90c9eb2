"""Training of a network that keeps state: its run, its norms, and what goes into the world."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import typer
from safetensors.torch import load_file, save_file
from step_tools import NAME
from torch import nn
from training_tools import write_patients
from typer.testing import CliRunner

from models import registry
from models.commands.train_command import train as train_command
from models.networks.lowdelay import LowDelay
from models.storage import read_tensors
from models.training import blend, checks, step_report, train_steps
from models.training import data as training_data
from models.training import train as training
from models.training.bedside import bedside_batch
from models.training.data import noisy_batch
from models.training.objective import half_pays
from models.training.run_state import RunState
from models.training.step_settings import FULL, StepSettings, command, rate_at
from models.training.train import train
from models.training.train_settings import TrainSettings
from streamer.errors import InputError

SETTINGS = StepSettings(steps=4, batch=2, window=720, context=180, validate_every=2, frozen_from=0.5)

app = typer.Typer()
app.command()(train_command)

torch.set_num_threads(1)  # more would spin and wait for each other on a busy machine


@pytest.fixture(scope="module")
def world(made_physionet, tmp_path_factory, write_record):
    """Track F with two patients, one of the QT Database and few of a folder: (data, patients)."""
    data = tmp_path_factory.mktemp("data")
    for name in ("mitdb", "nstdb"):
        (data / name).symlink_to(made_physionet / name)
    write_record(data / "qtdb", "sel301", np.random.default_rng(0).standard_normal((2, 45 * 250)), fs=250)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_data, "TRAIN_RECORDS", ("100", "101"))
        patch.setattr(training_data, "VALIDATION_RECORDS", ("114",))
        patch.setattr(training_data, "QTDB_TRAIN_RECORDS", ("sel301",))
        for module, names in (
            (checks, ("ROWS", "SAMPLES", "CONTEXT")),
            (step_report, ("_ROWS", "_SAMPLES", "_CONTEXT")),
        ):
            for name, value in zip(names, (2, 1080, 360), strict=True):
                patch.setattr(module, name, value)
        patch.setattr(train_steps, "GATHERED", 2)
        patch.setattr(train_steps, "GATHERED_ROWS", (2, 1440))
        patch.delenv("ECG_STREAM_PATIENTS", raising=False)
        yield data, write_patients(tmp_path_factory.mktemp("patients"), write_record)


def run(world, out, settings=SETTINGS, **options):
    data, patients = world
    return train_steps.train_steps(
        NAME, out, settings, data_dir=data, patients=patients, device="cpu", threads=1, **options
    )


@pytest.fixture(scope="module")
def finished(world, tmp_path_factory):
    """A run that nothing disturbed. No test changes it."""
    return run(world, tmp_path_factory.mktemp("run") / "finished")


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def checkpoint(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


# A run


def test_a_run_leaves_weights_a_curve_and_a_report(finished):
    network = LowDelay()
    network.load_state_dict(load_file(finished / "weights.safetensors"))
    curve = lines(finished)
    assert [line["step"] for line in curve] == [2, 4]
    assert [line["signal_s"] for line in curve] == [8, 16]
    for line in curve:
        assert set(line["db"]) == {"clean", "bw", "em", "ma"}
        figures = np.array(list(line["db"].values()))
        assert np.isfinite(figures).all()
        assert np.isfinite([line["loss"], line["rate"]]).all()
        assert line["validation"] == pytest.approx(-figures.mean())
    report = json.loads((finished / "training.json").read_text())
    assert (report["steps_run"], report["steps_planned"], report["signal_s"]) == (4, 4, 16)
    assert report["best_validation_loss"] == min(line["validation"] for line in curve)
    assert "Challenge 2011" in report["data"]
    assert (finished / "loss.png").stat().st_size > 5000


@pytest.mark.parametrize("stopped_at", [1, 2])
def test_a_stopped_run_goes_on_as_if_nothing_had_been(world, finished, tmp_path, monkeypatch, stopped_at):
    """Killed while it validates for the nth time: the steps since the last checkpoint are lost."""
    judge, calls = train_steps.judge, []

    def interrupted(*given):
        calls.append(given)
        if len(calls) == stopped_at:
            raise KeyboardInterrupt
        return judge(*given)

    folder = tmp_path / "stopped"
    monkeypatch.setattr(train_steps, "judge", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(world, folder)
    torch.manual_seed(12345)
    run(world, folder)
    assert (folder / "weights.safetensors").read_bytes() == (finished / "weights.safetensors").read_bytes()
    ours, theirs = checkpoint(folder), checkpoint(finished)
    for part in ("network", "average", "best_weights", "generator"):
        torch.testing.assert_close(ours[part], theirs[part], rtol=0, atol=0)
    torch.testing.assert_close(ours["optimiser"]["state"], theirs["optimiser"]["state"], rtol=0, atol=0)
    assert [line["db"] for line in lines(folder)] == [line["db"] for line in lines(finished)]


def test_a_finished_run_is_not_trained_again(world, finished, tmp_path):
    before = (finished / "weights.safetensors").read_bytes()
    run(world, finished)
    assert (finished / "weights.safetensors").read_bytes() == before
    assert len(lines(finished)) == 2


def test_other_settings_do_not_go_on(world, finished):
    for changed in ({"steps": 5}, {"seed": 3}, {"rate": 1e-5}):
        with pytest.raises(InputError, match=r"belongs to a run of 'lowdelay' with other settings"):
            run(world, finished, replace(SETTINGS, **changed))


def test_a_run_can_be_ended_anywhere_and_goes_on(world, finished, tmp_path, monkeypatch):
    """Its weights are those of the average so far; the checkpoint stays as it is."""
    stop = RunState.save

    def killed(self, path):
        stop(self, path)
        if self.step == 2:
            raise KeyboardInterrupt

    folder = tmp_path / "run"
    monkeypatch.setattr(RunState, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        run(world, folder)
    monkeypatch.undo()
    kept = (folder / "checkpoint.pt").read_bytes()
    run(world, folder, end=True)
    assert json.loads((folder / "training.json").read_text())["steps_run"] == 2
    assert (folder / "checkpoint.pt").read_bytes() == kept
    run(world, folder)
    assert (folder / "weights.safetensors").read_bytes() == (finished / "weights.safetensors").read_bytes()


def test_a_run_begins_with_given_weights_and_frozen_norms(world, finished, tmp_path):
    folder = run(world, tmp_path / "next", replace(SETTINGS, steps=2), begin=finished)
    saved = checkpoint(folder)
    first = load_file(finished / "weights.safetensors")
    report = json.loads((folder / "training.json").read_text())
    assert report["begun_with"]["steps_run"] == 4
    assert f"--begin {report['settings']['begun_with'][:12]}" in report["command"]
    for name, value in saved["network"].items():
        if name.startswith(("encoder", "trunk")) and "running" in name:
            torch.testing.assert_close(value, first[name], rtol=0, atol=0)
    with pytest.raises(InputError, match="holds no weights to begin with"):
        run(world, tmp_path / "other", begin=tmp_path / "nothing")


def test_statistics_alone_keep_what_was_trained(world, finished, tmp_path):
    """The end of a run that has not begun: no weight changes, and the card says who trained them."""
    theirs = load_file(finished / "weights.safetensors")
    aimed = [name for name in theirs if name.endswith("running_mean") and theirs[name].ndim == 2]
    begun = tmp_path / "begun"
    begun.mkdir()
    save_file(theirs | {name: theirs[name] + 100 for name in aimed}, begun / "weights.safetensors")
    (begun / "training.json").write_bytes((finished / "training.json").read_bytes())
    folder = run(world, tmp_path / "statistics", begin=begun, end=True)
    ours = load_file(folder / "weights.safetensors")
    assert len(aimed) == 8
    for name in aimed:
        assert ours[name].abs().max() < 50
    for name in {name for name in ours if "running" not in name} - {"spread_scale"}:
        assert torch.equal(ours[name], theirs[name]), name
    report = json.loads((folder / "training.json").read_text())
    assert report["steps_run"] == 4
    assert report["protocol"].endswith("--end")


def test_the_full_training_takes_ten_steps(world, tmp_path, monkeypatch):
    """The command for a GPU, as far as a processor can try it."""
    data, patients = world
    monkeypatch.setattr("models.training.step_settings.FULL", replace(FULL, window=720, context=180))
    words = [NAME, "--full", "--steps", "10", "--batch", "2", "--validate-every", "5", "--out"]
    where = ["--data-dir", str(data), "--patients", str(patients), "--device", "cpu", "--threads", "1"]
    result = CliRunner().invoke(app, [*words, str(tmp_path), *where])
    assert result.exit_code == 0, result.output
    assert f"ecg-stream export {NAME} --run" in result.output.replace("\n", " ")
    curve = lines(tmp_path / f"train-{NAME}")
    assert [line["step"] for line in curve] == [5, 8, 10]
    assert all(np.isfinite(line["loss"]) for line in curve)


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["lowdelay", "--minutes", "3"], "lowdelay is trained for --steps"),
        (["lowdelay", "--blend"], "give --begin too"),
        (["lowdelay", "--widen", "120"], "give --begin too"),
        (["unet", "--end"], "--full, --end, --blend and --widen are for lowdelay"),
    ],
)
def test_what_a_training_does_not_take_is_refused(words, refusal):
    result = CliRunner().invoke(app, words)
    assert result.exit_code != 0
    assert refusal in (result.output + str(result.exception)).replace("\n", " ")


def test_the_rate_rises_and_falls():
    rates = [rate_at(step, 40_000) for step in range(40_000)]
    assert rates[0] < 0.01
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)


def test_a_command_says_what_decides():
    assert command(NAME, FULL) == "ecg-stream train lowdelay --full"
    words = command(NAME, SETTINGS)
    assert "--steps 4 --batch 2 --rate 0.001 --seed 0 --validate-every 2" in words


def test_the_average_follows_the_weights():
    network = torch.nn.Linear(1, 1, bias=False)
    state = RunState(
        NAME, network, torch.optim.SGD(network.parameters()), rate_at, SETTINGS, torch.device("cpu")
    )
    seen = []
    for number in range(200):
        with torch.no_grad():
            network.weight.fill_(float(number >= 100))
        state.follow(0.99)
        state.step += 1
        seen.append(float(state.average["weight"]))
    assert seen[99] == 0
    assert 0 < seen[100] < 0.1
    assert 0.3 < seen[199] < 1


def test_weights_without_statistics_for_every_look_ahead_are_taken_from_a_file(world, finished, tmp_path):
    """A file is as good as a folder."""
    save_file(load_file(finished / "weights.safetensors"), tmp_path / "some.safetensors")
    folder = run(world, tmp_path / "run", begin=tmp_path / "some.safetensors", end=True)
    assert json.loads((folder / "training.json").read_text())["steps_run"] == 0


def test_a_run_begins_with_shipped_weights_and_says_who_trained_them(world, tmp_path):
    """They lie in planes of bytes, and a card beside them says how they were made."""
    shipped = registry.ModelCard(registry.find_network(NAME))
    folder = run(world, tmp_path / "run", replace(SETTINGS, steps=2), begin=shipped.weights_path)
    report = json.loads((folder / "training.json").read_text())
    card = json.loads(shipped.card_path.read_text())
    assert report["settings"]["begun_with"] == card["weights_sha256"]
    assert report["begun_with"]["command"] == card["training_command"]
    assert report["begun_with"]["protocol"] == card["protocol"]
    saved, first = checkpoint(folder)["network"], read_tensors(shipped.weights_path)
    for name, value in first.items():
        if name.startswith(("encoder", "trunk")) and "running" in name:
            assert torch.equal(saved[name], value), name


def test_a_run_widens_the_weights_that_it_begins_with(world, tmp_path):
    """It begins where those are, statistics of their norms kept, and its curve and report are its own."""
    shipped = registry.ModelCard(registry.find_network(NAME))
    settings = replace(SETTINGS, steps=2)
    folder = run(world, tmp_path / "run", settings, begin=shipped.weights_path, widened=108)
    wide = LowDelay(channels=108)
    wide.load_state_dict(load_file(folder / "weights.safetensors"))
    first = read_tensors(shipped.weights_path)
    norm = "answer.0.listen.norm.running_var"
    assert torch.equal(wide.state_dict()[norm][:, :96], first[norm])
    report = json.loads((folder / "training.json").read_text())
    assert "--begin" in report["command"]
    assert "--widen 108" in report["command"]
    assert (report["steps_run"], report["settings"]["widened"]) == (2, 108)
    with pytest.raises(InputError, match="with other settings"):
        run(world, folder, settings, begin=shipped.weights_path, widened=112)


# Between what a run began with and what it came to


def test_a_blend_takes_the_best_that_loses_no_figure(monkeypatch):
    """Clean gains 2 dB along the whole way; em loses more the farther it goes: a quarter dB at 0.5."""
    network = nn.Linear(1, 1, bias=False)

    def judged(network, _checks):
        share = float(network.weight.detach()) / 4
        return {"clean": [20 + 2 * share], "em": [10 - share**2]}

    monkeypatch.setattr(blend, "judge", judged)
    found, tried = blend.blend(
        network, {"weight": torch.zeros(1, 1)}, {"weight": torch.full((1, 1), 4.0)}, {}
    )
    assert (found.share, found.db) == (0.5, {"clean": [21.0], "em": [9.75]})
    assert float(network.weight.detach()) == 2
    assert [each.share for each in tried] == list(blend.SHARES)


def test_a_blend_keeps_counts_of_batches(monkeypatch):
    begun, learnt = ({"count": torch.tensor(n), "mean": torch.tensor(float(n))} for n in (3, 5))
    assert blend.between(begun, learnt, 0.5) == {"count": torch.tensor(3), "mean": torch.tensor(4.0)}


def test_a_run_ends_between_its_first_and_its_last_weights(world, finished, tmp_path, monkeypatch):
    """Also when it is ended a second time, from its checkpoint: the way is the same."""
    monkeypatch.setattr(blend, "SHARES", (0.0, 0.5))
    monkeypatch.setattr(blend, "LOSS_DB", np.inf)
    settings = replace(SETTINGS, steps=2)
    with monkeypatch.context() as patch:
        # The second of the two is the better one.
        places = iter((0, 1, 0, 1))
        patch.setattr(blend, "mean_db", lambda _db: next(places))
        folder = run(world, tmp_path / "run", settings, begin=finished, blended=True)
        once = load_file(folder / "weights.safetensors")
        run(world, tmp_path / "run", settings, begin=finished, blended=True, end=True)
    again = load_file(folder / "weights.safetensors")
    report = json.loads((folder / "training.json").read_text())
    assert report["settings"]["blend"]["share"] == 0.5
    assert report["command"].endswith("--blend")
    assert report["settings"]["blend"] in json.loads((folder / "blend.json").read_text())
    learnt, first = checkpoint(folder)["best_weights"], load_file(finished / "weights.safetensors")
    torch.testing.assert_close(again, once, rtol=0, atol=0)
    for name in ("gru.weight_hh_l0", "head.weight"):
        torch.testing.assert_close(again[name], (first[name] + learnt[name]) / 2)
        assert not torch.equal(first[name], learnt[name])


# Networks of windows learn from the folder of patients where it is given


def train_windows(world, out, name="unet", **options):
    data, patients = world
    settings = TrainSettings(steps=2, batch=2, validate_every=1)
    return train(name, out, settings, data_dir=data, patients=patients, device="cpu", threads=1, **options)


def test_a_network_of_windows_learns_from_patients_and_begins_with_shipped_weights(
    world, tmp_path, monkeypatch
):
    monkeypatch.setattr(training, "_validation_batches", lambda corpus, *_: [two_of(corpus)])
    took = []
    monkeypatch.setattr(training, "bedside_batch", lambda *given: took.append(given) or bedside_batch(*given))
    shipped = registry.load_card("unet")
    folder = train_windows(world, tmp_path / "run", begin=shipped.weights_path)
    report = json.loads((folder / "training.json").read_text())
    assert (report["settings"]["patients"], len(took)) == (True, 1)
    assert report["command"].endswith(
        f"--begin {registry.sha256(shipped.weights_path)[:12]} --patients FOLDER"
    )
    assert "Chapman" in report["data"]
    assert report["begun_with"]["command"] == "ecg-stream train unet"
    # Each example counts by the logarithm of its error, which is below 0.
    assert all(line["validation"] < 0 for line in lines(folder))
    first, last = read_tensors(shipped.weights_path), load_file(folder / "weights.safetensors")
    torch.testing.assert_close(last["head.weight"], first["head.weight"], rtol=0, atol=0.05)
    assert not torch.equal(last["head.weight"], first["head.weight"])


def two_of(corpus):
    return noisy_batch(corpus, 2, 720, torch.Generator().manual_seed(1))


def test_a_network_of_two_leads_takes_no_more_patients(world, tmp_path):
    with pytest.raises(InputError, match="takes 2 leads together; more patients are for one lead"):
        train_windows(world, tmp_path / "run", name="acdae")


@pytest.mark.parametrize(
    ("known", "pays"), [({"avx512_f": True}, False), ({"avx512_bf16": True}, True), ({}, False)]
)
def test_half_precision_is_for_processors_with_instructions_for_it(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, bool], pays: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    assert half_pays(torch.device("cpu")) is pays
    assert half_pays(torch.device("cuda"))
