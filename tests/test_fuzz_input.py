"""Hostile headers, stream metadata and options: refused in one line, or harmless."""

import ctypes
import random
import re
import sys
import time
from xml.sax.saxutils import escape

import lsl_outlets  # noqa: F401 - keeps liblsl on this machine
import numpy as np
import pytest
import wfdb
from fault_tools import FUZZ
from soak_tools import note_result

from ecg_stream import command_line
from engine.run.session import Session
from gui.commands import play_terminal
from streamer.errors import InputError
from streamer.lsl.inlet import _check_usable
from streamer.lsl.metadata import pick_leads, read_channels
from streamer.lsl.network import _announced, load_pylsl
from streamer.plain import plain
from streamer.records.record import read_record

EXAMPLES = 250
LONGEST_LINE = 2000
SLOWEST_S = 20.0


def check_refusal(error):
    """One line, printable, and of a length that a person reads."""
    line = str(error)
    assert "\n" not in line, line
    assert "\x1b" not in line, line
    assert 10 < len(line) < LONGEST_LINE, line


# WFDB headers and annotations

NUMBERS = [
    b"0",
    b"-1",
    b"1",
    b"2",
    b"3",
    b"10",
    b"65536",
    b"1000000000",
    b"9" * 30,
    b"1e308",
    b"nan",
    b"-0.0",
]
WORDS = [
    b"/etc/passwd", b"../x.dat", b"~", b"r", b"r/3", b"r.dat", b"16x999999", b"16:99999999", b"16+99999999",
    b"212", b"80", b"61", b"24", b"32", b"160", b"310", b"311", b"508", b"516", b"524", b"8", b"999",
    b"\xb5V", b"mV", b"200(1e9)/mV", b"0(0)/mV", b"360/1e-9(0)", b"\x00", b"\xff\xfe", b"# x", b"\n", b" ",
    b"", b"%s%n", b"\x1b[31m", b"x" * 3000,
]  # fmt: skip


def mutated(rng, text):
    """Tokens replaced, bytes changed, cut off or put in."""
    text = bytearray(text)
    for _ in range(rng.randint(1, 4)):
        turn = rng.random()
        if turn < 0.6:
            tokens = re.split(rb"([ \n/():+x]+)", bytes(text))
            tokens[rng.randrange(len(tokens))] = rng.choice(NUMBERS + WORDS)
            text = bytearray(b"".join(tokens))
        elif turn < 0.75 and text:
            text[rng.randrange(len(text))] = rng.randrange(256)
        elif turn < 0.85 and text:
            del text[rng.randrange(len(text)) :]
        else:
            text[rng.randrange(len(text) + 1) : 0] = bytes(
                rng.randrange(256) for _ in range(rng.randint(1, 20))
            )
    return bytes(text)


@pytest.fixture
def headers(tmp_path):
    """Headers of several kinds that are right, with their signals and annotations."""
    signals = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    right = []
    for name, fmt in (("r", "16"), ("a", "212"), ("b", "80")):
        wfdb.wrsamp(
            name, 360, ["mV"] * 2, ["MLII", "V5"], signals, fmt=[fmt] * 2, adc_gain=[50] * 2,
            baseline=[0] * 2, write_dir=str(tmp_path),
        )  # fmt: skip
        right.append((tmp_path / f"{name}.hea").read_bytes())
    wfdb.wrann("r", "atr", np.array([5, 100, 200]), ["N", "V", "N"], write_dir=str(tmp_path))
    return tmp_path, [*right, b"r/2 2 360 600\na 300\nb 300\n", b"r/3 2 360 700\na 300\n~ 100\nb 300\n"]


def fuzz_headers(folder, right, examples, seed):
    rng = random.Random(seed)
    annotations = (folder / "r.atr").read_bytes()
    refused = 0
    for _ in range(examples):
        header = mutated(rng, rng.choice(right))
        (folder / "r.hea").write_bytes(header)
        (folder / "r.atr").write_bytes(mutated(rng, annotations) if rng.random() < 0.2 else annotations)
        begun = time.perf_counter()
        try:
            read = read_record(folder / "r")
            assert read.data.shape[0] == len(read.leads) > 0, header
        except InputError as error:
            refused += 1
            check_refusal(error)
        assert time.perf_counter() - begun < SLOWEST_S, header
    assert refused > examples / 10
    return refused


@pytest.mark.filterwarnings("ignore")  # numpy and wfdb complain of what they are given
def test_no_header_brings_it_down(headers):
    fuzz_headers(*headers, EXAMPLES, seed=0)


