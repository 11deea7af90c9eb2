"""What a worker shows of itself: figures without a name, and alerts and pictures of those that there are."""

import asyncio
import json
import re
import time
from pathlib import Path

import numpy as np
import yaml
from hospital_tools import gap, piece
from log_tools import brokers
from prometheus_client.parser import text_string_to_metric_families
from test_service import answer
from typer.testing import CliRunner

from ecg_stream.command_line import commands
from engine.commands.service_options import ServiceOptions
from engine.in_process.stages import open_system
from engine.marks import Mark
from streamer.chunk import Chunk, StreamInfo
from streamer.console.output import err, say
from streamer.errors import InputError
from streamer.partition import partition_of
from ward.commands.watched import watched
from ward.log.broker import open_log, raw_subject
from ward.log.figures import STUCK_S, Figures
from ward.log.frames import Flag, Message, encode, plain_piece
from ward.log.ingest import Sender
from ward.log.worker import Worker

DEPLOY = Path(__file__).parents[1] / "deploy"
NAME = "Mustermann, Erika"
FS, COUNT = 360.0, 3600


def send(url):
    """Ten seconds of a bed with a patient's name, at once."""
    sender = Sender(url)
    sender.begin(StreamInfo(FS, ("II",), NAME, "s"))
    data = np.sin(np.arange(COUNT, dtype=np.float32))[None] / 5
    sender.put([Chunk("s", 0, data, time.perf_counter() - 10 + np.arange(COUNT) / FS, 0)])
    sender.end()


async def shown_by_a_worker(url, said):
    """What a worker shows that has cleaned a bed and then refused it; and its readiness, then and after."""
    with watched(ServiceOptions(metrics="0", log="json"), "lowdelay") as figures:
        address = said().rpartition(" ")[2].rstrip('"}\n')
        log, stop = await open_log(url), asyncio.Event()
        worker = Worker(log, open_system("lowdelay", 100.0, 40.0, waits=True), say, figures)
        working = asyncio.create_task(worker.run(stop))
        await asyncio.to_thread(send, url)
        # It goes on with other leads.
        await log.js.publish(raw_subject(partition_of(NAME)), encode(Message([piece(NAME, COUNT, 10)])))
        while not (
            figures.refused.get(partition_of(NAME)) and figures.fates.sum() == COUNT and figures.snapshots
        ):
            await asyncio.sleep(0.05)
            figures.beat(log.troubled_s, log.connections)
        text = (await asyncio.to_thread(answer, address, "/metrics"))[1]
        before = await asyncio.to_thread(answer, address, "/ready")
        stop.set()
        await working
        after = await asyncio.to_thread(answer, address, "/ready")
        await log.close()
    return text, before, after


def asked_for():
    """Every figure that an alert or a picture asks for."""
    rules = yaml.safe_load((DEPLOY / "alerts.yaml").read_text("utf-8"))
    board = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    asked += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return {name for each in asked for name in re.findall(r"\b(?:ecg_stream|process)_\w+", each)}


def test_a_worker_shows_figures_and_says_lines_that_name_nobody(tmp_path, capsys, monkeypatch):
    # Of `file` and `width` it would put back what stands in for them now.
    monkeypatch.setattr(err, "_file", None)
    monkeypatch.setattr(err, "_width", None)
    said = []

    def read():
        said.append(capsys.readouterr().err)
        return said[-1]

    with brokers(tmp_path) as broker:
        text, before, after = asyncio.run(shown_by_a_worker(broker.url, read))
    read()
    families = list(text_string_to_metric_families(text))
    samples = [each for family in families for each in family.samples]
    found = {(each.name, *each.labels.values()): each.value for each in samples}
    ward = "ecg_stream_ward"
    written = sum(value for name, value in found.items() if name[0] == f"{ward}_lead_samples_total")
    # The bed has ended, and with it its last samples came: all of them were cleaned.
    assert written == COUNT
    assert found[f"{ward}_delay_seconds_count",] == COUNT
    assert found[f"{ward}_delay_seconds_bucket", "+Inf"] == COUNT
    assert found[f"{ward}_lease_changes_total", "taken"] == 1
    assert found[f"{ward}_beds_refused",] == found[f"{ward}_workers",] == found[f"{ward}_partitions",] == 1
    assert found[f"{ward}_snapshots_total",] >= 1
    assert found[f"{ward}_snapshot_bytes",] > 40_000
    # Whatever the beds are called and however many: these labels, with these few values.
    labels = {key for each in samples for key in each.labels} - {"version", "model", "generation"}
    assert labels == {"fate", "change", "state", "le"}
    assert asked_for() <= {each.name for each in samples}
    assert len(asked_for()) > 12
    assert before == (200, "ok\n")
    assert after == (503, "it is not among the workers of the ward\n")
    events = [json.loads(line) for line in "".join(said).splitlines()]
    assert any("is not cleaned" in each.get("text", "") for each in events)
    assert "Mustermann" not in text + "".join(said)


def test_figures_count_samples_by_what_became_of_them():
    figures = Figures()
    figures.takes(partition_of("a"))
    figures.takes(partition_of("b"))
    figures.wrote([piece("a", 0, 100, lost=(3, 4), bypassed=range(10)), gap("a", 100, 130)])
    figures.wrote([piece("b", 0, 50, flag=Flag.SETTLING)])
    assert figures.fates.tolist() == [100 + 88 + 100, 0, 10, 2, 0]
    assert len(figures.fates) == len(Mark)
    assert (figures.gap_samples, figures.settling_samples) == (30, 50)
    # Their stamps lie in the future of who made them, or of this test.
    assert figures.delays.count == 150
    assert figures.beds == (2, 0)
    figures.wrote([plain_piece("a", ("II",), 100.0, 130, flag=Flag.ENDS)])
    assert figures.beds == (1, 0)
    figures.leaves(partition_of("b"), "lost")
    assert (figures.beds, figures.partitions) == ((0, 0), 1)
    figures.leaves(partition_of("a"), "error")
    assert (dict(figures.changes), figures.errors) == ({"taken": 2, "lost": 1}, 1)
    assert figures.without_names("b is gone") == f"a bed of partition {partition_of('b')} is gone"


def test_health_and_readiness_say_what_is_wrong():
    figures = Figures()
    assert figures.why_unhealthy() == ""
    figures.workers = 2
    figures.beat(-float("inf"), 1)
    assert figures.why_not_ready() == ""
    figures.beat(time.monotonic(), 1)
    assert figures.why_not_ready() == "the broker does not answer"
    # A broker that is away is no reason to start the worker anew.
    assert figures.why_unhealthy() == ""
    figures._beat_s -= STUCK_S + 1
    assert "has not moved" in figures.why_unhealthy()


def test_a_ward_without_a_broker_has_no_figures():
    error = CliRunner().invoke(commands, ["ward", "--patients", "1", "--metrics", "0"]).exception
    assert isinstance(error, InputError)
    assert "--nats" in str(error)
