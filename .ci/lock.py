"""Write locked.txt: the version of everything that this project installs, as pip resolves it now.

Usage: python .ci/lock.py TORCH > locked.txt (`make lock`). The same versions are then installed everywhere
(`make run`, `make test`), and the SBOM is made of them. Versions only: hashes differ between the builds of
torch (CPU, CUDA) that may be taken.
"""

import json
import subprocess
import sys

EXTRAS = "train,gui,dev,docs,thirdparty,detectors"
HEAD = "# Made by `make lock`: what `make run` and `make test` install. Edit pyproject.toml, not this.\n"


def main(torch: str) -> int:
    """Resolve from nothing, with every extra that an index alone can serve, and print names and versions."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    ran = subprocess.run(
        [*command, "--report", "-", torch, f".[{EXTRAS}]"], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        print(ran.stderr, file=sys.stderr)
        return ran.returncode
    found = {
        package["metadata"]["name"].lower().replace("_", "-"): package["metadata"]["version"]
        for package in json.loads(ran.stdout)["install"]
    }
    found.pop("ecg-stream")
    # A local version (+cpu) says which build it was, not which release.
    lines = [f"{name}=={version.partition('+')[0]}" for name, version in sorted(found.items())]
    print(HEAD + "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
