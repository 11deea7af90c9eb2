"""By what a training on bedside examples is judged: dB that are left, per kind of noise and look-ahead."""

from pathlib import Path

import torch
from torch import Tensor, nn

from models.training.data import Corpus, load_corpus
from models.training.step_objective import answers, snr_out_db
from streamer.noise import KINDS, noise_gain

LOOKAHEADS = (0, 36, 72, 108)
ROWS, SAMPLES, CONTEXT = 16, 3600, 720
SNR_DB = 0.0
BEATS, AROUND = 64, (792, 972)
"""Ventricular beats, each so many samples after the begin of so many: around it the scored samples lie, at
any of `LOOKAHEADS`."""

Checks = dict[str, tuple[Tensor, Tensor]]
"""Noisy and clean, (rows, 1, samples) mV, by the name of the noise."""


def load_checks(data_dir: Path | None, device: torch.device) -> Checks:
    """Validation patients with validation noise at `SNR_DB`, and without any; always the same.

    Of patients with ventricular beats, those with electrode motion too.
    """
    return make_checks(load_corpus("validation", data_dir).to(device))


def make_checks(corpus: Corpus) -> Checks:
    """The same from a corpus."""
    device = corpus.clean.device
    g = torch.Generator(device).manual_seed(2718)

    def cut(rows: Tensor, row: Tensor, start: Tensor, samples: int) -> Tensor:
        return rows[row[:, None], start[:, None] + torch.arange(samples, device=device)]

    def integers(high: int, count: int) -> Tensor:
        return torch.randint(high, (count,), generator=g, device=device)

    def mixed(clean: Tensor, kind: str) -> tuple[Tensor, Tensor]:
        tape, (count, samples) = corpus.noise[kind], clean.shape
        noise = cut(tape, integers(len(tape), count), integers(tape.shape[1] - samples, count), samples)
        gain = noise_gain(clean.var(1, keepdim=True), noise.var(1, keepdim=True), SNR_DB)
        return (clean + gain * noise)[:, None], clean[:, None]

    row = torch.arange(ROWS, device=device) % len(corpus.clean)
    start = integers(corpus.clean.shape[1] - SAMPLES, ROWS)
    clean, raw = cut(corpus.clean, row, start, SAMPLES), cut(corpus.raw, row, start, SAMPLES)
    checks = {"clean": (raw[:, None], clean[:, None])} | {kind: mixed(clean, kind) for kind in KINDS}
    before, samples = AROUND
    starts = [beats - before for beats in corpus.ventricular]
    starts = [each[(each >= 0) & (each <= corpus.clean.shape[1] - samples)] for each in starts]
    holding = [place for place, each in enumerate(starts) if len(each)]
    if holding:
        # They look like an electrode that moves. The same number of each patient, spread over the record.
        chosen = [holding[beat % len(holding)] for beat in range(BEATS)]
        at = [int(starts[row][beat * len(starts[row]) // BEATS]) for beat, row in enumerate(chosen)]
        row, start = (torch.tensor(each, device=device) for each in (chosen, at))
        clean = cut(corpus.clean, row, start, samples)
        checks["ventricular em"] = mixed(clean, "em")
    return checks


@torch.no_grad()
def judge(network: nn.Module, checks: Checks) -> dict[str, list[float]]:
    """SNR that is left, dB, for each of `LOOKAHEADS`, by the name of the noise."""
    network.eval()
    return {
        name: [
            round(snr_out_db(answer, clean, lookahead, CONTEXT), 3)
            for answer, lookahead in answers(network, noisy, LOOKAHEADS)
        ]
        for name, (noisy, clean) in checks.items()
    }


def mean_db(figures: dict[str, list[float]]) -> float:
    """Over all conditions and look-aheads alike."""
    return sum(map(sum, figures.values())) / sum(map(len, figures.values()))
