"""Run the Dockerfile's own commands where no container can be had: in a fresh virtual environment.

Usage: python .ci/container.py (`make container`). What it copies is copied and what it installs is installed,
into folders that are thrown away; a command that makes users or folders of the system is left out, and said
so. Then what the container would run is run with the synthetic patient, asked for its health by the
Dockerfile's own check, and once signal comes told to stop.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE_S = 120


def instructions() -> list[tuple[str, str]]:
    """Name and rest of every instruction, with continued lines joined and comments left out."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    kept = (line for line in lines if line.strip() and not line.startswith("#"))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in kept)]


def build(folder: Path) -> Path:
    """Copy and install; the folder of the programs."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    programs, place = folder / "venv" / "bin", folder / "copied"
    place.mkdir()
    for name, rest in instructions():
        if name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                origin, aim = ROOT / source, place / target
                if origin.is_dir():
                    shutil.copytree(origin, aim, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(origin, aim)
        elif name == "RUN":
            command = shlex.split(rest)
            if command[0] != "pip":
                print(f"left out: {rest}")
                continue
            print(f"running: {rest}", flush=True)
            subprocess.run([programs / "pip", *command[1:]], cwd=place, check=True)
    return programs


def answers(run: subprocess.Popen[bytes], check: list[str], environment: dict[str, str]) -> bool:
    """Whether the health check of what runs succeeds in time."""
    ends = time.monotonic() + PATIENCE_S
    while run.poll() is None and time.monotonic() < ends:
        if not subprocess.run(check, env=environment, capture_output=True, check=False).returncode:
            return True
        time.sleep(0.5)
    return False


def runs(programs: Path, folder: Path) -> bool:
    """Whether what the container would run is healthy, gets signal, and ends well when it is told to stop."""
    of = dict(instructions())
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder)}
    words = json.loads(of["CMD"])
    words[words.index("lsl")] = "synthetic"
    words.remove("--wait")
    check = json.loads(of["HEALTHCHECK"].partition("CMD ")[2])
    run = subprocess.Popen([programs / json.loads(of["ENTRYPOINT"])[0], *words], cwd=folder, env=environment)
    try:
        healthy = answers(run, check, environment)
        ready = healthy and answers(run, [word.replace("/health", "/ready") for word in check], environment)
        run.send_signal(getattr(signal, of["STOPSIGNAL"]))
        status = run.wait(PATIENCE_S)
    finally:
        run.kill()
        run.wait()
    print(
        f"health check: {'ok' if healthy else 'no answer'}; signal: {'yes' if ready else 'no'}; exit status "
        f"after {of['STOPSIGNAL']}: {status}"
    )
    return ready and status == 0


def main() -> int:
    """Build, run, ask, stop; the exit status."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return 0 if runs(build(folder), folder) else 1


if __name__ == "__main__":
    sys.exit(main())
