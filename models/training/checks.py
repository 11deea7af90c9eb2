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

Checks = dict[str, tuple[Tensor, Tensor]]
"""Noisy and clean, (rows, 1, samples) mV, by the name of the noise."""


def load_checks(data_dir: Path | None, device: torch.device) -> Checks:
    """Validation patients with validation noise at `SNR_DB`, and without any; always the same."""
    return make_checks(load_corpus("validation", data_dir).to(device))


def make_checks(corpus: Corpus) -> Checks:
    """The same from a corpus."""
    device = corpus.clean.device
    g = torch.Generator(device).manual_seed(2718)
    time = torch.arange(SAMPLES, device=device)

    def cut(rows: Tensor, row: Tensor, start: Tensor) -> Tensor:
        return rows[row[:, None], start[:, None] + time]

    def integers(high: int) -> Tensor:
        return torch.randint(high, (ROWS,), generator=g, device=device)

    row = torch.arange(ROWS, device=device) % len(corpus.clean)
    start = integers(corpus.clean.shape[1] - SAMPLES)
    clean, raw = cut(corpus.clean, row, start), cut(corpus.raw, row, start)
    checks = {"clean": (raw[:, None], clean[:, None])}
    for kind in KINDS:
        tape = corpus.noise[kind]
        noise = cut(tape, integers(len(tape)), integers(tape.shape[1] - SAMPLES))
        gain = noise_gain(clean.var(1, keepdim=True), noise.var(1, keepdim=True), SNR_DB)
        checks[kind] = ((clean + gain * noise)[:, None], clean[:, None])
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
