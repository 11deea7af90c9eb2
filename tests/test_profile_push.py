"""`ecg-stream profile push` times a push, its calls, and those alone; here by a clock that counts."""

import json
from itertools import count

import pytest
from file_tools import MODEL

from engine.commands.profile.push_command import push
from engine.lab.profile.push import profile_push
from streamer.errors import InputError


def test_pushes_are_timed_beside_their_calls():
    shown = []
    ticks = count()
    figures = profile_push(
        "lowdelay", [360, 500], [2], 200, lambda *what: shown.append(what), lambda: next(ticks)
    )
    signals = figures["signals"]
    # A hop is 16 samples of 360 Hz and 22.2 of 500 Hz: of 22, two in two hundred make no call.
    assert [(each["fs"], each["leads"], each["chunk"]) for each in signals] == [(360, 2, 16), (500, 2, 22)]
    assert [each["us"]["push"]["count"] for each in signals] == [200, 198]
    for each in signals:
        assert {row: of["count"] for row, of in each["us"].items()} == dict.fromkeys(
            ("push", "call", "bare"), each["us"]["push"]["count"]
        )
        # Each time is one tick of the clock, but a push holds the two that its call is stamped with.
        assert [each["us"][row]["p50"] for row in ("push", "call", "bare")] == [3e-3, 1e-3, 1e-3]
        assert each["times"] == {"p50": 3.0, "p90": 3.0}
    assert shown[:2] == [("2 x 360 Hz", 0, 200), ("2 x 360 Hz", 100, 200)]


def test_a_system_of_windows_is_timed_too(tmp_path, capsys):
    push(model=MODEL, rates="360", leads="1", pushes=200, json_file=tmp_path / "out.json")
    (signal,) = json.loads((tmp_path / "out.json").read_text())["signals"]
    assert signal["us"]["push"]["count"] == 200
    assert signal["us"]["bare"]["p50"] > 0
    assert "1 x 360 Hz, p90" in capsys.readouterr().out


@pytest.mark.parametrize("leads", [[], [0], [13], [1, 13]])
def test_leads_that_the_patient_has_not(leads):
    with pytest.raises(InputError, match=r"--leads \[.*\]: allowed: 1 to 12 each"):
        profile_push("lowdelay", [360], leads, 200, lambda *what: None, lambda: 0)
