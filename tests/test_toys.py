"""A network, a backend and a source, each added to a copy of ecg-stream as docs/extend.md says.

The steps are the page's own: the file from `tests/toys/`, the line, and the commands below it.
"""

import shutil

import numpy as np
import pytest
from docs_tools import PAGES, ROOT, blocks_of, commands_of, copy_ecg_stream, run_command

from models.benches.track_f import TRAIN_RECORDS, VALIDATION_RECORDS
from streamer.records.find import DATA_VARIABLE
from streamer.synthetic import SyntheticPatient

PAGE = next(page for page in PAGES if page.name == "extend.md")
STEPS = {block.mark: block.text for block in blocks_of(PAGE)}


@pytest.fixture(scope="module")
def track(made_physionet, write_record, tmp_path_factory):
    """All records that training reads, twenty seconds of each."""
    folder = tmp_path_factory.mktemp("track")
    (folder / "nstdb").symlink_to(made_physionet / "nstdb")
    for seed, name in enumerate((*TRAIN_RECORDS, *VALIDATION_RECORDS)):
        data = SyntheticPatient(leads=("II", "V5"), seed=seed).read(0, 20 * 360).data
        write_record(folder / "mitdb", name, data)
    return folder


def add(copy, toy, file, table, before=None):
    """Put the file where the page says, and the line into its table: before a line, or at the end."""
    shutil.copy(ROOT / "tests" / "toys" / f"toy_{toy}.py", copy / file)
    line = STEPS[f"toy {toy}, the line"]
    assert len(line.splitlines()) == 1
    code = (copy / table).read_text(encoding="utf-8")
    if before is None:
        code += f"\n{line}\n"
    else:
        assert code.count(before) == 1
        code = code.replace(before, f"    {line.strip()}\n{before}")
    (copy / table).write_text(code, encoding="utf-8")


def follow(copy, toy, **environment):
    """Give the page's commands; returns what the last one said."""
    commands = commands_of(STEPS[f"toy {toy}, the commands"])
    return [run_command(words, copy, **environment) for words in commands][-1]


def test_a_network_is_a_file_and_a_line(tmp_path, track):
    copy = copy_ecg_stream(tmp_path)
    add(copy, "network", "models/networks/toy_network.py", "models/registry.py")
    said = follow(copy, "network", **{DATA_VARIABLE: str(track)})
    assert "toy" in said
    assert (copy / "models" / "weights" / "toy.json").is_file()


def test_a_backend_is_a_file_and_a_line(tmp_path):
    copy = copy_ecg_stream(tmp_path)
    table_ends = '}\n"""Every backend by its name'
    add(copy, "backend", "engine/backends/toy_backend.py", "engine/backends/__init__.py", before=table_ends)
    said = " ".join(follow(copy, "backend").split())
    assert "cnn-autoencoder on toy" in said
    assert "1800 in, 1800 out" in said


def test_a_source_is_a_file_and_a_line(tmp_path):
    copy = copy_ecg_stream(tmp_path)
    table_ends = '}\n"""What ``--source`` takes'
    add(copy, "source", "streamer/toy_source.py", "streamer/sources.py", before=table_ends)
    ecg_uv = 1000 * SyntheticPatient(leads=("I", "II"), seed=5).read(0, 2500).data
    np.savetxt(copy / "ecg.txt", ecg_uv.T)
    # 250 Hz: everything leaves at the rate of its source.
    assert "2500 in, 2500 out" in " ".join(follow(copy, "source").split())
