import hashlib
import socket
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest

from streamer.errors import InputError
from streamer.records import find as records
from streamer.records.find import DATA_VARIABLE, find_record
from streamer.records.record import read_record


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of our own, and no folder named by the environment."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(records.platformdirs, "user_cache_dir", lambda name: str(folder / name))
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    return folder


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *args):
        pass


def _publish(folder):
    """Write the list of hashes as PhysioNet does."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = (f"{hashlib.sha256(p.read_bytes()).hexdigest()} {p.relative_to(folder)}\n" for p in files)
    (folder / "SHA256SUMS.txt").write_text("".join(lines))


@pytest.fixture(scope="session")
def published(tmp_path_factory, write_record):
    """Files of a database with an old edition, and of one with a folder for its records."""
    root = tmp_path_factory.mktemp("published")
    data = np.random.default_rng(0).standard_normal((2, 5000))
    mitdb = root / "mitdb" / "1.0.0"
    write_record(mitdb, "100", data, beats=[10, 300])
    write_record(mitdb, "1000", data[::-1])
    write_record(mitdb / "old", "100", -data)
    # A header may name signals that lie in a file of another name.
    write_record(mitdb, "both", data)
    header = (mitdb / "both.hea").read_text()
    (mitdb / "both.dat").rename(mitdb / "signals.dat")
    (mitdb / "both.hea").write_text(header.replace("both.dat", "signals.dat"))
    _publish(mitdb)
    write_record(root / "ludb" / "1.0.1" / "data", "1", data)
    _publish(root / "ludb" / "1.0.1")
    (root / "nsrdb" / "1.0.0").mkdir(parents=True)
    (root / "nsrdb" / "1.0.0" / "SHA256SUMS.txt").write_text("<html>Please log in to the hotel</html>\n")
    return root


@pytest.fixture
def server(published):
    """A PhysioNet on this machine; `asked` lists what was asked of it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=published))
    server.asked = []
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def no_server():
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def _touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


# On disk


def test_a_record_lies_in_its_database_or_in_the_folder_itself(tmp_path):
    _touch(tmp_path / "mitdb" / "100.hea")
    _touch(tmp_path / "101.hea")
    assert find_record("100", "mitdb", tmp_path) == tmp_path / "mitdb" / "100"
    assert find_record("100", "other", tmp_path / "mitdb") == tmp_path / "mitdb" / "100"
    assert find_record("101", "mitdb", tmp_path) == tmp_path / "101"


def test_records_may_lie_in_folders_of_their_database(tmp_path):
    _touch(tmp_path / "ludb" / "data" / "1.hea")
    assert find_record("data/1", "ludb", tmp_path) == tmp_path / "ludb" / "data" / "1"


def test_the_given_folder_is_the_only_one_searched(tmp_path, monkeypatch, server):
    _touch(tmp_path / "env" / "mitdb" / "100.hea")
    _touch(tmp_path / "given" / "mitdb" / "105.hea")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "env"))
    with pytest.raises(InputError, match="no record '100'"):
        find_record("100", "mitdb", tmp_path / "given", physionet=server.url)
    assert server.asked == []


def test_the_environment_comes_before_physionet(tmp_path, monkeypatch, server):
    _touch(tmp_path / "env" / "mitdb" / "100.hea")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "env"))
    assert find_record("100", "mitdb", physionet=server.url) == tmp_path / "env" / "mitdb" / "100"
    assert server.asked == []
    # What it does not hold is fetched.
    assert find_record("1000", "mitdb", physionet=server.url).name == "1000"
    assert server.asked


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"data folder .*nowhere does not exist; give one"):
        find_record("100", "mitdb", tmp_path / "nowhere")


def test_a_missing_record_tells_what_is_there(tmp_path):
    for number in range(100, 115):
        _touch(tmp_path / "mitdb" / f"{number}.hea")
    with pytest.raises(InputError, match=r"no record '99' in .*mitdb; there are: 100 101 .* 111 …$"):
        find_record("99", "mitdb", tmp_path)
    with pytest.raises(InputError, match=r"must hold nstdb/99\.hea or 99\.hea"):
        find_record("99", "nstdb", tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/../../x",
        "/etc/passwd",
        "\\x",
        "-x",
        " 100",
        "100\n",
        "1 0",
        "~x",
        "C:x",
        "é",
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="is no name of a record"):
        find_record(name, "mitdb", tmp_path)
    with pytest.raises(InputError, match="is no name of a database"):
        find_record("100", name, tmp_path)


