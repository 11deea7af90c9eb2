"""A run that nobody watches: JSON lines, figures for Prometheus, health, and no names."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from lsl_outlets import Device, running
from prometheus_client.parser import text_string_to_metric_families

from engine.ledger.histogram import DELAY_EDGES_MS, Histogram
from engine.run.ladder import Rung
from engine.run.protocol import Job, Setup, Started, StartedStream, Status
from engine.service.names import WITHHELD, Names
from engine.service.server import parse_address, served
from engine.service.watcher import Newest
from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.lsl.settings import LslSettings
from streamer.settings import SourceSettings

COMMAND = [sys.executable, "-m", "ecg_stream"]


class Service:
    """A run with --log json and a port of its own."""

    def __init__(self, *arguments):
        words = ["--log", "json", "--metrics", "0", *map(str, arguments)]
        self.run = subprocess.Popen(
            [*COMMAND, *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.events = []

    def __enter__(self):
        self.address = self.read_until(event="note")["text"].rpartition(" ")[2]
        return self

    def __exit__(self, *error):
        self.run.kill()
        self.run.wait()
        for pipe in (self.run.stderr, self.run.stdout):
            pipe.close()

    def read_until(self, **wanted):
        for line in self.run.stderr:
            self.events.append(json.loads(line))
            if wanted.items() <= self.events[-1].items():
                return self.events[-1]
        raise EOFError(f"{wanted} not in {self.events}")

    def ends(self):
        """Its exit status; every line must have been an event, and nothing else said."""
        out, rest = self.run.communicate(timeout=60)
        self.events += map(json.loads, rest.splitlines())
        assert out == ""
        return self.run.returncode


def answer(address, path):
    """Status and body."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answered:
            return answered.status, answered.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def figures(address):
    """Every figure, by its name and labels, as Prometheus' own reader has it."""
    families = text_string_to_metric_families(answer(address, "/metrics")[1])
    return {
        (each.name, *(value for name, value in sorted(each.labels.items()))): each.value
        for family in families
        for each in family.samples
    }


def until(address, key, enough):
    while not (found := figures(address)).get(key, 0) >= enough:
        pass
    return found


def test_a_live_run_tells_its_figures_and_health_and_names_nobody():
    name = "Erika Mustermann"
    with running(Device(name, source_id="bed-7-mustermann")), Service("--stream-name", name) as service:
        playing = service.read_until(event="playing")
        assert playing["stream"] == 1
        assert playing["model"] == "lowdelay"
        service.read_until(event="state", state="LIVE")
        found = until(service.address, ("ecg_stream_samples_out_total", "1"), 400)
        assert answer(service.address, "/health") == answer(service.address, "/ready") == (200, "ok\n")
        assert answer(service.address, "/elsewhere")[0] == 404
        text = answer(service.address, "/metrics")[1]
        os.kill(service.run.pid, signal.SIGTERM)
        assert service.ends() == 0
    assert found["ecg_stream_engine_up",] == 1
    assert found["ecg_stream_engine_restarts_total",] == 0
    assert found["ecg_stream_state", "LIVE", "1"] == 1
    assert found["ecg_stream_ladder", "network", "1"] == 1
    fates = {key[1]: value for key, value in found.items() if key[0] == "ecg_stream_lead_samples_total"}
    assert set(fates) == {"cleaned", "warmup", "bypassed", "missing", "filtered"}
    leads = playing["leads"]
    assert sum(fates.values()) == leads * found["ecg_stream_samples_out_total", "1"]
    delays = {key[1]: value for key, value in found.items() if key[0] == "ecg_stream_delay_seconds_bucket"}
    assert delays["+Inf"] == found["ecg_stream_delay_seconds_count", "1"] > 0
    assert delays["0.005"] == 0
    (summary,) = (each for each in service.events if each["event"] == "summary")
    assert summary["samples_in"] == summary["samples_out"] >= 400
    assert service.events[-1]["event"] == "over"
    said = text + json.dumps(service.events)
    assert not any(word in said for word in ("Erika", "Mustermann", "bed-7"))


def test_names_are_told_on_demand_and_refusals_are_events(tmp_path):
    words = ["--log", "json", "--speed", "0", "--seconds", "3", "--save", tmp_path / "Smith"]
    for more, named in (([], False), (["--log-names"], True)):
        ran = subprocess.run([*COMMAND, *map(str, words), *more], capture_output=True, text=True, check=True)
        events = [json.loads(line) for line in ran.stderr.splitlines()]
        (playing,) = (each for each in events if each["event"] == "playing")
        assert ("name" in playing) == named
        assert ("Smith" in ran.stderr) <= named
    ran = subprocess.run(
        [*COMMAND, *map(str, words), "--hop", "9000"], capture_output=True, text=True, check=False
    )
    *_, last = map(json.loads, ran.stderr.splitlines())
    assert ran.returncode == 2
    assert last["event"] == "failed"
    assert "hop of 9000 ms is not possible" in last["why"]


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="finds the engine in /proc")
def test_an_engine_that_hangs_is_unhealthy_and_one_that_died_is_counted():
    with Service("--restart") as service:
        service.read_until(event="state", state="LIVE")
        until(service.address, ("ecg_stream_hops_total", "1"), 5)
        os.kill(engine_of(service.run.pid), signal.SIGKILL)
        assert "exit code -9" in service.read_until(event="engine")["why"]
        assert answer(service.address, "/ready") == (503, "the engine is being started again\n")
        assert answer(service.address, "/health")[0] == 200
        service.read_until(event="restarted")
        service.read_until(event="gap")
        assert until(service.address, ("ecg_stream_engine_up",), 1)["ecg_stream_engine_restarts_total",] == 1
    with Service() as service:
        service.read_until(event="playing")
        os.kill(engine_of(service.run.pid), signal.SIGSTOP)
        assert "has not answered" in service.read_until(event="engine")["why"]
        assert answer(service.address, "/health") == (503, "the engine does not answer\n")
        assert figures(service.address)["ecg_stream_engine_up",] == 0
        os.kill(service.run.pid, signal.SIGTERM)
        assert service.ends() == 1
    failed = service.events[-1]
    assert failed["event"] == "failed"
    assert "did not answer any more" in failed["why"]


