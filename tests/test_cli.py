"""The command, as a user meets it."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg_stream.command_line import main
from engine.backends import BACKENDS, OPTIONS
from engine.backends.tensorrt.plans import FOLDER_VARIABLE
from engine.commands.old_spellings import new_spelling
from models.registry import DEFAULT_NETWORK, SYSTEMS
from streamer.broadcast.device_profiles import PROFILES
from streamer.console import installed
from streamer.console.output import write_json
from streamer.faults.schedule import KINDS

COUNTED = {"samples_in", "samples_out", "samples_lost", "gaps", "hops", "deadline_misses"}
OF_A_RUN = COUNTED | {"schema", "model", "backend", "lookahead_ms", "hop_ms", "streams"}
OF_A_STREAM = COUNTED | {"snr_in_db", "snr_out_db", "rmse_mv", "delay_ms", "ledger_ms", "realtime_factor"}
ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "ecg_stream"]


@pytest.fixture
def records(tmp_path):
    """A folder with one good record and one that is no record."""
    data = np.sin(np.arange(3600) / 30)[:, None]
    options = {"fmt": ["16"], "adc_gain": [1000], "baseline": [0], "write_dir": str(tmp_path)}
    wfdb.wrsamp("good", 360, ["mV"], ["II"], data, **options)
    (tmp_path / "bad.hea").write_text("this is no header\n")
    return tmp_path


def ecg_stream(*arguments, cwd, timeout=120):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=timeout,
        check=False,
    )


def test_a_headless_run_leaves_summary_and_picture(tmp_path):
    ran = ecg_stream(
        *("--seconds", 12, "--speed", 0, "--headless"),
        *("--json", "out.json", "--plot", "out.png", "--save", "rec"),
        cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    summary = json.loads((tmp_path / "out.json").read_text())
    assert set(summary) >= OF_A_RUN
    (one,) = summary["streams"]
    assert set(one) >= OF_A_STREAM
    assert set(one["delay_ms"]) == {"algorithmic", "p50", "p95", "p99", "max"}
    assert all(set(stage) == {"p50", "p99", "max"} for stage in one["ledger_ms"].values())
    assert summary["samples_in"] == summary["samples_out"] == 12 * 360
    assert summary["samples_lost"] == 0
    from matplotlib.image import imread

    picture = imread(tmp_path / "out.png")
    assert picture.shape[0] > 500
    assert picture.std() > 0.01
    assert wfdb.rdheader(str(tmp_path / one["recording"])).sig_len == 12 * 360
    assert "0 lost" in ran.stdout


def test_a_record_plays_by_its_name_alone(records):
    ran = ecg_stream("--record", "good", "--data-dir", ".", "--speed", 0, "--json", "out.json", cwd=records)
    assert ran.returncode == 0, ran.stderr
    assert json.loads((records / "out.json").read_text())["streams"][0]["source"] == f"{records.name}/good"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--record", "nosuch", "--data-dir", "."], "no record 'nosuch' in . there are: bad good"),
        (["--record", "100", "--data-dir", "empty"], "no record '100' of 'mitdb' in empty"),
        (["--record", "100", "--data-dir", "nowhere"], "nowhere does not exist"),
        (["--record", "bad", "--data-dir", "."], "cannot be read as WFDB"),
        (["--record", "../good", "--data-dir", "."], "there is no such file, and no record of that path"),
        (["--record", "good", "--data-dir", ".", "--leads", "V9"], "no lead 'V9'; it has: II"),
        (["--record", "good", "--data-dir", ".", "--noise", "em"], "no record 'em'"),
        (["--snr", "loud"], "--snr"),
        (["--snr", "nan"], "finite number of dB"),
        (["--noise", "hum"], "'hum' is not understood"),
        (["--snr-definition", "db"], "definition 'db' is unknown"),
        (["--noise-part", "half"], "part 'half' is unknown"),
        (["--lookahead", "3000"], "look-ahead of 3000 ms is not possible; lowdelay takes 0 to 300 ms"),
        (["--model", "unet", "--lookahead", "3000"], "look-ahead of 3000.0 ms is not possible"),
        (["--lookahead", "-20"], "look-ahead"),
        (["--hop", "0"], "hop of 0 ms is not possible; lowdelay takes multiples of 11.1 ms"),
        (["--model", "unet", "--hop", "0"], "hop of 0.0 ms is not possible"),
        (["--backend", "tensorrt"], "'tensorrt' cannot be used"),
        (["--backend", "abacus"], "allowed: auto, tensorrt, cuda, onnx, torch"),
        (["--model", "oracle"], "'oracle' is unknown; there are: unet"),
        (["--source", "radio"], "source 'radio' is unknown"),
        (["--speed", "-1"], "speed"),
        (["--seconds", "0"], "seconds must be a positive number"),
        (["--rhythm", "waltz"], "rhythm 'waltz'"),
        (["--json", "nowhere/out.json"], "cannot write nowhere/out.json"),
        (["--plot", "empty"], "cannot write empty"),
        (["--save", "bad.hea"], "cannot record into"),
        (["--no-such-option"], "No such option"),
        (["dance"], "No such command"),
        (["train", "oracle"], "'oracle' is unknown"),
        (["train"], "name the networks to train, or give --all"),
        (["train", "unet", "--track", "s"], "no published network of 2 leads"),
        (["train", "acdae", "--track", "s", "--noise", "hum"], "noise 'hum' is not in Track S"),
        (["evaluate", "track-f", "--snrs", "low"], "no list of numbers"),
        (["evaluate", "track-s", "--models", "unet"], "No such option: --models evaluate track-s --help"),
        (["evaluate", "stress", "--noises", "em"], "No such option: --noises"),
        (["evaluate", "dance"], "No such command 'dance'; see `ecg-stream evaluate --help`"),
        (["evaluate", "tables", "empty"], "holds no results"),
        (["profile", "screen", "--paced"], "No such option: --paced; see `ecg-stream profile screen --help`"),
        (["profile", "lsl"], "Missing argument delay, account, streams"),
        (["profile", "lsl", "sideways"], "'sideways'"),
        (["--seconds", "5", "doctor"], "options stand before 'doctor'; write `ecg-stream doctor`"),
        (["train", "drnn", "--track", "qtdb", "--noise-version", "3"], "noise version '3' is unknown"),
        (["export", "unet", "--output", "nowhere/x.onnx"], "cannot write"),
        (["export", "unet", "--install"], "--install needs --run"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_clear_line_and_status_2(records, arguments, words, monkeypatch, capsys):
    (records / "empty").mkdir()
    monkeypatch.chdir(records)
    monkeypatch.setattr(sys, "argv", ["ecg-stream", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2, said.err
    assert said.err.count("\n") == 1, said.err
    assert said.err.startswith("ecg-stream: ")
    assert all(word in said.err for word in words.split(" ")), said.err
    assert said.out == ""


def test_a_refusal_is_the_exit_status_of_the_process(tmp_path):
    ran = ecg_stream("--speed", "-1", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("ecg-stream: ")


def helped(*arguments, columns=80):
    """What a help says, in a terminal of so many columns."""
    ran = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": str(columns)},
        check=True,
    )
    return ran.stdout


def test_help_teaches_on_two_screens():
    said = helped("--help")
    for word in ("--record", "--noise", "--lookahead", "Examples", "doctor", "not for", "--help-all"):
        assert word in said
    for panel in ("Source", "Noise", "Network", "Live", "Record", "Screen", "Commands"):
        assert f"─ {panel}" in said
    assert said.count("\n") <= 2 * 46


def test_help_all_shows_every_option():
    few, every = (
        set(re.findall(r"--[a-z-]+", helped(which, columns=200))) for which in ("--help", "--help-all")
    )
    assert few < every
    assert every >= {"--rotate", "--seed", "--threads", "--no-ladder", "--timeout", "--theme", "--noise-part"}


def test_help_names_what_there_is():
    """It names in words what the registries hold, for they take too long to import."""
    every = " ".join(helped("--help-all", columns=300).split())
    assert f"some of {', '.join(KINDS)};" in every
    named = re.search(r"Runtime: auto \(the fastest that works\), (.*?);", every)
    assert named
    options = (f"{name}:{word}" for name, words in OPTIONS.items() for word in words)
    assert set(named[1].split(", ")) <= {*BACKENDS, *options}
    assert f"[default: {DEFAULT_NETWORK}]" in every
    assert ", ".join(PROFILES) in " ".join(helped("broadcast", "--help", columns=300).split())
    assert FOLDER_VARIABLE in helped("export", "--help", columns=300)


def test_the_version_is_the_one_that_runs(tmp_path):
    said = ecg_stream("--version", cwd=tmp_path)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert said.stdout == f"ecg-stream {project['version']} (checkout)\n"


def test_an_installed_package_tells_its_own_version(tmp_path, monkeypatch):
    monkeypatch.setattr(installed, "_PROJECT", tmp_path / "pyproject.toml")
    assert installed.version_here() == version("ecg-stream")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("profile-lsl delay --seconds 5", "profile lsl delay --seconds 5"),
        ("profile --sweep --backend onnx", "profile sweep --backend onnx"),
        ("profile --json p.json --screen", "profile screen --json p.json"),
        ("profile --gpu-check", "profile gpu"),
        ("evaluate", "evaluate track-f"),
        ("evaluate --models unet", "evaluate track-f --models unet"),
        ("evaluate --track s --out x", "evaluate track-s --out x"),
        ("evaluate --out x --track=qtdb", "evaluate qtdb --out x"),
        ("evaluate --track safety", "evaluate safety"),
        ("evaluate --report docs/results", "evaluate tables docs/results"),
        ("frontier --snr 3", "evaluate frontier --snr 3"),
    ],
)
def test_an_old_spelling_works_and_names_the_new_one(old, new):
    arguments, note = new_spelling(old.split())
    assert arguments == new.split()
    assert note
    command = " ".join(word for word in new.split()[:2])
    assert f"is now `ecg-stream {command}" in note
    assert "\n" not in note


@pytest.mark.parametrize(
    "words",
    ["", "--record 100", "doctor", "profile --help", "profile hops --hops 300", "evaluate --help"],
)
def test_what_is_spelled_as_today_is_left_alone(words):
    assert new_spelling(words.split()) == (words.split(), None)


def test_profile_alone_profiles_hops():
    assert new_spelling(["profile", "--hops", "300"]) == (["profile", "hops", "--hops", "300"], None)


def test_an_old_spelling_says_so_on_one_line(records):
    ran = ecg_stream("evaluate", "--report", ".", cwd=records)
    assert ran.returncode == 2
    note, error = ran.stderr.splitlines()
    assert note == "note: `ecg-stream evaluate --report .` is now `ecg-stream evaluate tables .`"
    assert "holds no results" in error


def start(*arguments, cwd, python=(), stderr=subprocess.PIPE):
    """The command in a group of its own, where Ctrl-C is heard even if this run was told to ignore it."""
    return subprocess.Popen(
        [COMMAND[0], *python, *COMMAND[1:], *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(child):
    """Its errors, once it has ended; it does not outlive the test."""
    try:
        return child.communicate(timeout=60)[1]
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_it_loses_nothing(tmp_path, number):
    child = start("--headless", "--json", "out.json", "--save", "rec", cwd=tmp_path)
    assert child.stderr is not None
    # The first report of a run that plays.
    assert any("delay p50" in line for line in child.stderr)
    # A terminal sends it to the whole group, the engine included.
    os.killpg(child.pid, number)
    errors = finish(child)
    assert child.returncode == 0, errors
    assert "Traceback" not in errors
    summary = json.loads((tmp_path / "out.json").read_text())
    assert summary["samples_in"] == summary["samples_out"] > 360
    assert summary["samples_lost"] == 0
    recording = tmp_path / summary["streams"][0]["recording"]
    assert wfdb.rdheader(str(recording)).sig_len == summary["samples_out"]


def test_results_are_there_whatever_the_terminal_can_show(tmp_path):
    ran = subprocess.run(
        [*COMMAND, "--headless", "--speed", "0", "--seconds", "3", "--json", "out.json", "--plot", "out.png"],
        cwd=tmp_path,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads((tmp_path / "out.json").read_text())["samples_out"] == 1080
    assert (tmp_path / "out.png").stat().st_size > 10_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_one_line(tmp_path):
    ran = ecg_stream("--headless", "--speed", "0", "--seconds", "2", "--json", "/dev/full", cwd=tmp_path)
    assert ran.returncode == 1
    assert "cannot write /dev/full: No space left on device" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_that_nobody_reads_is_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    ran = ecg_stream("--headless", "--speed", "0", "--seconds", "2", "--json", "pipe", cwd=tmp_path)
    assert ran.returncode == 1
    assert "cannot write pipe: it is a pipe that nobody reads" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_with_a_reader_gets_the_summary(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_json({"samples": 7}, pipe)
    assert json.loads(os.read(reader, 1000)) == {"samples": 7}
    os.close(reader)


@pytest.mark.parametrize(
    ("module", "times"),
    [("typer", 1), ("engine.run.session", 1), ("engine", 2), ("engine.run.session", 2)],
    ids=["first imports", "last imports", "engine begins", "engine imports"],
)
def test_ctrl_c_while_starting_ends_without_a_traceback(tmp_path, module, times):
    """From our first line on: before it Python itself answers, in its own words."""
    said = tmp_path / "stderr"
    with said.open("w") as errors:
        child = start("--headless", cwd=tmp_path, python=["-X", "importtime"], stderr=errors)
    ends = time.monotonic() + 60
    try:
        while len(re.findall(rf"\| +{re.escape(module)}$", said.read_text(), re.MULTILINE)) < times:
            assert child.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.01)
    finally:
        os.killpg(child.pid, signal.SIGINT)
        finish(child)
    assert "Traceback" not in said.read_text()
    assert child.returncode in (0, 130, -signal.SIGINT)


def test_the_live_view_draws_both_traces_and_the_figures(tmp_path):
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    child = subprocess.Popen(
        [*COMMAND, "--seconds", "120"],
        cwd=tmp_path,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
    )
    os.close(follower)
    shown = b""
    told = False
    # A busy machine draws few frames: it plays until all has been in one of them.
    missing = {
        "II raw",
        "II cleaned",
        "heart rate raw",
        r"cleaned [67]\d .*bpm",
        "SNR in",
        "delay p50",
        "late",
        "not for diagnosis",
        "[\u2801-\u28ff]",
    }
    while child.poll() is None or select.select([leader], [], [], 0)[0]:
        if select.select([leader], [], [], 0.2)[0]:
            try:
                shown += os.read(leader, 65536)
            except OSError:
                break
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode("utf-8", "replace"))
        missing = {words for words in missing if not re.search(words, text)}
        if not missing and not told:
            told = True
            child.send_signal(signal.SIGTERM)
    child.wait(timeout=30)
    os.close(leader)
    assert not missing, text
    assert child.returncode == 0, text


def test_doctor_and_models_tell(tmp_path):
    ran = ecg_stream("doctor", cwd=tmp_path)
    assert ran.returncode == 0
    assert re.search(r"backend onnx\s+│ works", ran.stdout)
    assert re.search(r"backend tensorrt\s+│ no:", ran.stdout)
    ran = ecg_stream("models", "--json", "m.json", cwd=tmp_path)
    assert ran.returncode == 0
    assert "928,337" in ran.stdout
    known = {facts["name"]: facts for facts in json.loads((tmp_path / "m.json").read_text())}
    assert list(known) == list(SYSTEMS)
    # Names are whole in a terminal of 80 columns.
    assert all(re.search(rf"│ {name} +│", ran.stdout) for name in known)
    assert known["unet"]["training"]["minutes"] > 0
    assert "16,000 × 64" in ran.stdout
    assert "budgets were unequal" in " ".join(ran.stdout.split())
    assert known["dwt"]["kind"] == "classical"
    ran = ecg_stream("models", "ra-lenet", cwd=tmp_path)
    assert "1,098,940 (1,087,282 as published)" in ran.stdout
    ran = ecg_stream("models", "vnet", cwd=tmp_path)
    assert ran.returncode == 2
    assert "model 'vnet' is unknown" in ran.stderr


def test_profile_reports_call_and_overhead(tmp_path):
    ran = ecg_stream("profile", "--hops", 200, "--json", "p.json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    figures = json.loads((tmp_path / "p.json").read_text())
    assert all(row["p50"] > 0 for row in figures["backends"]["onnx"]["us"].values())
    assert "overhead" in ran.stdout


def test_export_writes_a_graph(tmp_path):
    pytest.importorskip("torch", reason="export needs the train extra")
    ran = ecg_stream("export", "unet", "--output", "u.onnx", cwd=tmp_path, timeout=400)
    assert ran.returncode == 0, ran.stderr
    assert Path(tmp_path / "u.onnx").stat().st_size > 1_000_000
