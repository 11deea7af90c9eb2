"""README and docs say what is true: their blocks run, their commands parse, their paths and links lead on.

A comment above each fenced block says how it is tested:

- ``test: run`` as it stands; ``test: run with OPTIONS`` adds options to each command, so that it ends soon
- ``test: parse, because REASON``: checked by the real command-line parser alone
- ``test: picture``: no code
- ``test: lines, which FILE runs``: Python for a pipeline of other people's
- ``test: file``: quotes a file that `tests/test_toys.py` runs; ``test: toy …`` are its steps
"""

import re
import shlex
import sys
import tomllib
from pathlib import Path

import lsl_outlets  # noqa: F401  keeps LSL to this machine, for the commands too
import numpy as np
import pytest
import typer
from docs_tools import PAGES, ROOT, Block, blocks_of, commands_of, run_command, run_python
from mkdocs.commands.build import build
from mkdocs.config import load_config

from ecg_stream.command_line import app, main
from engine.backends import BACKENDS
from engine.commands.old_spellings import new_spelling
from models.registry import SYSTEMS
from streamer.records.find import DATA_VARIABLE
from streamer.synthetic import SyntheticPatient

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
MARKS = re.compile(
    r"(?P<kind>run|picture|file|toy \w+, the (?:line|commands)|parse, because .{10,}"
    r"|lines, which tests/test_pipelines\.py runs)( with (?P<options>.+))?"
)


def blocks(kind: str) -> list[Block]:
    return [block for block in BLOCKS if block.mark.split(",")[0].split(" with ")[0].split()[:1] == [kind]]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_says_how_it_is_tested(block):
    assert MARKS.fullmatch(block.mark), f"{block} has no mark that is known: {block.mark!r}"


# Commands


@pytest.fixture(scope="module")
def data(made_physionet, write_record, tmp_path_factory):
    """Records under the names that the pages use: a minute each."""
    folder = tmp_path_factory.mktemp("docs-data")
    (folder / "nstdb").symlink_to(made_physionet / "nstdb")
    for seed, name in enumerate(("100", "103", "105")):
        block = SyntheticPatient(leads=("II", "V5"), seed=seed).read(0, 60 * 360)
        beats = [mark.sample for mark in block.annotations]
        write_record(folder / "mitdb", name, block.data, beats=beats)
    leads = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
    ten_seconds = SyntheticPatient(leads=("II",), seed=9).read(0, 5000).data
    write_record(folder / "ludb" / "data", "1", ten_seconds.repeat(12, axis=0), 500, leads)
    return folder


@pytest.fixture
def desk(data, write_record, tmp_path, monkeypatch):
    """A working folder with a file of one's own, ``mine``, as a record and as numbers in text."""
    monkeypatch.setenv(DATA_VARIABLE, str(data))
    monkeypatch.chdir(tmp_path)
    ecg = SyntheticPatient(leads=("I", "II"), seed=3).read(0, 15 * 360).data
    write_record(tmp_path, "mine", ecg, 250, ("I", "II"))
    np.savetxt(tmp_path / "mine.csv", ecg.T, delimiter=",")
    return tmp_path


SHELL = [block for block in blocks("run") if block.language in ("", "sh", "bash")]
PYTHON = [block for block in blocks("run") if block.language == "python"]


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_run(block, desk, monkeypatch):
    mark = MARKS.fullmatch(block.mark)
    assert mark
    commands = commands_of(block.text)
    assert all(words[0] == "ecg-stream" for words in commands)
    for words in commands:
        words += shlex.split(mark["options"] or "")
        if set(words) & {"--screenshot", "broadcast"}:
            # Qt and liblsl outlive a command: each in a process of its own.
            run_command(words, desk)
        else:
            # The engine is in a process of its own anyway; what is imported here already saves seconds.
            monkeypatch.setattr(sys, "argv", words)
            with pytest.raises(SystemExit) as ended:
                main()
            assert not ended.value.code, shlex.join(words)


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_runs(block, desk):
    run_python(["-c", block.text], desk)


