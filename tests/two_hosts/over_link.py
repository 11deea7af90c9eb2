"""Scenarios over the real liblsl, between two hosts, in real time; and one of an hour."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scenario import Scenario
from talk import FS, Talk, far_apart

JITTER_S = 0.0005
Step = tuple[float, str, Any]
"""Seconds since the first cleaned sample; who; what it is told."""


def timeline(plan: Scenario) -> list[Step]:
    """What is done to link, engine and device, in order."""
    steps: list[Step] = []
    if plan.cut and plan.outage == "gone":
        steps += [(plan.cut[0], "device", "gone"), (plan.cut[1], "device", "back")]
    elif plan.cut:
        steps += [(plan.cut[0], "link", {"cut": True}), (plan.cut[1], "link", {"cut": False})]
    if plan.cut:
        steps += [(plan.cut[1], "engine", {"back": True})]
    steps += [(at, "engine", {"retune": ms}) for at, ms in plan.retunes]
    if plan.starved:
        begin, end, call_s = plan.starved
        steps += [(begin, "engine", {"starve": call_s}), (end, "engine", {"starve": 0.0})]
    return sorted(steps, key=lambda step: step[0])


def hour(seconds: float, seed: int) -> tuple[list[Step], dict[str, Any]]:
    """A long run: what is done to it, and the device's habits; everything happens, at times of a seed."""
    random = np.random.default_rng(seed)
    steps: list[Step] = []
    at = 20.0
    while at < seconds - 90:
        at += random.uniform(10, 40)
        what = random.choice(["cut", "cut and retune", "gone", "retune", "starve", "bad link"])
        lasts = random.uniform(1, 30)
        if what.startswith("cut"):
            steps += [(at, "link", {"cut": True}), (at + lasts, "link", {"cut": False})]
            if what != "cut":
                steps += [(at + 0.7 * lasts, "engine", {"retune": float(random.choice([50, 100, 200]))})]
        elif what == "gone":
            steps += [(at, "device", "gone"), (at + lasts, "device", "back")]
        elif what == "retune":
            steps += [(at, "engine", {"retune": float(random.choice([50, 100, 200]))})]
        elif what == "starve":
            call_s = float(random.choice([0.08, 0.16, 0.4]))
            steps += [(at, "engine", {"starve": call_s}), (at + lasts, "engine", {"starve": 0.0})]
        else:
            steps += [(at, "link", {"loss": 0.03, "jitter_s": 0.05})]
            steps += [(at + lasts, "link", {"loss": 0.0, "jitter_s": 0.005})]
        at += lasts
    starts = np.arange(30, seconds, 60) + random.uniform(0, 40, len(np.arange(30, seconds, 60)))
    held = [(float(start), float(start + random.uniform(0.2, 4))) for start in starts]
    numbers = np.sort(random.integers(30 * FS, int(max(31, seconds - 60)) * FS, int(seconds / 60)))
    lost = [(int(number), int(number + random.integers(1, 400))) for number in numbers]
    return sorted(steps, key=lambda step: step[0]), {"held": held, "lost": lost}


def follow(steps: list[Step], seconds: float, device: Any, engine: Talk, link: Any) -> dict[str, Any]:
    """Do what the timeline says, and return what the engine says at its end."""
    engine.wait_for(lambda line: line.get("kind") == "Emitted")
    began = time.monotonic()
    for at, who, what in steps:
        time.sleep(max(0.0, began + at - time.monotonic()))
        if who == "link":
            link.change(**what)
        elif who == "engine":
            engine.say(**what)
        else:
            device.stdin.write(f"{what}\n".encode())
            device.stdin.flush()
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    engine.say(stop=True)
    return engine.wait_for(lambda line: "summary" in line)


def lost_by_device(spans: Any, first: int, stop: int) -> int:
    """Samples first … stop-1 that the device never sent."""
    numbers = np.zeros(stop - first, bool)
    for begin, end in spans:
        numbers[max(0, begin - first) : max(0, end - first)] = True
    return int(numbers.sum())


def play(plan: Scenario) -> dict[str, Any]:
    """One scenario to its end, and what became of its samples: a row as of a simulated one."""
    habits = {"held": plan.held, "lost": plan.lost, "jitter_s": JITTER_S * (plan.device == "jitter")}
    with (
        tempfile.TemporaryDirectory(prefix="scenario-") as folder,
        far_apart(Path(folder), ladder=plan.engine == "ladder", **habits) as (device, engine, link),
    ):
        said = follow(timeline(plan), plan.seconds, device, engine, link)
    return (
        plan.kind
        | {
            "number": plan.number,
            "outage_s": plan.cut[1] - plan.cut[0] if plan.cut else 0.0,
        }
        | row_of(said, plan.lost)
    )


def row_of(said: dict[str, Any], lost: Any) -> dict[str, Any]:
    """The row of a run, from the engine's last line."""
    summary, row = said["summary"], said["verdict"]
    (stream,) = summary["streams"]
    steps = summary["overload"]["steps_taken"] if summary["overload"] else {}
    never_sent = lost_by_device(lost, said["first"], said["first"] + row["sent"])
    return (
        {
            "never_sent": never_sent,
            "steps_down": sum(count for step, count in steps.items() if step != "network"),
            "states": stream["stream"]["states"],
        }
        | row
        | {"lost_on_the_way": row["gap_samples"] - never_sent}
    )


def soak(seconds: float, seed: int) -> dict[str, Any]:
    """A run of so many seconds in which everything happens, and its account."""
    steps, habits = hour(seconds, seed)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        far_apart(Path(folder), ladder=True, **habits) as (device, engine, link),
    ):
        said = follow(steps, seconds, device, engine, link)
    done = {}
    for _, who, what in steps:
        name = f"{who}: {what if who == 'device' else ', '.join(what)}"
        done[name] = done.get(name, 0) + 1
    memory = said["memory_mb"]
    return {"seconds": seconds, "seed": seed, "done": done, "memory_mb": memory[:1] + memory[-1:]} | row_of(
        said, habits["lost"]
    )
