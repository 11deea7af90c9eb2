"""The engine of the second host, told what to do over its input: ``python far_engine.py FOLDER OPTIONS``.

Lines of JSON: ``{"retune": 50}`` goes on with that look-ahead, ``{"starve": 0.2}`` lets every call of the
network take so long, ``{"back": true}`` says that the link is up again, ``{"stop": true}`` ends the run. Each
state of the source and every message's place is written to its output, and at last the summary with the
judge's verdict.
"""

import json
import sys
import threading
import time
from pathlib import Path

from judge import Judge

from engine.backends.filters import FilterRuntime
from engine.ledger.account import memory_mb
from engine.messages import Emitted, Gap
from engine.run.protocol import CleanSettings, Job
from engine.run.session import Session
from engine.run.summary import as_json
from streamer.lsl.settings import LslSettings
from streamer.settings import SourceSettings

_RUN = FilterRuntime.run
HOP_MS, LOOKAHEAD_MS = 44.0, 100.0
_SETTLED_S = 60.0


def main() -> None:
    """Play the device `far` until told to stop."""
    options = json.loads(sys.argv[2])
    clean = CleanSettings("identity", "auto", LOOKAHEAD_MS, HOP_MS)
    source = SourceSettings(kind="lsl", lsl=LslSettings("far", wait=True))
    job = Job((source,), clean, save=Path(sys.argv[1]), ladder=options.get("ladder", False))
    session = Session(job)
    judge = Judge((LOOKAHEAD_MS + HOP_MS) / 1000)
    stopped, telling = threading.Event(), threading.Lock()
    said = {"state": ""}
    load = {"call_s": 0.0}
    memory: list[float] = []
    began = time.perf_counter()

    def starved(self, inputs):
        time.sleep(load["call_s"])
        return _RUN(self, inputs)

    FilterRuntime.run = starved

    def tell(**what: object) -> None:
        # Two threads tell: `print` writes a line and its end apart, and so mixes theirs.
        with telling:
            print(json.dumps(what), flush=True)

    def obey() -> None:
        for line in sys.stdin:
            command = json.loads(line)
            if "retune" in command:
                session.retune(CleanSettings("identity", "auto", float(command["retune"]), HOP_MS))
                tell(retuned=command["retune"])
            if "starve" in command:
                load["call_s"] = command["starve"]
            if "back" in command:
                judge.link_is_back(time.perf_counter())
            if "stop" in command:
                stopped.set()

    def idle() -> None:
        state = str(session.status().state)
        if state != said["state"]:
            said["state"] = state
            tell(state=state)
        if time.perf_counter() - began > _SETTLED_S * (len(memory) + 1):
            memory.append(memory_mb())

    def show(message: Emitted | Gap) -> None:
        judge.take(message, time.perf_counter())
        tell(kind=type(message).__name__, start=int(message.start), stop=int(message.stop))
        idle()

    threading.Thread(target=obey, daemon=True).start()
    outcome = session.run(stopped.is_set, show, idle)
    summary = as_json(outcome.summary)
    tell(summary=summary, verdict=judge.verdict(summary["streams"][0]), first=judge.first, memory_mb=memory)


if __name__ == "__main__":
    main()
