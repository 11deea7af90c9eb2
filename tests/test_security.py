"""What comes from others is data: model files, records, stream metadata, names."""

import json
import os
import re
import shutil
import time
from pathlib import Path

# Before Qt is loaded.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import lsl_outlets  # noqa: F401 - keeps liblsl on this machine
import numpy as np
import psutil
import pytest
from job_tools import job_of
from rich.console import Console

from engine.backends import open_backend
from engine.run.process import EngineProcess
from engine.run.protocol import Setup, Started, StartedStream, Status
from engine.run.summary import LiveFigures
from gui.terminal.report import describe_stream
from gui.terminal.view import TerminalView
from models import registry
from models.registry import DEFAULT_NETWORK, load_card
from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.lsl.inlet import MOST_CHANNELS, Connection
from streamer.lsl.network import LslStream
from streamer.pieces import Counts
from streamer.plain import plain
from streamer.records.find import find_record
from streamer.records.header import MOST_VALUES, check_header
from streamer.records.record import read_record

ROOT = Path(__file__).parent.parent
SHIPPED = sorted(
    path
    for folder in (".", "streamer", "engine", "gui", "models", "ward")
    for path in (ROOT / folder).glob("**/*.py" if folder != "." else "*.py")
)


# Model files


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_loads_what_could_run(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"pickle\.loads?\b|\bjoblib\b|\bmarshal\b|\bshelve\b|\bdill\b", text)
    assert not re.search(r"allow_pickle\s*=\s*True|\byaml\.load\b|(?<![\w.])(eval|exec)\(", text)
    for call in re.findall(r"torch\.load\((.*)\)", text):
        assert "weights_only=True" in call


def test_only_safe_model_files_are_shipped():
    kinds = {path.suffix for path in registry.WEIGHTS.iterdir() if path.is_file()}
    assert kinds <= {".onnx", ".safetensors", ".json"}


@pytest.fixture
def copied_weights(tmp_path, monkeypatch):
    shutil.copytree(registry.WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path / "weights")
    return tmp_path / "weights"


@pytest.mark.parametrize(
    ("backend", "suffix"), [("onnx", ".onnx"), ("onnx", ".safetensors"), ("torch", ".safetensors")]
)
@pytest.mark.parametrize("how", ["one bit", "cut", "gone"])
def test_a_model_file_that_was_tampered_with_is_not_opened(copied_weights, backend, suffix, how):
    card = load_card(DEFAULT_NETWORK)
    open_backend(backend, card).close()
    path = copied_weights / f"{DEFAULT_NETWORK}{suffix}"
    content = bytearray(path.read_bytes())
    if how == "one bit":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif how == "cut":
        path.write_bytes(content[:-1])
    else:
        path.unlink()
    with pytest.raises(InputError, match=f"{DEFAULT_NETWORK}.*install ecg-stream again") as refused:
        open_backend(backend, card)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("field", ["weights_sha256", "onnx_sha256"])
def test_a_card_without_fingerprints_is_refused(copied_weights, field):
    path = copied_weights / f"{DEFAULT_NETWORK}.json"
    described = json.loads(path.read_text())
    del described[field]
    path.write_text(json.dumps(described))
    with pytest.raises(InputError, match=f"lacks '{field}'"):
        load_card(DEFAULT_NETWORK)


# The network


def test_a_run_without_lsl_opens_no_socket():
    job = job_of(seconds=60, noise="none")
    with EngineProcess(job) as engine:
        assert isinstance(engine.wait_started(), Started)
        time.sleep(0.5)
        process = psutil.Process(engine.pid)
        assert process.net_connections("inet") == []
        assert not [child for child in process.children(recursive=True) if child.net_connections("inet")]


def test_a_stream_of_a_million_channels_is_refused_before_its_buffer_is_made():
    for channels in (0, MOST_CHANNELS + 1, 10**9):
        stream = LslStream("x", "ECG", 250.0, channels, "id", "uid", "host", False, None)
        with pytest.raises(InputError, match=f"has {channels} channels; allowed: 1 to {MOST_CHANNELS}"):
            Connection(stream)


# Names on screens

