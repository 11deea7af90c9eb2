"""`ecg-stream evaluate papers`: the page that sets what was published beside what we measured."""

from pathlib import Path
from typing import Annotated

import typer

from streamer.console.output import out


def papers(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of results, such as docs/results.")],
    page: Annotated[Path, typer.Option("--out", metavar="FILE", help="Gets the page, Markdown.")] = Path(
        "out/papers.md"
    ),
    shipped: Annotated[
        bool,
        typer.Option("--ship", help="Also put the figures of Track S where `ecg-stream models` finds them."),
    ] = False,
) -> None:
    """Write what was published of each system beside what we measured; nothing is computed."""
    from models.benches.notebooks_results import read_notebooks
    from models.benches.papers import papers_page
    from models.benches.track_s_figures import ship
    from models.benches.track_s_results import read_results, read_unfinished
    from streamer.errors import InputError

    track_s, notebooks = read_results(folder / "track-s"), read_notebooks(folder / "notebooks")
    if not track_s and not notebooks:
        raise InputError(
            f"{folder} holds neither track-s nor notebooks; `ecg-stream train NAME --track s --out "
            f"{folder}/track-s` makes the first, with --track notebook the second"
        )
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(papers_page(track_s, notebooks, read_unfinished(folder / "track-s")), encoding="utf-8")
    if shipped:
        ship(track_s)
    out.print(f"written: {page}", markup=False)
