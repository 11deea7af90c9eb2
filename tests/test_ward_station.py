"""The station's server: what it sends, to whom, and what it does with those who mean no good."""

import json
import socket
import struct
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest
from ward_tools import beds_of, message, station_of

from streamer.errors import InputError
from ward.bed import MISSING
from ward.station import server
from ward.station.access import Address, parse_address, refusal

connect = pytest.importorskip("websockets.sync.client").connect
ConnectionClosed = pytest.importorskip("websockets.exceptions").ConnectionClosed

TOKEN = "0123456789abcdef"


@pytest.fixture
def beds():
    beds = beds_of("bed 1", "bed 2")
    for name in ("bed 1", "bed 2"):
        beds.take(0, message(name, 0, np.ones(360), np.zeros(360), mark=2))
    return beds


@pytest.fixture
def station(beds):
    with station_of(beds) as station:
        yield station


@contextmanager
def open_socket(station, token="", **more):
    with connect(f"ws://127.0.0.1:{station.address.port}/beds", open_timeout=30, **more) as browser:
        if token is not None:
            browser.send(token)
        yield browser


def frames(browser, count):
    """So many binary frames, and the JSON that came between them."""
    found, said = [], []
    while len(found) < count:
        each = browser.recv(timeout=30)
        (found if isinstance(each, bytes) else said).append(each)
    return found, [json.loads(each) for each in said]