HOSTILE = ("[red]II[/red]", "[/nothing]", "\x1b[31mII\x1b[0m", "<b>II</b>", "[link=file:///etc/passwd]x")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_terminal_shows_a_name_as_it_is_and_obeys_nothing_in_it(name):
    name = plain(name)
    assert "\x1b" not in name
    console = Console(width=200, record=True, force_terminal=True, file=open(os.devnull, "w"))
    info = StreamInfo(360.0, (name,), name, "id")
    view = TerminalView(Started((StartedStream(info, Setup()),)), "unet", console)
    view.statuses["id"] = Status(
        seconds=1.0, samples_in=1, gaps=0, gap_samples=0, snr_in_db=float("nan"), snr_out_db=float("nan"),
        delay_p50_ms=1.0, delay_p99_ms=1.0, deadline_misses=0, state="LOST", problem=f"{name} is back",
    )  # fmt: skip
    console.print(view.render())
    console.file.close()
    shown = console.export_text(clear=False)
    assert f"{name} raw" in shown
    assert f"{name} is back" in shown
    assert "\x1b]8" not in console.export_text(styles=True)


def test_the_line_of_a_stream_is_no_markup():
    line = describe_stream(LiveFigures("LOST", {}, None, None, Counts(), [], "[/x] is back"))
    assert "[/x] is back" in line


def test_a_window_shows_a_name_as_it_is(qtbot):
    from PyQt6.QtCore import Qt

    from gui.bridge import Life
    from gui.header import Header
    from gui.monitor import Monitor
    from gui.theme import DARK

    name = "<b>bed</b> & <img src=/etc/passwd>"
    header = Header(DARK)
    qtbot.addWidget(header)
    monitor = Monitor(StartedStream(StreamInfo(360.0, ("II",), name, "id"), Setup()))
    header.refresh(monitor, job_of(), Life.PLAYING, False)
    assert header.source.text() == name
    assert header.source.textFormat() is Qt.TextFormat.PlainText
    assert header.source.toolTip() == "<qt>&lt;b&gt;bed&lt;/b&gt; &amp; &lt;img src=/etc/passwd&gt;</qt>"


# Records and their paths


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "a/../../b",
        "a\x00b",
        "~root",
        "-x",
        "x" * 5000,
        "",
        "s3://a/b",
    ],
)
def test_a_record_cannot_be_named_out_of_its_folder(tmp_path, name):
    for record, database in ((name, "mitdb"), ("100", name)):
        with pytest.raises(InputError, match="is no name of a"):
            find_record(record, database, tmp_path)


@pytest.mark.parametrize(
    "file", ["../x.dat", "/etc/passwd", "sub/x.dat", "..", "a\\b", "s3://bucket/x.dat", "~/x.dat", "x.tar.gz"]
)
def test_a_header_cannot_lead_out_of_its_folder(tmp_path, file):
    secret = tmp_path / "x.dat"
    secret.write_bytes(np.arange(20, dtype="<i2").tobytes())
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "r.hea").write_text(f"r 1 360 20\n{file} 16 200/mV 16 0 0 0 0 II\n")
    with pytest.raises(InputError, match=r"lie beside its header|cannot be read as WFDB"):
        read_record(inside / "r")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("r 1000000000 360 20\n", "promises 1000000000 signals; allowed: up to 1024"),
        ("r/99999999999999999999 1 360 20\n", "segments; allowed: up to 100000"),
        (f"r 1 360 {MOST_VALUES + 1}\n~ 0 200/mV\n", "values; allowed"),
        ("r 1 360 1000\nr.dat 16x999999999 200/mV\n", "values; allowed"),
        ("r 1 360\nr.dat 16x999999999 200/mV\n", "values in a frame; allowed"),
        ("r 1 360 20\nr.dat 16:99999999 200/mV\n", "samples of skew; allowed"),
        ("r/2 1 360 20\nr 10\nr 10\n", "a segment is made of segments again"),
        ("r/1 1 360 20\n../r 20\n", "lie beside its header"),
        (f"r/1 1 360 20\n{'x' * 3000} 20\n", "lie beside its header"),
        ("", "no line of the record"),
        ("# only a comment\n", "no line of the record"),
    ],
)
def test_a_header_that_promises_too_much_is_refused_before_it_is_followed(tmp_path, header, words):
    (tmp_path / "r.hea").write_text(header)
    (tmp_path / "r.dat").write_bytes(b"\0" * 40)
    with pytest.raises(InputError, match=words) as refused:
        read_record(tmp_path / "r")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300 + len(str(tmp_path))


def test_a_lead_of_a_record_sends_no_commands_to_a_terminal(tmp_path):
    (tmp_path / "r.hea").write_text("r 1 360 20\nr.dat 16 200/mV 16 0 0 0 0 \x1b[31mII\x07\n")
    (tmp_path / "r.dat").write_bytes(b"\1\0" * 20)
    assert read_record(tmp_path / "r").leads == ("[31mII",)


@pytest.mark.data
def test_every_real_header_passes(physionet):
    headers = list(physionet.rglob("*.hea"))
    assert headers
    for header in headers:
        check_header(header.with_suffix(""))
