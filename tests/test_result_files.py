"""Files of results: a line for each row."""

import json

from engine.lab.results import write_results


def test_a_file_of_results_holds_a_line_for_each_row(tmp_path):
    path = tmp_path / "r.json"
    report = {
        "track": "f",
        "manifest": {"models": ["unet"], "of": {"deep": [1.23456789, None]}},
        "rows": [{"snr": 1 / 3, "records": 22, "own": True}, {"snr": float("inf"), "lead": "µV"}],
        "none": [],
    }
    write_results(path, report)
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) == 2 + 4 + 3
    read = json.loads(text)
    assert read == report
