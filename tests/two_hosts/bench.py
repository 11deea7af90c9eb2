"""The bench of live scenarios: ``python bench.py --out FOLDER`` writes ``table.json`` and ``report.md``.

Scenarios run in simulated time, some of them between two hosts over the real liblsl as well; then one long
run at real speed, a day in simulated time for the memory, and the delay beside a bare pylsl loop. What is not
asked for keeps the figures that stand in ``table.json``. Status 1 says that a sample was lost, moved or
changed.
"""

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import over_link
from hosts import why_not
from report import report
from scenario import KINDS, OUTAGES, scenario

from engine.lab.results import write_results

HERE = Path(__file__).parent
REAL = {"longest_s": 30.0, "quiet_s": 6.0, "after_s": 14.0}
"""Real time is dear: shorter, and the outages are cut down to this."""


def in_simulation(*arguments: object, worker: str = "in_simulation.py") -> list[dict[str, Any]]:
    """Rows of simulated scenarios, from a process whose clock is simulated."""
    path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    ran = subprocess.run(
        [sys.executable, str(HERE / worker), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in ran.stdout.splitlines()]


def over_links(count: int, seed: int) -> list[dict[str, Any]]:
    """Rows of scenarios between two hosts: of every outage as many, the rest by turns."""
    step = len(KINDS) // len(OUTAGES)
    # 7 has no factor in common with the number of kinds, so that all the others come by turns.
    numbers = [step * (turn % len(OUTAGES)) + 7 * turn % step for turn in range(count)]
    return [over_link.play(scenario(number, over_link.FS, seed, **REAL)) for number in numbers]


def five_minutes(seed: int) -> dict[str, Any]:
    """The link is cut for five minutes, between two hosts."""
    number = KINDS.index(("long", "plain", "idle", "steady"))
    plan = scenario(number, over_link.FS, seed, 300.0, 6.0, 150.0)
    begin = plan.cut[0]
    whole = {**vars(plan), "cut": (begin, begin + 300.0), "seconds": begin + 450.0}
    return over_link.play(type(plan)(**whole))


def main() -> int:
    """Run what is asked for, and write it beside what stands there."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--out", type=Path, default=HERE.parents[1] / "docs" / "results" / "live")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--scenarios", type=int, default=0, help="in simulated time; 200 are every combination")
    ask.add_argument("--real", type=int, default=0, help="scenarios between two hosts")
    ask.add_argument("--outage", action="store_true", help="five minutes of a link that is cut")
    ask.add_argument("--soak", type=float, default=0.0, help="minutes at real speed, between two hosts")
    ask.add_argument("--day", type=float, default=0.0, help="hours in simulated time, for the memory")
    ask.add_argument("--delay", type=float, default=0.0, help="seconds beside a bare loop")
    asked = ask.parse_args()
    if (asked.real or asked.outage or asked.soak) and (reason := why_not()):
        ask.error(f"two hosts cannot be made here: {reason}")
    asked.out.mkdir(parents=True, exist_ok=True)
    file = asked.out / "table.json"
    table = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    exact = True

    def keep(name: str, rows: Any) -> None:
        nonlocal exact
        table[name] = rows
        table[f"{name}_when"] = datetime.now(UTC).isoformat(timespec="seconds")
        for row in rows if isinstance(rows, list) else [rows]:
            exact &= row.get("exact", True)
        write_results(file, table)
        (asked.out / "report.md").write_text(report(table), encoding="utf-8")

    if asked.scenarios:
        keep("simulated", in_simulation(asked.seed, 300.0, *range(asked.scenarios)))
    if asked.real:
        keep("real", over_links(asked.real, asked.seed))
    if asked.outage:
        keep("five_minutes", five_minutes(asked.seed))
    if asked.soak:
        keep("soak", over_link.soak(60 * asked.soak, asked.seed))
    if asked.day:
        keep("day", in_simulation(asked.seed, asked.day, worker="day_in_simulation.py")[0])
    if asked.delay:
        from engine.lab.profile.lsl_path import compare_delay

        keep("delay", compare_delay(asked.delay, "identity"))
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