def closing(browser):
    """With what code and why the server ends it."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        try:
            browser.recv(timeout=30)
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (None, "")
    raise AssertionError("the server did not end it")


def read(frame):
    """A frame by its documented layout: kind, and of each bed number, first, rate, raw, cleaned, marks."""
    magic, version, kind, count = struct.unpack_from("<4sBBH", frame)
    assert (magic, version) == (b"ECGW", 1)
    beds, at = [], 8
    for _ in range(count):
        number, samples, first, hz = struct.unpack_from("<HHIf", frame, at)
        at += 12
        raw, cleaned = np.frombuffer(frame, "<i2", 2 * samples, at).reshape(2, samples)
        marks = np.frombuffer(frame, np.uint8, samples, at + 4 * samples)
        at += 5 * samples + samples % 2
        beds.append((number, first, hz, raw, cleaned, marks))
    assert at == len(frame)
    return kind, beds


def test_a_browser_gets_the_newest_of_the_beds_that_it_shows(station, beds):
    with open_socket(station) as browser:
        browser.send(json.dumps({"show": [1]}))
        (frame,), said = frames(browser, 1)
        assert {bed["name"] for bed in said[0]["beds"]} == {"bed 1", "bed 2"}
        kind, ((number, first, hz, raw, cleaned, marks),) = read(frame)
        assert (kind, number, first, hz) == (1, 1, 0, 180.0)
        assert raw.tolist() == [200] * 180
        assert cleaned.tolist() == [0] * 180
        assert marks.tolist() == [2] * 180
        # An odd number, and from where it was.
        beds.take(0, message("bed 2", 360, np.full(5, np.nan)))
        (frame,), _ = frames(browser, 1)
        _, ((_, first, _, raw, _, _),) = read(frame)
        assert (first, raw.tolist()) == (180, [MISSING] * 3)


def test_a_stretch_of_the_past_can_be_asked_for(station):
    with open_socket(station) as browser:
        browser.send(json.dumps({"review": {"bed": 0, "from": 100, "to": 120}}))
        (frame,), _ = frames(browser, 1)
        kind, ((number, first, _, raw, _, _),) = read(frame)
        assert (kind, number, first, len(raw)) == (2, 0, 100, 20)


def test_a_browser_that_reads_slowly_misses_the_past_and_not_the_present(station, beds):
    with open_socket(station, max_queue=1) as browser:
        browser.send(json.dumps({"show": [0]}))
        frames(browser, 1)
        for second in range(1, 30):
            beds.take(0, message("bed 1", 360 * second, np.full(360, second)))
        newest = 0
        while newest < 30 * 180:
            (frame,), _ = frames(browser, 1)
            _, ((_, first, _, raw, _, _),) = read(frame)
            assert len(raw) <= 2 * 180
            newest = first + len(raw)
        assert raw[-1] == 29 * 200


def test_what_happened_is_told_to_each_browser_once(station, beds):
    with open_socket(station) as browser, open_socket(station) as other:
        for each in (browser, other):
            said = json.loads(each.recv(timeout=30))
            assert [event["text"] for event in said["events"]] == ["has joined", "has joined"]
        beds.tell("is LOST", beds.all[0])
        for each in (browser, other):
            said = {"events": []}
            while not said["events"]:
                said = json.loads(each.recv(timeout=30))
            assert said["events"][0] | {"time_s": 0} == {
                "number": 2,
                "time_s": 0,
                "bed": 0,
                "text": "is LOST",
            }


# Those who mean no good


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ("no json", "not understood"),
        ("[]", "neither show nor review"),
        ('{"show": 3}', "show takes a list"),
        ('{"show": [-1]}', "whole and not negative"),
        ('{"show": [true]}', "whole and not negative"),
        ('{"show": [1e300]}', "whole and not negative"),
        (json.dumps({"show": list(range(1025))}), "up to 1024"),
        ('{"review": {"bed": 0}}', "not understood"),
        ('{"stop": 1}', "neither show nor review"),
        ("[" * 9000, "not understood"),
    ],
)
def test_what_no_page_of_ours_says_ends_the_connection(station, sent, why):
    with open_socket(station) as browser:
        browser.send(sent)
        code, said = closing(browser)
    assert code == 1003
    assert why in said
    with open_socket(station) as next_one:
        next_one.recv(timeout=30)


def test_too_long_a_message_or_bytes_end_it_too(station):
    for sent, codes in (("x" * 20_000, {1009}), (b"\0", {1000, 1003, 1005})):
        with open_socket(station) as browser:
            browser.send(sent)
            assert closing(browser)[0] in codes


def test_a_bed_that_is_not_there_is_empty(station):
    with open_socket(station) as browser:
        browser.send(json.dumps({"review": {"bed": 7, "from": 0, "to": 9}}))
        (frame,), _ = frames(browser, 1)
        assert read(frame) == (2, [])


def test_no_browser_more_than_can_be_served(station, monkeypatch):
    monkeypatch.setattr(server, "MOST_VIEWERS", 2)
    with open_socket(station) as first, open_socket(station) as second:
        for each in (first, second):
            each.recv(timeout=30)
        with open_socket(station, None) as refused:
            assert closing(refused) == (1013, "2 browsers look already; try again later")
    # Both have left: there is room again.
    ends = time.monotonic() + 30
    while health(station)["viewers"]:
        assert time.monotonic() < ends
        time.sleep(0.05)
    with open_socket(station) as next_one:
        next_one.recv(timeout=30)


def test_who_says_nothing_is_not_waited_for(station, monkeypatch):
    monkeypatch.setattr(server, "_GREETING_S", 0.2)
    with open_socket(station, None) as silent:
        assert closing(silent) == (1008, "no token within 0.2 s")


def test_where_a_token_is_asked_for_only_who_has_it_sees_a_bed(beds):
    with station_of(beds, Address("127.0.0.1", 0, TOKEN)) as station:
        for wrong in ("", TOKEN[:-1], TOKEN + "0", "ü"):
            with open_socket(station, wrong) as browser:
                assert closing(browser) == (1008, "the token is wrong")
        with open_socket(station, TOKEN) as browser:
            assert json.loads(browser.recv(timeout=30))["beds"]


def test_a_page_of_another_site_sees_no_bed(station):
    with open_socket(station, origin="http://elsewhere.example") as browser:
        assert closing(browser) == (1008, "another site's page may not look at the beds")


@pytest.mark.parametrize(
    ("host", "token", "given", "allowed"),
    [
        ("localhost:80", "", "", True),
        ("[::1]:80", "", "", True),
        ("station.example:80", "", "", False),
        ("", "", "", False),
        ("station.example:80", TOKEN, TOKEN, True),
        ("station.example:80", TOKEN, "", False),
    ],
)
def test_who_may_look(host, token, given, allowed):
    why = refusal(Address("0.0.0.0", 80, token), {"host": host}, given)
    assert (why == "") is allowed


# Addresses


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8080", "127.0.0.1", 8080),
        ("localhost:1", "localhost", 1),
        ("[::1]:9", "::1", 9),
        (":7", "127.0.0.1", 7),
    ],
)
def test_loopback_needs_no_token(text, host, port):
    assert parse_address(text, None) == Address(host, port, "")


def test_elsewhere_a_token_is_made():
    made = [parse_address("0.0.0.0:80", None) for _ in range(2)]
    assert len({each.token for each in made}) == 2
    assert len(made[0].token) == 32
    assert made[0].url.endswith(f"#{made[0].token}")


@pytest.mark.parametrize(
    "text", ["", "x", "80a", "1.2.3:80", "example.org:80", "70000", "127.0.0.1:", "-1", "٣"]
)
def test_no_address_is_said(text):
    with pytest.raises(InputError, match="is no address"):
        parse_address(text, None)


@pytest.mark.parametrize("token", ["", "short", "with spaces in its middle", "ü" * 20])
def test_a_weak_token_is_refused(token):
    with pytest.raises(InputError, match="16 letters and digits"):
        parse_address("80", token)


def test_an_address_that_is_taken_is_said(station):
    with pytest.raises(InputError, match="the station cannot listen on"):
        station_of(beds_of(), Address("127.0.0.1", station.address.port))


# Over HTTP


def get(station, path):
    """Status, headers and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{station.address.port}{path}", timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def health(station):
    return json.loads(get(station, "/health")[2])


def test_the_page_and_its_files_are_there_and_nothing_else(station):
    for path, kind in (("/", "text/html"), ("/station.js", "javascript"), ("/station.css", "text/css")):
        status, headers, _ = get(station, path)
        assert status == 200
        assert kind in headers["content-type"]
        assert "default-src 'self'" in headers["content-security-policy"]
    for path in ("/../server.py", "/%2e%2e/server.py", "/.git", "/beds"):
        assert get(station, path)[0] in (404, 405)


def test_whether_it_is_ready_is_told(beds):
    ready = []
    with station_of(beds, ready=lambda: bool(ready)) as station:
        assert health(station) == {"beds": 2, "viewers": 0}
        assert get(station, "/ready")[0] == 503
        ready.append(True)
        assert get(station, "/ready")[0] == 200


def test_what_is_no_http_ends_nothing(station):
    for sent in (b"\x16\x03\x01\x00\xa5garbage\r\n\r\n", b"GET / HTTP/1.1\r\n", b"\0" * 10_000):
        with socket.create_connection(("127.0.0.1", station.address.port), timeout=30) as stranger:
            stranger.sendall(sent)
    assert health(station)["beds"] == 2