# Metadata of LSL streams

TEXTS = [
    "ECG", "II", "uV", "mV", "millivolts", "", " ", "0", "-1", "nan", "1e999", "\x1b[31mred\x1b[0m", "[red]",
    "[/x]", "<b>x</b>", "&lol;", "]]>", "../../etc/passwd", "a\nb\r\tc", "\u202eabc", "\ud7ff", "ü", "µV",
    "%s%n", "{0}", "x" * 10_000, "🫀", "'; DROP", "\x07\x08",
]  # fmt: skip


def hostile_info(rng):
    """A stream whose description was filled in by somebody who means ill."""
    pylsl = load_pylsl()
    info = pylsl.StreamInfo(
        rng.choice(TEXTS) or "x",
        rng.choice(TEXTS),
        # The last takes half a second each time.
        rng.choices([1, 2, 3, 64, 1025, 100_000], [9, 9, 9, 9, 9, 1])[0],
        rng.choice([0.0, 1e-9, 99.9, 250.0, 360.0, 1e12, float("nan"), float("inf")]),
        rng.choice([pylsl.cf_float32, pylsl.cf_string, pylsl.cf_int64]),
        rng.choice(TEXTS),
    )
    element = info.desc()
    for _ in range(rng.randint(0, 3)):
        element = element.append_child(rng.choice(["channels", "channels", "x"]))
        for _ in range(rng.choice([0, 1, 2, 3, 200])):
            channel = element.append_child(rng.choice(["channel", "channel", "y"]))
            for _ in range(rng.randint(0, 5)):
                field = rng.choice(["label", "type", "unit", "scaling_factor"])
                channel.append_child_value(field, rng.choice(TEXTS))
    return info


def raw_info(rng):
    """A description that never was one: broken, nested or bombing XML."""
    import pylsl

    inner = rng.choice(
        [
            "<desc>" + "<a>" * 2000 + "</a>" * 2000 + "</desc>",
            "<desc><channels>" + "<channel><label>" + "x" * 100_000 + "</label></channel></channels></desc>",
            "<desc><channels><channel><label>&lol9;</label></channel></channels></desc>",
            f"<desc><channels><channel><label>{escape(rng.choice(TEXTS))}</label><unit>mV</unit></channel>",
            "<desc/>" * 1000,
            "",
        ]
    )
    bomb = (
        '<!DOCTYPE x [<!ENTITY lol "lol">'
        + "".join(
            f'<!ENTITY lol{n} "{"&lol" + (str(n - 1) if n > 1 else "") + ";" * 1}{"x" * 9}">'
            for n in range(1, 10)
        )
        + "]>"
    )
    text = (
        '<?xml version="1.0"?>'
        + rng.choice(["", bomb])
        + "<info><name>x</name><type>ECG</type><channel_count>"
        f"{rng.choice(['1', '2', '-5', '99999999999', 'x', ''])}</channel_count><nominal_srate>"
        f"{rng.choice(['250', 'nan', '1e400', ''])}</nominal_srate><channel_format>float32</channel_format>"
        f"<source_id>{escape(rng.choice(TEXTS))}</source_id>{inner}</info>"
    )
    if rng.random() < 0.3:
        text = mutated(rng, text.encode()).decode("utf-8", errors="replace").replace("\0", "")
    from_xml = pylsl.lib.lib.lsl_streaminfo_from_xml
    from_xml.restype, from_xml.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    handle = from_xml(text.encode("utf-8", errors="replace"))
    return pylsl.StreamInfo(handle=handle) if handle else None


def fuzz_metadata(examples, seed):
    rng = random.Random(seed)
    refused = 0
    for _ in range(examples):
        info = raw_info(rng) if rng.random() < 0.3 else hostile_info(rng)
        if info is None:
            refused += 1
            continue
        begun = time.perf_counter()
        try:
            stream = _announced(info)
            assert str(stream).isprintable()
            if rng.random() < 0.2:
                _check_usable(stream)
            channels = read_channels(info)
            assert len(channels) == info.channel_count()
            assert len({channel.label for channel in channels}) == len(channels)
            for channel in channels:
                for text in (channel.label, channel.type, channel.unit):
                    assert text == plain(text) or text.rsplit("#", 1)[0] == plain(text.rsplit("#", 1)[0])
            leads = pick_leads(channels)
            assert np.isfinite(leads.millivolts).all()
            assert len("".join(leads.notes)) < LONGEST_LINE
        except InputError as error:
            refused += 1
            check_refusal(error)
        assert time.perf_counter() - begun < SLOWEST_S
    assert refused > examples / 10
    return refused