def engine_of(pid):
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as children:
            for child in children.read().split():
                with open(f"/proc/{child}/cmdline", "rb") as line:
                    if b"spawn_main" in line.read():
                        return int(child)
    raise ProcessLookupError(f"{pid} has no engine")


@contextmanager
def watching(*states):
    """The address of a run of streams in these states."""
    newest = Newest()
    streams = [
        StartedStream(StreamInfo(360, ("II",), f"name {at}", f"id {at}"), Setup())
        for at in range(len(states))
    ]
    newest.plays(Started(tuple(streams)))
    for stream, state in zip(streams, states, strict=True):
        if state is not None:
            newest.take(replace(EMPTY, stream=stream.info.source_id, **state))
    with served("0", newest, "lowdelay") as (host, port):
        yield newest, f"{host}:{port}"


EMPTY = Status(1.0, 360, 0, 0, 0.0, 0.0, 0.0, 0.0, deadline_misses=0)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (({}, {"state": "RECOVERED"}, {"state": "LOST", "ended": True}), "ok"),
        (({}, {"state": "STALE"}), "stream 2 is STALE"),
        (({}, None), "stream 2 has not begun"),
    ],
)
def test_ready_is_that_every_stream_comes(states, said):
    with watching(*states) as (newest, address):
        assert answer(address, "/ready") == (200 if said == "ok" else 503, f"{said}\n")
        assert answer(address, "/health")[0] == 200
        newest.over = True
        assert answer(address, "/ready") == (503, "the run is over\n")


def test_before_it_plays_it_is_healthy_and_not_ready():
    with served("localhost:0", Newest(), "lowdelay") as (host, port):
        assert answer(f"{host}:{port}", "/health")[0] == 200
        assert answer(f"{host}:{port}", "/ready") == (503, "the sources are being opened\n")
        assert figures(f"{host}:{port}")["ecg_stream_engine_up",] == 0


def test_a_loop_that_is_stuck_is_unhealthy():
    with watching({}) as (newest, address):
        newest._looked -= 11
        assert answer(address, "/health") == (503, "the run was not looked at for 10 s\n")


@pytest.mark.parametrize("rung", Rung)
def test_the_step_of_the_ladder_is_one_of_all(rung):
    step = "" if rung is Rung.NETWORK else rung.text
    with watching({"setup": Setup(step=step)}) as (_, address):
        found = figures(address)
    assert {key[1]: value for key, value in found.items() if key[0] == "ecg_stream_ladder"} == {
        each.text: float(each is rung) for each in Rung
    }


def test_delays_are_in_the_bins_they_belong_to():
    histogram = Histogram()
    milliseconds = np.array([0.0005, 4, 6, 30, 120, 120, 9000, 20_000])
    histogram.add(milliseconds * 1e6)
    wanted, _ = np.histogram(milliseconds, [0, *DELAY_EDGES_MS, np.inf])
    assert histogram.between(DELAY_EDGES_MS) == tuple(wanted)
    assert histogram.sum_s == pytest.approx(milliseconds.sum() / 1000, rel=0.01)


@pytest.mark.parametrize(
    ("text", "found"),
    [("9464", ("127.0.0.1", 9464)), ("0.0.0.0:1", ("0.0.0.0", 1)), ("[::1]:9464", ("::1", 9464))],
)
def test_an_address_is_understood(text, found):
    assert parse_address(text) == found


@pytest.mark.parametrize("text", ["", "port", "99999", "host:", "1.2.3.4:x"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InputError, match="allowed: PORT or HOST:PORT"):
        parse_address(text)


def test_a_port_that_is_taken_is_one_line():
    with served("0", Newest(), "m") as (_, port):
        with pytest.raises(InputError, match=f"cannot listen on {port}"), served(str(port), Newest(), "m"):
            pass


def test_known_names_are_taken_out_and_what_a_source_brings_is_withheld():
    replay = Names(Job((SourceSettings(kind="replay", record="smith"),)), ["out/smith"], shown=False)
    assert (
        replay.foreign("smith: cannot be read; out/smith is there") == "stream 1: cannot be read; … is there"
    )
    assert replay.safe("smithy") == "smithy"
    live = SourceSettings(kind="lsl", lsl=LslSettings(stream_name="Jo Doe"))
    names = Names(Job((live,)), [], shown=False)
    names.plays(1, StartedStream(StreamInfo(360, ("II",), "LSL Jo Doe", "Jo Doe/4711"), Setup()))
    assert names.safe("LSL Jo Doe is lost, Jo Doe/4711") == "stream 1 is lost, stream 1"
    assert names.foreign("there is only A. Other") == WITHHELD
    assert names.foreign("") == ""
    shown = Names(Job((live,)), [], shown=True)
    assert shown.foreign("Jo Doe\x1b[2J") == "Jo Doe[2J"