# From PhysioNet


def test_a_record_is_fetched_once(server, cache, published):
    path = find_record("100", "mitdb", physionet=server.url)
    assert path.is_relative_to(cache)
    fetched = {asked.rpartition("/")[2] for asked in server.asked}
    assert fetched == {"SHA256SUMS.txt", "100.hea", "100.dat", "100.atr"}
    assert len(server.asked) == 4
    got, original = read_record(path), read_record(published / "mitdb" / "1.0.0" / "100")
    np.testing.assert_array_equal(got.data, original.data)
    assert got.beats.tolist() == [10, 300]

    find_record("100", "mitdb", physionet=server.url)
    assert len(server.asked) == 4


def test_what_was_fetched_needs_no_network(server, no_server):
    path = find_record("100", "mitdb", physionet=server.url)
    assert find_record("100", "mitdb", physionet=no_server) == path


def test_an_old_edition_of_the_same_name_stays_away(server, published):
    path = find_record("100", "mitdb", physionet=server.url)
    assert not any("/old/" in asked for asked in server.asked)
    assert path.with_suffix(".dat").read_bytes() == (published / "mitdb/1.0.0/100.dat").read_bytes()


def test_signals_in_a_file_of_another_name_come_too(server, published):
    path = find_record("both", "mitdb", physionet=server.url)
    expected = read_record(published / "mitdb/1.0.0/both").data
    np.testing.assert_array_equal(read_record(path).data, expected)


def test_a_database_may_keep_its_records_in_a_folder(server):
    assert read_record(find_record("1", "ludb", physionet=server.url)).data.shape == (2, 5000)


def test_a_damaged_file_is_fetched_again(server, no_server):
    path = find_record("100", "mitdb", physionet=server.url)
    signals = path.with_suffix(".dat")
    whole = signals.read_bytes()
    signals.write_bytes(whole[:-100])
    with pytest.raises(InputError, match="could not be fetched"):
        find_record("100", "mitdb", physionet=no_server)
    find_record("100", "mitdb", physionet=server.url)
    assert signals.read_bytes() == whole


def test_a_file_that_arrives_damaged_is_refused(server, published, cache):
    signals = published / "mitdb/1.0.0/100.dat"
    whole = signals.read_bytes()
    signals.write_bytes(b"\0" + whole[1:])
    try:
        with pytest.raises(InputError, match=r"100\.dat arrived damaged, its SHA-256 .* by hand"):
            find_record("100", "mitdb", physionet=server.url)
    finally:
        signals.write_bytes(whole)
    assert not list(cache.rglob("100.dat"))
    find_record("100", "mitdb", physionet=server.url)


def test_a_page_in_place_of_the_list_is_not_kept(server, cache):
    with pytest.raises(InputError, match=r"SHA256SUMS\.txt is no list of files; download"):
        find_record("16265", "nsrdb", physionet=server.url)
    assert not list(cache.rglob("SHA256SUMS.txt"))


def test_without_network_the_way_by_hand_is_told(no_server):
    with pytest.raises(InputError) as caught:
        find_record("100", "mitdb", physionet=no_server)
    message = str(caught.value)
    assert "record '100' of 'mitdb' is not on disk and could not be fetched" in message
    assert f"download {no_server}/mitdb/1.0.0/ by hand" in message
    assert "--data-dir or ECG_STREAM_DATA" in message
    assert "\n" not in message


def test_a_record_that_physionet_does_not_have(server):
    with pytest.raises(InputError, match=r"mitdb' 1\.0\.0 has no record '999'; its list is .*/RECORDS"):
        find_record("999", "mitdb", physionet=server.url)


def test_a_database_of_unknown_version_is_not_guessed(server):
    with pytest.raises(InputError, match=r"database 'mydb' is not on disk, .* mitdb nstdb qtdb"):
        find_record("1", "mydb", physionet=server.url)
    assert server.asked == []


def test_the_progress_bar_lives_through_what_pooch_does_with_it():
    bar = records._progress_bar("folder/100.dat")
    bar.total = 100
    assert bar.total == 100
    bar.update(60)
    bar.reset()
    bar.update(100)
    bar.close()
