"""Whether a lead's answers depend on who shares its call, and what a row costs: run it, it is no test."""

import sys
import time

import numpy as np

from engine.in_process.stages import open_system
from engine.stateful import initial_state

STEPS, MOST = 40, 64


def run(system, signals, rows):
    """Answers and last state of some rows of `signals` (steps, rows, 1, hop), and CPU µs a row and step."""
    backend, state, answers = system.backend, initial_state(signals[0][rows], system.backend.steps), []
    begun_s = time.process_time()
    for signal in signals:
        answer = backend.step(signal[rows], state, system.config.lookahead)
        state = np.array(answer[-1])
        answers += [np.array(part) for part in answer]
    return answers, 1e6 * (time.process_time() - begun_s) / STEPS / len(rows)


def main():
    system, rng = open_system("lowdelay", 100.0, 40.0, waits=True), np.random.default_rng(1)
    signals = rng.normal(0, 0.3, (STEPS, MOST, 1, system.config.hop)).astype(np.float32)
    together, _ = run(system, signals, range(MOST))
    for count in (1, 2, 4, 10, 33, MOST):
        rows = sorted(rng.choice(MOST, count, replace=False))
        alone, cpu_us = run(system, signals, rows)
        same = all(np.array_equal(part, whole[rows]) for part, whole in zip(alone, together, strict=True))
        bits = "the same" if same else "other"
        sys.stdout.write(f"{count:3} rows: {cpu_us:4.0f} µs a row, {bits} bits as of {MOST}\n")


if __name__ == "__main__":
    main()
