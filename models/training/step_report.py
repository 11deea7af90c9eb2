"""What a training of a network that keeps state leaves: weights, their spread scaled, and a report."""

import copy
import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from models.networks.lowdelay import LowDelay
from models.networks.step_layers import POINT_EVERY, POINTS
from models.training.blend import Weights, blend
from models.training.checks import load_checks
from models.training.data import Corpus, load_corpus, noisy_batch
from models.training.loss_plot import plot_db
from models.training.patients import PATIENTS_ABOUT
from models.training.run_state import RunState
from models.training.step_objective import answers
from models.training.step_settings import StepSettings, command

WITHIN = 0.68
"""Share of errors within the spread, as within the standard deviation of a normal distribution."""
_EVERY = 16
"""Of so many samples one is looked at to set the spread: neighbours err alike."""
_ROWS, _SAMPLES, _CONTEXT = 96, 3600, 720
TRACK_F_PROTOCOL = (
    "Track F: 15 DS1 patients (both leads as single leads), 40 records of the QT Database and the training "
    "part of NSTDB noise; 4 other DS1 patients choose the step that is kept"
)


def finish(state: RunState, out: Path, data_dir: Path | None, before: dict[str, Any], begun: Weights) -> Path:
    """Write the best average, its spread scaled on validation patients, and the report of the run.

    Parameters
    ----------
    before
        Report of the run whose weights this one began with.
    begun
        Those weights, where the average is to be blended with them.
    """
    from safetensors.torch import save_file

    settings: StepSettings = state.settings
    network = copy.deepcopy(state.network)
    assert isinstance(network, LowDelay)
    if state.best_weights:
        network.load_state_dict(state.best_weights)
    blended = {}
    if begun:
        learnt = copy.deepcopy(network.state_dict())
        found, tried = blend(network, begun, learnt, load_checks(data_dir, state.generator.device))
        blended = {"blend": asdict(found)}
        figures = json.dumps([asdict(each) for each in tried], indent=2)
        (out / "blend.json").write_text(figures + "\n", encoding="utf-8")
    scale_spread(network, load_corpus("validation", data_dir).to(state.generator.device))
    weights = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    save_file(weights, out / "weights.safetensors")
    report = {
        "command": command(state.name, settings) + (" --blend" if blended else ""),
        "settings": asdict(settings) | blended,
        "steps_planned": settings.steps,
        "steps_run": state.step,
        "rows_per_step": settings.batch,
        "signal_s": round(state.step * settings.seconds_a_step),
        "best_validation_loss": state.best if state.step else None,
        "minutes": round(state.seconds / 60, 1),
        "machine": f"{state.generator.device.type}, {torch.get_num_threads()} threads, {platform.machine()}",
        "torch": torch.__version__,
    }
    if settings.patients and state.step:
        report |= PATIENTS_ABOUT
    if before and state.step:
        report["begun_with"] = before
    elif before:
        # No step taken: what trained these weights is what trained those.
        again = f"ecg-stream train {state.name} --begin {settings.begun_with[:12]} --end"
        gathered = f"; afterwards the norms' statistics were gathered for every look-ahead: {again}"
        report = before | {"protocol": TRACK_F_PROTOCOL + gathered}
    (out / "training.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if (out / "log.jsonl").is_file():
        plot_db(out / "log.jsonl", out / "loss.png", state.name)
    return out


@torch.no_grad()
def scale_spread(network: LowDelay, corpus: Corpus) -> None:
    """Scale the spread, over the look-aheads, so that `WITHIN` of the errors are no larger.

    Parameters
    ----------
    corpus
        Validation patients and noise.
    """
    network.eval()
    draw = torch.Generator(corpus.clean.device).manual_seed(2718)
    noisy, clean = noisy_batch(corpus, _ROWS, _SAMPLES, draw)
    factors = {}
    for lookahead in range(0, POINT_EVERY * POINTS, POINT_EVERY):
        answer, _ = answers(network, noisy, (lookahead,))[0]
        scored = slice(_CONTEXT, None)
        error = answer[:, 0, scored] - clean.roll(lookahead, dims=-1)[:, 0, scored]
        error -= error.mean(dim=-1, keepdim=True)
        ratio = (error.abs() / answer[:, 1, scored])[:, ::_EVERY].flatten()
        factors[lookahead] = float(ratio.quantile(WITHIN))
    network.scale_spread(factors)
