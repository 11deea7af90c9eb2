"""Ask PyPI for known vulnerabilities of what is installed here.

Exit status 1 where there are any. Where the index does not answer nothing was audited: that is said, and
is no failure, for a build must not depend on somebody else's server.
"""

import json
import subprocess
import sys


def main() -> int:
    """Run pip-audit and tell its answer from no answer; it returns 1 for both."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    ran = subprocess.run([*command, "--skip-editable"], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(ran.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        said = ran.stderr.strip().splitlines()
        print(f"NOT AUDITED: no answer from the index ({said[-1][:200] if said else 'no details'})")
        return 0
    found = [(package, flaw) for package in packages for flaw in package.get("vulns", [])]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    for package, flaw in found:
        fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {flaw['id']}, fixed in {fixed}")
    audited = len(packages) - len(skipped)
    if not audited:
        print("NOT AUDITED: the index knows no vulnerabilities of any package; a mirror without PyPI's JSON?")
        return 0
    print(f"audited {audited} packages: {len(found)} known vulnerabilities; not on the index: {len(skipped)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
