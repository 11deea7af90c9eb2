"""Options of playing from a file and the environment, and where each comes from."""

import platformdirs
import pytest
import typer

from ecg_stream.command_line import app, commands
from streamer.console.config_file import find_config, read_config
from streamer.console.options import is_given
from streamer.errors import InputError

KNOWN = ("hop", "lookahead", "lsl_out", "wait", "leads", "record")


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    """A working folder and a user's folder without settings."""
    (tmp_path / "desk").mkdir()
    (tmp_path / "user").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda name: str(tmp_path / "user"))
    return tmp_path


def played(*words):
    return typer.main.get_command(app).make_context("ecg-stream", list(words))


def write(folder, text):
    (folder / "ecg-stream.toml").write_text(text, "utf-8")


def test_a_file_states_what_nothing_nearer_does(desk, monkeypatch):
    write(desk / "desk", "hop = 100\nlookahead = '200'\nleads = ['I', 'II']\nwait = true\nrecord = 100")
    monkeypatch.setenv("ECG_STREAM_LOOKAHEAD", "120")
    monkeypatch.setenv("ECG_STREAM_HOP", "60")
    context = played("--hop", "80")
    values = {name: context.params[name] for name in ("hop", "lookahead", "leads", "wait", "record")}
    assert values == {"hop": 80.0, "lookahead": 120.0, "leads": "I,II", "wait": True, "record": "100"}
    assert all(is_given(context, name) for name in values)
    assert not is_given(context, "seconds")


def test_the_working_folder_goes_before_the_users_own(desk):
    assert find_config() is None
    write(desk / "user", "hop = 60")
    assert played().params["hop"] == 60
    write(desk / "desk", "hop = 100")
    assert played().params["hop"] == 100


def test_a_file_can_be_named(desk, monkeypatch):
    write(desk / "desk", "hop = 100")
    other = desk / "other.toml"
    other.write_text("hop = 200")
    assert played("--config", str(other)).params["hop"] == 200
    monkeypatch.setenv("ECG_STREAM_CONFIG", str(other))
    assert played().params["hop"] == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lokahead = 3", "'lokahead' is no option; the nearest is 'lookahead'"),
        ("lsl-ot = 'x'", "'lsl-ot' is no option; the nearest is 'lsl-out'"),
        ("lsl-out = 'x'\nlsl_out = 'y'", "'lsl_out' stands there twice"),
        ("hop = {a = 1}", "'hop' must be a text, a number, true or false, or a list of them"),
        ("hop = 2026-11-27", "'hop' must be a text"),
        ("hop =", "cannot be read"),
    ],
)
def test_what_a_file_cannot_state_is_refused(desk, text, message):
    write(desk, text)
    with pytest.raises(InputError, match=message):
        read_config(desk / "ecg-stream.toml", KNOWN)


def test_no_such_file_is_told(desk):
    with pytest.raises(InputError, match=r"none\.toml cannot be read"):
        played("--config", str(desk / "none.toml"))


def test_config_show_says_where_each_value_comes_from(desk, monkeypatch, capsys):
    write(desk / "desk", "hop = 100")
    monkeypatch.setenv("ECG_STREAM_SEED", "7")
    command = typer.main.get_command(commands)
    command.main(["config", "show", "--model", "unet"], standalone_mode=False, obj=app)
    rows = {
        cells[0]: cells[1:]
        for line in capsys.readouterr().out.splitlines()
        if len(cells := [cell.strip() for cell in line.strip("│┃").split("│")]) == 3
    }
    assert rows["hop"] == ["100.0", "file ecg-stream.toml"]
    assert rows["seed"] == ["7", "environment ECG_STREAM_SEED"]
    assert rows["model"] == ["unet", "command line"]
    assert rows["backend"] == ["auto", "default"]