def parse(words: list[str]) -> None:
    """Have the real parser read a command, the command in it, and so on; nothing is run."""
    command = typer.main.get_command(app)
    if len(words) > 1 and Path(words[1]).suffix:
        # A file that stands first is played.
        words = [words[0], "--record", *words[1:]]
    if len(words) == 2 and not words[1].startswith("-"):
        # Named in the text, without what it needs to run.
        context = command.make_context(words[0], [])
        assert command.get_command(context, words[1]), shlex.join(words)
        return
    assert new_spelling(words[1:])[1] is None, f"{shlex.join(words)} is an old spelling"
    if words[1:] in (["--help"], ["--version"]):
        with pytest.raises(typer.Exit):
            command.make_context(words[0], words[1:])
        return
    context = command.make_context(words[0], words[1:])
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        if not rest:
            break
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
    values = {option: context.params[each.name] for each in context.command.params for option in each.opts}
    for option in ("--model", "--models", "names"):
        asked = values.get(option) or ()
        names = asked.split(",") if isinstance(asked, str) else asked
        assert set(names) <= {*SYSTEMS, "identity"}, f"{shlex.join(words)}: {names}"
    backend = (values.get("--backend") or "auto").split(":")[0]
    assert backend in (*BACKENDS, "all"), shlex.join(words)


def check_line(words: list[str]) -> None:
    while "=" in words[0]:  # a variable for this command
        words = words[1:]
    if words[0] in ("ecg-stream", ".venv/bin/ecg-stream"):
        parse(words)
    elif words[0] == "make":
        targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert targets
        assert set(words[1:]) <= set(targets[1].split()), shlex.join(words)
    elif words[:2] == ["pip", "install"]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        name, extra = re.fullmatch(r"([\w-]+)\[(\w+)\]", words[2]).groups()
        assert name == project["name"]
        assert extra in project["optional-dependencies"]
    else:
        pytest.fail(f"a command that this test does not know: {shlex.join(words)}")


@pytest.mark.parametrize("block", blocks("parse"), ids=str)
def test_commands_that_are_not_run_parse(block):
    for words in commands_of(block.text):
        check_line(words)


INLINE = [
    (page, words)
    for page in PAGES
    for quoted in re.findall(r"`((?:ecg-stream|make) [^`…|]*?)`", page.read_text("utf-8"))
    for words in commands_of(quoted.replace("\n", " "))
    if not any(word.isupper() for word in words)  # `ecg-stream train NAME`
]


@pytest.mark.parametrize(
    ("page", "words"), INLINE, ids=[f"{page.name}:{' '.join(words)}" for page, words in INLINE]
)
def test_commands_in_the_text_parse(page, words):
    check_line(words)


def test_the_parser_of_these_tests_refuses():
    for line in ("ecg-stream --no-such", "ecg-stream dance", "ecg-stream --model oracle", "make tea"):
        with pytest.raises((Exception, pytest.fail.Exception)):
            check_line(shlex.split(line))


def test_every_command_is_listed():
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    for name, command in typer.main.get_command(app).commands.items():
        assert f"`ecg-stream {name}`" in page, name
        assert all(f"`{inner}`" in page for inner in getattr(command, "commands", ())), name


# Links and paths

CODE = re.compile(r"```.*?```", re.DOTALL)
IN_REPOSITORY = re.compile(
    r"(?:streamer|engine|models|gui|tests|docs|findings|\.ci)/[\w./*-]*|[\w-]+\.(?:py|toml)|Makefile|LICENSE"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_in_the_text_exist(page):
    text = CODE.sub("", page.read_text("utf-8"))
    paths = {quoted for quoted in re.findall(r"`([^`\n]+)`", text) if IN_REPOSITORY.fullmatch(quoted)}
    # The page that says where files of one's own go.
    paths -= {f"{folder}/toy_{what}.py" for folder, what in PLACES} if page.name == "extend.md" else set()
    missing = {path for path in paths if not any(ROOT.glob(path.rstrip("/")))}
    assert not missing


PLACES = (("models/networks", "network"), ("engine/backends", "backend"), ("streamer", "source"))


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", CODE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_links_of_the_readme_lead_somewhere():
    """Those of the pages are checked by the build, which is strict."""
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert links
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        page = ROOT / path if path else ROOT / "README.md"
        assert page.exists(), link
        assert not anchor or anchor in anchors(page), link


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


# The site


def test_the_site_builds_strictly_and_fetches_nothing(tmp_path):
    config = load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(tmp_path / "site"))
    build(config)
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(PAGES)
    fetched = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=.?https?:|<link\b[^>]*\bhref=.?https?:")
    for page in pages:
        assert not fetched.search(page.read_text("utf-8")), page


def test_the_page_on_data_names_every_source_on_the_cards():
    """Whoever publishes with these weights finds there what to cite."""
    page = (ROOT / "docs" / "data.md").read_text("utf-8")
    cards = "".join(path.read_text("utf-8") for path in (ROOT / "models" / "weights").glob("*.json"))
    named = set(re.findall(r"10\.13026/[A-Za-z0-9-]+", cards))
    assert named
    assert not {doi for doi in named if doi not in page}
