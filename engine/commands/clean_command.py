"""`ecg-stream clean`: files in, cleaned files of the same formats out."""

import time
from pathlib import Path
from typing import Annotated

import typer

from engine.commands.options import DEFAULT_MODEL, Model
from streamer.console.options import words
from streamer.console.output import out, progress, say
from streamer.errors import InputError


def clean(
    files: Annotated[list[str], typer.Argument(help="Files, WFDB records, folders, patterns.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for what is cleaned.")],
    leads: Annotated[
        str | None, typer.Option(help="Channels to clean [default: those that are called an ECG].")
    ] = None,
    model: Model = DEFAULT_MODEL,
    lookahead: Annotated[
        float | None,
        typer.Option(
            metavar="MS",
            help="Signal after a sample that may be used. [default: the most that helps]",
            show_default=False,
        ),
    ] = None,
    causal: Annotated[
        bool, typer.Option("--causal", help="Give what a live run gives, by the network's own look-ahead.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option(metavar="HZ", help="Rate of files that state none: tables, arrays.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(metavar="UNIT", help="Unit of the ECG in files that state none: V, mV, uV, nV."),
    ] = None,
    axis: Annotated[
        int | None,
        typer.Option(help="Along which of two axes of an array samples follow each other.", min=0, max=1),
    ] = None,
    variable: Annotated[
        str | None, typer.Option(metavar="NAME", help="Dataset to clean, in HDF5 and MATLAB files.")
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(
            metavar="SIGN", help="Between columns. [default: comma, in .tsv a tab]", show_default=False
        ),
    ] = None,
    decimal: Annotated[
        str, typer.Option(metavar="SIGN", help="In the numbers of a table: a point or a comma.")
    ] = ".",
    time_column: Annotated[
        str | None,
        typer.Option(
            "--time",
            metavar="NAME",
            help="Column of a table that says when samples were taken, for rate and gaps; none says that no "
            "column does. [default: the one that is called a time]",
            show_default=False,
        ),
    ] = None,
    time_unit: Annotated[
        str | None,
        typer.Option(metavar="UNIT", help="Unit of that column, if it is a number: s, ms, us, ns."),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Files that are cleaned at once.", min=1)] = 1,
) -> None:
    """Clean files: same format out, all but the ECG as it was.

    Rate, length, channels and annotations stay too. A file that is cleaned already is skipped, and nothing
    is overwritten: the same command goes on where it was stopped. Beside each file NAME.clean.json says how
    it was cleaned and where the guard passed raw on. The exit status is 1 where a file was refused.

    Examples
    --------
    - `ecg-stream clean night.edf -o cleaned`: one file
    - `ecg-stream clean ecg.csv --rate 250 --unit mV --leads II -o cleaned`: a table
    - `ecg-stream clean ekg.csv --delimiter ";" --decimal , --time Zeit --time-unit s --unit mV -o cleaned`
    - `ecg-stream clean recordings --jobs 4 -o cleaned`: a folder, on four processes
    """
    from engine.files.clean_file import Request
    from engine.files.inputs import wanted_files
    from engine.files.many import clean_many
    from engine.files.opened import Stated
    from engine.in_process.arrays import Settings, system_for

    settings = Settings(model, lookahead, causal)
    # What cannot be had is said once, and not for each file.
    system_for(settings)
    stated = Stated(rate, unit, axis, variable, delimiter, decimal, time_column, time_unit)
    request = Request(settings, stated, tuple(words(leads)) if leads else ())
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is no folder; name one with -o")
    wanted = wanted_files(files, output)
    begun = time.monotonic()
    shares = [0.0] * len(wanted)
    results = []
    with progress(eta=True) as show:

        def report(number: int, share: float) -> None:
            shares[number] = share
            show(wanted[number].file.name, round(100 * sum(shares)), 100 * len(shares))

        for done in clean_many(wanted, request, jobs, report):
            results.append(done)
            if done.said:
                say(done.said)
    count = {
        status: sum(done.status == status for done in results) for status in ("cleaned", "whole", "refused")
    }
    signal_s = sum(done.signal_s for done in results)
    parts = [f"{count['cleaned']} cleaned"]
    parts += [f"{count['whole']} cleaned already"] if count["whole"] else []
    parts += [f"{count['refused']} refused"] if count["refused"] else []
    took = time.monotonic() - begun
    say(f"{', '.join(parts)}: {signal_s / 3600:.2f} h of leads in {took:.1f} s, in {output}", out)
    if count["refused"]:
        raise typer.Exit(1)