def test_no_metadata_brings_it_down():
    fuzz_metadata(EXAMPLES, seed=0)


# The command line

# Every option with values that it must refuse, and one that it takes.
OPTIONS = {
    "--source": (["radio", "", "lsl ", "\x1b[31m"], None),
    "--record": (["../../etc/passwd", "/etc/passwd", "", "no such", "x" * 5000, "-"], None),
    "--leads": (["V9", ",", "II,,V1", "II,II ,", "[red]"], "II"),
    "--start": (["-1", "nan", "inf", "x", "1e400"], "0"),
    "--rhythm": (["waltz", "", "[/x]"], "sinus"),
    "--heart-rate": (["0", "-5", "nan", "1e9", "x"], "70"),
    "--noise": (["hum", "em:", "em:-1", "em:nan", "em,em", "em:1:2", ""], "none"),
    "--snr": (["nan", "inf", "x", "-inf"], "3"),
    "--snr-definition": (["db", ""], "ac"),
    "--noise-part": (["half", ""], "test"),
    "--own-drift": (["drop", ""], "keep"),
    "--seed": (["-1", "x", "1.5"], "3"),
    "--speed": (["-1", "nan", "inf", "x"], "0"),
    "--seconds": (["0", "-1", "nan", "inf", "x"], "1"),
    "--timeout": (["0", "-1", "nan", "inf", "x"], "1"),
    "--unit": (["kV", ""], None),
    "--scale": (["0", "nan", "inf", "x"], None),
    "--model": (["oracle", "", "../unet"], "unet"),
    "--lookahead": (["-20", "3000", "nan", "inf", "1e300", "x"], "300"),
    "--hop": (["0", "-1", "9999", "nan", "inf", "x"], "40"),
    "--backend": (["abacus", "", "onnx "], "onnx"),
    "--threads": (["0", "-1", "x", "1.5"], "1"),
    "--faults": (["gasp", "", "all,gaps", "gaps:x", "gaps:-1", "gaps,gaps"], "gaps:3"),
    "--json": (["/nowhere/out.json", "/"], None),
    "--plot": (["/nowhere/out.png", "/"], None),
    "--save": (["/proc/nowhere", "/dev/null/x"], None),
    "--no-such-option": (["1"], None),
}


def command(rng):
    """A line with at least one value that cannot be used, somewhere among others."""
    bad = rng.choice(list(OPTIONS))
    options = {bad: rng.choice(OPTIONS[bad][0])}
    for name in rng.sample(list(OPTIONS), rng.randint(0, 5)):
        refused, taken = OPTIONS[name]
        if name not in options and rng.random() < 0.3:
            options[name] = rng.choice(refused)
        elif taken is not None:
            options.setdefault(name, taken)
    order = list(options)
    rng.shuffle(order)
    return ["ecg-stream", "--headless", *(word for name in order for word in (name, options[name]))]


@pytest.fixture
def refuse(monkeypatch, capsys, tmp_path):
    """Run a command in this process; hands out its status and what it said."""
    monkeypatch.setenv("ECG_STREAM_DATA", str(tmp_path))

    # What the engine's process would refuse first, without a process for each.
    def play(job, live):
        Session(job)
        pytest.fail(f"{job} was taken")

    monkeypatch.setattr(play_terminal, "play_in_terminal", play)

    def run(words):
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        said = capsys.readouterr()
        assert ended.value.code == 2, (words, ended.value.code, said)
        assert said.err.startswith("ecg-stream: "), (words, said)
        assert said.err.count("\n") == 1, (words, said)
        assert "Traceback" not in said.err
        assert said.out == "", (words, said)

    return run


def test_no_option_brings_it_down(refuse):
    rng = random.Random(0)
    for _ in range(EXAMPLES // 5):
        refuse(command(rng))


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.skipif(not FUZZ, reason="part of `make soak`")
@pytest.mark.filterwarnings("ignore")
def test_ten_thousand_hostile_inputs(headers, refuse):
    seed = time.time_ns()
    refused = fuzz_headers(*headers, FUZZ, seed)
    note_result("hostile_headers", tried=FUZZ, refused=refused, crashed_or_hung=0, seed=seed)
    refused = fuzz_metadata(FUZZ, seed)
    note_result("hostile_metadata", tried=FUZZ, refused=refused, crashed_or_hung=0, seed=seed)
    rng = random.Random(seed)
    commands = FUZZ // 10
    for _ in range(commands):
        refuse(command(rng))
    note_result("hostile_commands", tried=commands, refused=commands, seed=seed)
