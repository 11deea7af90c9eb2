"""The audit of what is installed: no answer is a failure, unless somebody has said that it may be."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit.py"

CLEAN = {"name": "numpy", "version": "2.0", "vulns": []}
FLAW = {"id": "PYSEC-1", "fix_versions": ["2.1"]}
FLAWED = {"name": "pillow", "version": "1.0", "vulns": [FLAW]}
UNKNOWN = {"name": "own", "skip_reason": "not on the index"}


@pytest.fixture
def audit(monkeypatch):
    """The script, and what pip-audit is to have said."""
    monkeypatch.delenv("AUDIT_MAY_FAIL", raising=False)
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def said(*packages, text=None, errors=""):
        text = json.dumps({"dependencies": packages}) if text is None else text
        # It answers with 1 both where it finds something and where it cannot ask.
        ran = subprocess.CompletedProcess([], 1, text, errors)
        monkeypatch.setattr(subprocess, "run", lambda *command, **options: ran)
        return module.main()

    return said


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "", "errors": "ConnectionError: no route to host\n"},
        {"text": "<html>a page of a proxy</html>"},
        {"text": "{}"},
        {"text": '{"dependencies": []}'},
    ],
    ids=["no answer", "a page", "empty", "no package"],
)
def test_what_was_not_asked_fails_unless_that_is_allowed(audit, monkeypatch, capsys, answer):
    assert audit(**answer) == 2
    assert "NOT AUDITED" in capsys.readouterr().out
    monkeypatch.setenv("AUDIT_MAY_FAIL", "1")
    assert audit(**answer) == 0
    assert "NOT AUDITED" in capsys.readouterr().out


def test_an_index_that_knows_no_package_has_audited_none(audit):
    assert audit(UNKNOWN, UNKNOWN) == 2


@pytest.mark.parametrize("allowed", ["", "1"])
def test_what_was_found_fails_whatever_is_allowed(audit, monkeypatch, capsys, allowed):
    monkeypatch.setenv("AUDIT_MAY_FAIL", allowed)
    assert audit(CLEAN, FLAWED, UNKNOWN) == 1
    assert "pillow 1.0: PYSEC-1, fixed in 2.1" in capsys.readouterr().out
    assert audit(CLEAN, UNKNOWN) == 0
    assert "audited 1 packages: 0 known vulnerabilities; not on the index: 1" in capsys.readouterr().out


def test_the_command_itself_ends_with_that_status(tmp_path):
    """As the build runs it, with a tool that does not reach its index."""
    tool = tmp_path / "pip_audit"
    tool.mkdir()
    (tool / "__init__.py").touch()
    (tool / "__main__.py").write_text("import sys\nsys.exit('ConnectionError: the index does not answer')\n")
    settings = {name: value for name, value in os.environ.items() if name != "AUDIT_MAY_FAIL"}
    ran = subprocess.run(
        [sys.executable, str(SCRIPT)], env=settings | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert "ConnectionError: the index does not answer" in ran.stdout
