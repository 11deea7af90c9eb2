"""The engine of the second host, told what to do over its input: ``python far_engine.py FOLDER OPTIONS``.

Lines of JSON: ``{"retune": 50}`` goes on with that look-ahead, ``{"stop": true}`` ends the run. Every state
of the source and every message's place is written to its output, and at last the summary.
"""

import json
import sys
import threading
from pathlib import Path

from engine.messages import Emitted, Gap
from engine.run.protocol import CleanSettings, Job
from engine.run.session import Session
from engine.run.summary import as_json
from streamer.lsl.settings import LslSettings
from streamer.settings import SourceSettings


def main() -> None:
    """Play the device `far` until told to stop."""
    options = json.loads(sys.argv[2])
    clean = CleanSettings("identity", "auto", 100.0, 44.0)
    source = SourceSettings(kind="lsl", lsl=LslSettings("far", wait=True))
    job = Job((source,), clean, save=Path(sys.argv[1]), ladder=options.get("ladder", False))
    session = Session(job)
    stopped = threading.Event()
    said = {"state": ""}

    def tell(**what: object) -> None:
        print(json.dumps(what), flush=True)

    def obey() -> None:
        for line in sys.stdin:
            command = json.loads(line)
            if "retune" in command:
                session.retune(CleanSettings("identity", "auto", float(command["retune"]), 44.0))
                tell(retuned=command["retune"])
            if "stop" in command:
                stopped.set()

    def idle() -> None:
        state = str(session.status().state)
        if state != said["state"]:
            said["state"] = state
            tell(state=state)

    def show(message: Emitted | Gap) -> None:
        tell(kind=type(message).__name__, start=int(message.start), stop=int(message.stop))
        idle()

    threading.Thread(target=obey, daemon=True).start()
    outcome = session.run(stopped.is_set, show, idle)
    tell(summary=as_json(outcome.summary))


if __name__ == "__main__":
    main()
