"""Scenarios through the whole engine in simulated time: ``python in_simulation.py SEED LONGEST_S NUMBER…``.

The real LSL source, session, pipeline, ladder, ledger and recorder run; clock and liblsl are simulated, so
that five minutes of outage take a second. A row of JSON for each scenario is written to the output.
"""

import json
import sys
import tempfile
from pathlib import Path

from simulated_time import SimulatedClock

CLOCK = SimulatedClock()
CLOCK.install()

import numpy as np  # noqa: E402 - they take their clock when they are imported
from judge import Judge  # noqa: E402
from scenario import Scenario, scenario  # noqa: E402
from simulated_lsl import World, install  # noqa: E402

from engine.backends.filters import FilterRuntime  # noqa: E402
from engine.run.protocol import CleanSettings, Job  # noqa: E402
from engine.run.session import Session  # noqa: E402
from engine.run.summary import as_json  # noqa: E402
from streamer.lsl.settings import LslSettings  # noqa: E402
from streamer.settings import SourceSettings  # noqa: E402

FS = 360.0
LOOKAHEAD_MS, HOP_MS = 100.0, 44.0
_RUN = FilterRuntime.run


def within(numbers: np.ndarray, first: int, stop: int) -> int:
    """How many numbers are first … stop-1."""
    return int(((numbers >= first) & (numbers < stop)).sum())


def play(plan: Scenario, folder: Path) -> dict[str, object]:
    """One scenario to its end, and what became of its samples."""
    world = World(plan, FS, CLOCK)
    install(world)
    judge = Judge((LOOKAHEAD_MS + HOP_MS) / 1000)

    def since() -> float:
        return CLOCK.now - world.began

    rehearsing = False

    def starved(self, inputs):
        if not rehearsing and plan.starved and plan.starved[0] <= since() < plan.starved[1]:
            CLOCK.advance(plan.starved[2])
        return _RUN(self, inputs)

    FilterRuntime.run = starved
    source = SourceSettings(kind="lsl", lsl=LslSettings("far", wait=True))
    clean = CleanSettings("identity", "auto", LOOKAHEAD_MS, HOP_MS)
    session = Session(Job((source,), clean, save=folder, ladder=plan.engine == "ladder"))
    retunes = list(plan.retunes)
    outage = [plan.cut[1]] if plan.cut else []

    def idle() -> None:
        nonlocal rehearsing
        while retunes and since() >= retunes[0][0]:
            # On a thread of its own in an engine: what it rehearses holds nothing up.
            rehearsing = True
            session.retune(CleanSettings("identity", "auto", retunes.pop(0)[1], HOP_MS))
            rehearsing = False
        if outage and since() >= outage[0]:
            judge.link_is_back(world.began + outage.pop())

    def show(message) -> None:
        idle()
        judge.take(message, CLOCK.now)

    outcome = session.run(lambda: since() >= plan.seconds, show, idle)
    summary = as_json(outcome.summary)
    (stream,) = summary["streams"]
    row = judge.verdict(stream)
    last = judge.first + judge.next
    # Before the run the source listens to the rate; what is still on the way at its end is not the engine's.
    received = sum(within(numbers, judge.first, last) for numbers in world.received)
    row["dropped"] = received - judge.out
    never_sent = row["sent"] - within(world.number, judge.first, last)
    row["lost_on_the_way"] = row["gap_samples"] - never_sent
    row["exact"] &= row["dropped"] == 0
    if row["recovery_s"] is not None:
        row["recovery_s"] -= plan.held_s(plan.cut[1], plan.cut[1] + row["recovery_s"])
    steps = summary["overload"]["steps_taken"] if summary["overload"] else {}
    return (
        plan.kind
        | {
            "number": plan.number,
            "outage_s": plan.cut[1] - plan.cut[0] if plan.cut else 0.0,
            "received": received,
            "never_sent": never_sent,
            "steps_down": sum(count for step, count in steps.items() if step != "network"),
            "states": stream["stream"]["states"],
        }
        | row
    )


def main() -> None:
    """Play what the arguments name."""
    seed, longest_s = int(sys.argv[1]), float(sys.argv[2])
    for number in map(int, sys.argv[3:]):
        with tempfile.TemporaryDirectory(prefix="scenario-") as folder:
            row = play(scenario(number, FS, seed, longest_s), Path(folder))
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
