"""Many strangers at the station at once."""

import socket
import time
import urllib.error
import urllib.request
from contextlib import ExitStack

import pytest
from ward_tools import beds_of, station_of

server = pytest.importorskip("ward.station.server")


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_more_connections_than_it_serves_are_refused_politely():
    with station_of(beds_of("bed 1")) as station, ExitStack() as stack:
        url = f"{station.address.url}health"
        for _ in range(4 * server.MOST_VIEWERS + 5):
            stranger = socket.create_connection(("127.0.0.1", station.address.port), timeout=30)
            stack.enter_context(stranger)
        ends = time.monotonic() + 60
        while (said := status(url)) != 503:
            assert (said, time.monotonic() < ends) == (200, True)
        # They leave: there is room again.
        stack.close()
        while status(url) != 200:
            assert time.monotonic() < ends
