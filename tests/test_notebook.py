"""The notebook among the docs runs from its first cell to its last, in a kernel of its own."""

import nbformat
from docs_tools import ROOT
from nbclient import NotebookClient


def test_the_notebook_runs(monkeypatch):
    # A picture is drawn for nobody.
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = nbformat.read(ROOT / "docs" / "in-python.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are made anew by whoever runs it"
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "every sample leaves within" in said
    assert "% cleaned, SNR" in said
