"""No file stays open behind a cleaned one, or behind one that was given up, whenever garbage is collected."""

import os
from pathlib import Path

import pytest
from every_format import MAKERS, made
from file_tools import MODEL

from engine.files import clean_file as module
from engine.files.clean_file import Request, clean_file
from engine.files.inputs import wanted_files
from engine.files.opened import Stated
from engine.in_process.arrays import Settings


class GivenUpError(Exception):
    """Somebody ends cleaning in its midst."""


def open_in(folder):
    """Files of a folder that this process has open."""
    handles = [each for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return [each for each in map(os.readlink, handles) if each.startswith(str(folder))]


@pytest.fixture
def kept(monkeypatch):
    """Every file that is opened: it stays referred to, so that only closing can close it."""
    found = []

    def opened(*given):
        found.append(module_open(*given))
        return found[-1]

    module_open = module.open_file
    monkeypatch.setattr(module, "open_file", opened)
    return found


@pytest.mark.parametrize("ending", MAKERS)
def test_cleaning_leaves_nothing_open(ending, kept, tmp_path):
    file, stated = made(tmp_path, ending)
    (wanted,) = wanted_files([str(file)], tmp_path / "out")
    request = Request(Settings(MODEL, None, causal=False), Stated(**stated))
    seen = []

    def give_up(share):
        seen.append(share)
        raise GivenUpError

    with pytest.raises(GivenUpError):
        clean_file(wanted, request, give_up)
    assert (len(seen), open_in(tmp_path)) == (1, [])
    assert clean_file(wanted, request, seen.append).status == "cleaned"
    assert (len(kept), open_in(tmp_path)) == (2, [])


def test_the_test_sees_what_is_open(tmp_path):
    with (tmp_path / "a").open("w"):
        assert open_in(tmp_path) == [str(tmp_path / "a")]
